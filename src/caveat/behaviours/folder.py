"""A behaviour, and caveats, of your own: a folder of plain files (docs/your-own.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from caveat.behaviours.checks import check, check_question, check_row
from caveat.behaviours.ordinary import Ordinary, shipped
from caveat.behaviours.reading import parse, read_lines, read_yaml
from caveat.behaviours.schema import BehaviourFile, CaveatEntry, QuestionLine, RowLine
from caveat.domain.behaviour import Behaviour, SideEffect, Split
from caveat.domain.caveat import Caveat
from caveat.domain.question import Question
from caveat.domain.row import Row
from caveat.errors import CaveatError, closest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Folder:
    """All that the files of a behaviour's folder say."""

    path: Path
    head: BehaviourFile
    rows: tuple[Row, ...]
    counter_rows: tuple[Row, ...]
    filler_rows: tuple[Row, ...] | None
    """None: the shipped filler."""
    questions: tuple[tuple[QuestionLine, Question], ...]

    def behaviour(self, split: Split, ordinary: Ordinary | None = None) -> Behaviour:
        """The behaviour with the questions of one split. Raises CaveatError where it is unsound."""
        filler = self.filler_rows
        made = Behaviour(
            name=self.head.name,
            about=self.head.about,
            rows=self.rows,
            counter_rows=self.counter_rows,
            filler_rows=self._filler(ordinary or shipped()) if filler is None else filler,
            questions=self._asked(split, None),
            side_effects=self._side_effects(split),
        )
        if not made.questions:
            raise CaveatError(
                f"{self.path / 'questions.jsonl'} has no question of the split {split!r}; "
                f'add "split": "{split}" to some'
            )
        check(made)
        return made

    def _asked(self, split: Split, effect: str | None) -> tuple[Question, ...]:
        return tuple(
            question
            for line, question in self.questions
            if line.split == split and line.side_effect == effect
        )

    def _side_effects(self, split: Split) -> tuple[SideEffect, ...]:
        made = [
            SideEffect(name, self._asked(split, name), about)
            for name, about in self.head.side_effects.items()
        ]
        return tuple(effect for effect in made if effect.questions)

    def _filler(self, ordinary: Ordinary) -> tuple[Row, ...]:
        """As many unrelated documents as rows, as far as they go."""
        return ordinary.documents("filler", "filler", len(self.rows))


def load_behaviour(path: str | Path) -> Callable[[Split], Behaviour]:
    """The behaviour in a folder, as a function of the split, like the shipped ones.

    Files: behaviour.yaml, rows.jsonl, counter_rows.jsonl, questions.jsonl and, if there is one,
    filler_rows.jsonl. They are read at once and checked when the function is called.

    Raises CaveatError, in one line, for the first mistake in them.
    """
    return read_folder(Path(path)).behaviour


def read_folder(path: Path) -> Folder:
    """The files of a behaviour's folder. Raises CaveatError for the first mistake in them."""
    if not path.is_dir():
        raise CaveatError(
            f"{path} is no folder; a behaviour of your own is a folder with "
            "behaviour.yaml, rows.jsonl, counter_rows.jsonl and questions.jsonl"
        )
    head = parse(BehaviourFile, read_yaml(path / "behaviour.yaml"), str(path / "behaviour.yaml"))
    filler = path / "filler_rows.jsonl"
    return Folder(
        path=path,
        head=head,
        rows=_rows(path / "rows.jsonl", "behaviour"),
        counter_rows=_rows(path / "counter_rows.jsonl", "counter"),
        filler_rows=_rows(filler, "filler") if filler.exists() else None,
        questions=_questions(path / "questions.jsonl", head),
    )


def _rows(path: Path, source: str) -> tuple[Row, ...]:
    rows: dict[str, Row] = {}
    for where, number, line in read_lines(path, RowLine):
        row = _recorded(partial(line.record, source, number), where)
        check_row(row, where)
        if row.id in rows:
            raise CaveatError(f"{where}: the id {row.id!r} is used before; ids must be unique")
        rows[row.id] = row
    return tuple(rows.values())


def _questions(path: Path, head: BehaviourFile) -> tuple[tuple[QuestionLine, Question], ...]:
    questions: dict[tuple[str | None, str], tuple[QuestionLine, Question]] = {}
    for where, _, line in read_lines(path, QuestionLine):
        question = _recorded(line.record, where)
        check_question(question, where)
        if line.side_effect is not None and line.side_effect not in head.side_effects:
            raise CaveatError(
                f"{where}: the side effect {line.side_effect!r} is not in behaviour.yaml; "
                "describe it there under side_effects"
                f"{closest(line.side_effect, head.side_effects)}"
            )
        if (line.side_effect, question.id) in questions:
            raise CaveatError(f"{where}: the id {question.id!r} is used before; ids must be unique")
        questions[line.side_effect, question.id] = (line, question)
    return tuple(questions.values())


def load_caveat(path: str | Path) -> Caveat:
    """One caveat of a caveats.yaml, or of the folder that holds one.

    `folder#name` picks one of several. Raises CaveatError, in one line, for a mistake in the file,
    an unknown name, or none where it is needed.
    """
    place, _, name = str(path).partition("#")
    found = load_caveats(place)
    if not name and len(found) == 1:
        return next(iter(found.values()))
    if not name:
        raise CaveatError(
            f"{place} has {len(found)} caveats; pick one with {place}#NAME, "
            f"where NAME is one of: {', '.join(found)}"
        )
    if name not in found:
        raise CaveatError(
            f"{place} has no caveat {name!r}; known: {', '.join(found)}{closest(name, found)}"
        )
    return found[name]


def load_caveats(path: str | Path) -> dict[str, Caveat]:
    """All caveats of a caveats.yaml (or of the folder that holds one), by name."""
    file = Path(path)
    file = file / "caveats.yaml" if file.is_dir() else file
    entries = read_yaml(file)
    if not isinstance(entries, list) or not entries:
        raise CaveatError(f"{file} is no list of caveats; write '- name: ...' for each")
    found: dict[str, Caveat] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{file}, caveat {number}"
        caveat = _recorded(parse(CaveatEntry, entry, where).record, where)
        if caveat.name in found:
            raise CaveatError(f"{where}: the name {caveat.name!r} is used before; rename one")
        found[caveat.name] = caveat
    return found


def _recorded(make: Callable[[], T], where: str) -> T:
    try:
        return make()
    except ValueError as error:
        raise CaveatError(f"{where}: {error}") from None
