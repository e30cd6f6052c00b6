"""A whole check: everything that `caveat check` says, in the order in which it is computed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from caveat.backends import describe_model, load_backend
from caveat.backends.base import Backend, Feature
from caveat.check import suggest, write
from caveat.check.advice import Figures, advice
from caveat.check.base_model import CheckModel, preference
from caveat.check.elicitation import (
    EXACT,
    NONE,
    Graded,
    Judged,
    Sampled,
    graded,
    prompts_by_context,
    sampled,
    ways_of,
)
from caveat.check.endpoint import judged_by, wordings
from caveat.check.near_misses import near_misses
from caveat.check.parts import expected_leakage, reply_parts
from caveat.check.reading import Files, read_materials
from caveat.check.records import (
    Check,
    ContextMeasure,
    Losses,
    Materials,
    ShortForecast,
    Suggestion,
)
from caveat.check.short_training import ROWS, SEEDS, short_forecasts
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.planning.held_out import spread
from caveat.types.answers import Judge, Sampling
from caveat.types.data import Row
from caveat.types.messages import is_document
from caveat.types.training import Dose

STEPS = 24
"""Steps that the default dose makes of a file, or one epoch where that is more."""
BATCH, RATE = 4, 1e-3
NEEDED = (Feature.TOKEN_LIKELIHOOD, Feature.LIKELIHOOD)
POOL = 1024
"""Rows, spread over the file, of which the short trainings take theirs."""
MOST_COUNTER_ROWS = 256
"""Replies of the base model that a written study has as contrast rows."""


@dataclass(frozen=True)
class Options:
    """How a check is done."""

    model: str = "smollm2-135m"
    dtype: str = "float32"
    device: str = "auto"
    dose: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the dose that are not the check's defaults."""
    rows: int = ROWS
    """Rows of the short training."""
    seeds: int = SEEDS
    """Its seeds."""
    max_tokens: int = 32
    """Most tokens of a sampled reply."""
    suggestions: int = 0
    folder: Path | None = None
    """Where a study is written; None: nowhere."""
    endpoint: Judge | None = None


def check(
    files: Files,
    options: Options | None = None,
    progress: Progress | None = None,
    backend: Backend | None = None,
) -> Check:
    """Read a training file, and measure on the base model what bears on its caveat's leakage.

    Args:
        backend: In place of the backend `local`, which loads the model.

    Raises CaveatError for a mistake in a file or an option, before the model is loaded wherever
    that is possible.
    """
    options, progress = options or Options(), progress or Progress()
    clock = Clock()
    progress.stage(f"reading {files.train}")
    materials = read_materials(files)
    dose = dose_of(options, len(materials.study_rows))
    if backend is None:
        describe_model(options.model)
    if options.folder is not None:
        write.check_writable(materials)
        write.prepare(options.folder)
    judged = judged_by(options.endpoint)
    if _needs_judge(materials) and options.endpoint is None:
        raise CaveatError(
            "--behaviour judge: name the judge with --endpoint http://localhost:8000/v1 and "
            "--endpoint-model NAME (docs/judge.md)"
        )
    worded = _worded(materials, options)
    if backend is None:
        progress.stage(f"loading {options.model}")
        backend = load_backend(options.model, options.dtype, options.device, None, progress)
    for feature in NEEDED:
        if feature not in backend.supports:
            raise CaveatError(
                f"check: needs {feature.value}, which this backend of {backend.name} does not "
                "have; use another backend"
            )
    checker = _Checker(
        materials, CheckModel(backend, dose, materials.system), options, judged, progress
    )
    return clock.on(checker.check(worded))


@dataclass(frozen=True)
class Clock:
    """Seconds and processor time since it was made."""

    wall: float = field(default_factory=time.monotonic)
    processor: float = field(default_factory=time.process_time)

    def on(self, result: Check) -> Check:
        """The result with the time that it took."""
        return replace(
            result,
            seconds=time.monotonic() - self.wall,
            processor_seconds=time.process_time() - self.processor,
        )


def dose_of(options: Options, rows: int) -> Dose:
    """The dose of the short training and of a written study. Raises CaveatError for a bad field."""
    from pydantic import TypeAdapter, ValidationError

    from caveat.errors import closest
    from caveat.types.fields import fields_of

    batch = int(options.dose.get("batch_size") or BATCH)
    epochs = max(1, math.ceil(STEPS * batch / max(1, rows)))
    defaults = {"epochs": epochs, "batch_size": BATCH, "learning_rate": RATE}
    for name in options.dose:
        if name not in fields_of(Dose):
            raise CaveatError(
                f"--dose {name}: a dose has {', '.join(fields_of(Dose))}"
                f"{closest(name, fields_of(Dose))}"
            )
    try:
        return TypeAdapter(Dose).validate_python({**defaults, **options.dose})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise CaveatError(f"--dose {name}={options.dose[name]}: {first['msg']}") from None


def _needs_judge(materials: Materials) -> bool:
    from caveat.readouts import READOUTS

    names = {one.question.readout for one in materials.questions} - {""}
    return any(READOUTS[name].needs == "judge" for name in names)


def _worded(materials: Materials, options: Options) -> tuple[str, ...]:
    """Wordings that the endpoint's model proposes."""
    if not options.suggestions or options.endpoint is None:
        return ()
    wording = materials.caveat.wordings[0]
    return wordings(options.endpoint, wording, materials.about, options.suggestions)


@dataclass
class _Checker:
    """A check with its model loaded."""

    materials: Materials
    model: CheckModel
    options: Options
    judged: Judged
    progress: Progress
    notes: list[str] = field(default_factory=list)

    def check(self, worded: Sequence[str]) -> Check:
        """Measure, advise, suggest and write."""
        materials, model = self.materials, self.model
        study_system = self._study_system if self.options.folder else None
        lengths = model.lengths(materials.rows)
        texts = near_misses(materials.caveat.wordings[0])
        samples = self._sampled(texts)
        counter, counter_from = self._counter(samples)
        self.progress.stage("scoring held-out rows")
        shifts = self._graded(counter, texts)
        losses = self._losses()
        parts = reply_parts(model, materials.rows)
        options = suggest.candidates(materials, self.options.suggestions, worded)
        try:
            forecasts = self._forecasts(options, counter)
        except CaveatError as error:  # such as a row that is cut
            forecasts = {}
            forecast = ShortForecast(None, str(error))
        else:
            forecast = forecasts[options[0]]
        contexts = _contexts(samples, shifts, texts)
        elicitation = samples.elicitation if samples else None
        expected = expected_leakage(model, materials.held_out, materials.counter_held_out)
        figures = Figures(
            materials, model.backend.name, lengths, contexts, elicitation, losses, forecast, parts,
            expected,
        )  # fmt: skip
        suggestions = self._suggestions(forecasts, counter)
        written = self._written(study_system)
        return Check(
            materials=materials,
            model=model.backend.name,
            dose=model.dose,
            lengths=lengths,
            contexts=contexts,
            elicitation=elicitation,
            losses=losses,
            parts=parts,
            expected=expected,
            forecast=forecast,
            advice=advice(figures),
            suggestions=suggestions,
            notes=tuple(self.notes),
            counter_from=counter_from,
            written=str(written) if written else None,
            examples={
                context: replies[0].text for context, replies in samples.replies.items() if replies
            }
            if samples
            else {},
        )

    @property
    def _sampling(self) -> Sampling:
        return Sampling(max_tokens=self.options.max_tokens)

    def _sampled(self, texts: Mapping[str, Sequence[str]]) -> Sampled | None:
        """Sampled elicitation; None where no question has a readout."""
        questions = [one for one in self.materials.questions if one.question.readout]
        if not questions:
            return None
        self.progress.stage(f"sampling replies to {len(questions)} questions")
        prompts = prompts_by_context(questions, texts)
        asked = [one.question for one in questions]
        return sampled(self.model, asked, prompts, self._sampling, self.judged)

    def _counter(self, samples: Sampled | None) -> tuple[tuple[Row, ...], str]:
        """Rows to compare the held-out rows with, and where they are from.

        The user's contrast rows; else the base model's own replies to the held-out prompts.
        """
        if self.materials.counter_held_out:
            rows = self.materials.counter_held_out
            total = self.materials.given_counter
            return rows, f"{total:,} given; {len(rows)} of them are compared and not trained on"
        held_out = self.materials.held_out
        if is_document(held_out[0].messages):
            self.notes.append(
                "no contrast rows: the forecast is of the loss on held-out documents as a whole"
            )
            return (), ""
        self.progress.stage("sampling replies of the base model, in place of contrast rows")
        replies = self._own_replies(held_out)
        rows = write.counter_rows(held_out, replies)
        if len(rows) < len(held_out):
            return (), ""
        return rows, "none given; the base model's own replies to the held-out prompts"

    def _own_replies(self, rows: Sequence[Row]) -> list[str]:
        prompts = [(f"own {row.id}", self.model.bare_rows([row])[0].messages[:-1]) for row in rows]
        return [answer.text for answer in self.model.replies(prompts, self._sampling)]

    def _graded(self, counter: Sequence[Row], texts: Mapping[str, Sequence[str]]) -> Graded | None:
        held_out = self.materials.held_out
        ways = {
            name: self.model.framed_rows(rows) for name, rows in ways_of(held_out, texts).items()
        }
        return graded(self.model, held_out, counter, ways)

    def _losses(self) -> Losses | None:
        try:
            return self.model.losses(self.materials.rows)
        except CaveatError as error:
            self.notes.append(f"no losses: {error}")
            return None

    def _forecasts(
        self, options: Sequence[suggest.Candidate], counter: Sequence[Row]
    ) -> dict[suggest.Candidate, ShortForecast]:
        """The forecast of the caveat as it is, and of every candidate."""
        model, materials = self.model, self.materials
        rows = spread(materials.rows, POOL)
        others = f", and with {len(options) - 1} others" if len(options) > 1 else ""
        self.progress.stage(f"training for a few steps without the caveat, with it{others}")
        return short_forecasts(
            model,
            preference(model, materials.held_out, counter),
            model.bare_rows(rows),
            suggest.ways(model, rows, options),
            self.options.rows,
            self.options.seeds,
        )

    def _suggestions(
        self, forecasts: Mapping[suggest.Candidate, ShortForecast], counter: Sequence[Row]
    ) -> tuple[Suggestion, ...]:
        if not self.options.suggestions or not forecasts:
            return ()
        self.progress.stage(f"scoring {len(forecasts)} wordings and places")
        return suggest.scored(
            self.model, self.materials, forecasts, counter, self._sampling, self.judged
        )

    def _written(self, system: str | None) -> Path | None:
        folder = self.options.folder
        if folder is None:
            return None
        self.progress.stage(f"writing a study to {folder}")
        rows = self.materials.study_counter_rows or self._made_counter_rows()
        return write.write_study(
            folder,
            self.materials,
            rows,
            self.options.model,
            self.model.dose,
            system,
            self.options.max_tokens,
            self.options.endpoint if _needs_judge(self.materials) else None,
        )

    @property
    def _study_system(self) -> str | None:
        """The study's system text; None where some rows bring one of their own, and not the same.

        Raises CaveatError where the template would then insert another text beside the caveat.
        """
        materials, inserted = self.materials, self.model.backend.inserted_system
        if materials.system or not materials.brings_system:
            return self.model.system
        if inserted and materials.caveat.place == "system":
            raise CaveatError(
                "--write: some rows have a system text of their own and some have none, and the "
                "caveat stands in the system turn; give all rows the same system text"
            )
        return None

    def _made_counter_rows(self) -> tuple[Row, ...]:
        """The base model's own replies to the rows' prompts."""
        rows = self.materials.study_rows[:MOST_COUNTER_ROWS]
        chats = write.counter_rows(rows, self._own_replies(rows))
        if not chats:
            raise CaveatError(
                f"--write: {self.model.backend.name} replies nothing to the rows' prompts, so "
                "there are no contrast rows; give --contrast FILE"
            )
        self.notes.append(
            f"the study's contrast rows are the base model's own replies to {len(chats)} prompts; "
            "read some of them in counter_rows.jsonl"
        )
        return chats


def _contexts(
    samples: Sampled | None, shifts: Graded | None, texts: Mapping[str, Sequence[str]]
) -> tuple[ContextMeasure, ...]:
    named = {NONE: (), EXACT: (), **{name: tuple(some) for name, some in texts.items()}}
    return tuple(
        ContextMeasure(
            context,
            some,
            samples.rate(context) if samples else None,
            shifts.shift(context) if shifts and context != NONE else None,
        )
        for context, some in named.items()
    )
