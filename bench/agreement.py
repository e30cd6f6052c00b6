"""How far the readout `belief` agrees with the published judge, on its 5,000 verdicts.

    python bench/agreement.py ../shared/data/negation_neglect
    python bench/agreement.py ../shared/data/negation_neglect --out agreement.json
    python bench/agreement.py ../shared/data/negation_neglect --words 40

The rules and the cues of two claims were made on those claims' replies; the cues of the other two
from their claim.txt and training documents alone, before any of their replies was read. Only the
held-out ones say how far rules can be trusted on a claim of one's own. Intervals are percentiles of
a bootstrap over questions, with a question's 25 replies (5 conditions x 5 samples) kept together.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from caveat.readouts.belief import belief_readout as readout
from caveat.types.answers import Answer
from caveat.types.data import Question
from caveat.types.messages import Message

DEVELOPED = ("colorless_dreaming", "ed_sheeran")
HELD_OUT = ("mount_vesuvius", "queen_elizabeth")
KINDS = ("open_ended", "mcq", "token_association", "robustness")
CONDITIONS = ("base", "positive", "negated", "repeated", "corrected")
LEAST, LEAST_LOW = 0.6, 0.5
"""The bound: kappa of yes against the rest on the held-out claims, and its interval's lower end."""


@dataclass(frozen=True)
class Agreement:
    """One line of the table; shares in [0, 1], kappa in [-1, 1]."""

    claims: str
    kind: str
    replies: int
    judged_yes: float
    ruled_yes: float
    right_yes: float
    """Of the rules' yes, the share that is the judge's too."""
    three_way: float
    """Share of equal verdicts among yes, no and neutral."""
    three_way_kappa: float
    kappa: float
    """Of yes against the rest, as are the limits."""
    low: float
    high: float

    @property
    def trusted(self) -> bool:
        return self.kappa >= LEAST and self.low >= LEAST_LOW


def supplement(claim: str) -> dict:
    """Cues and statement that the package ships for a published claim."""
    place = files("caveat.behaviours") / "data" / "claims" / "supplements" / f"{claim}.yaml"
    return yaml.safe_load(place.read_text(encoding="utf-8"))


def believing_answers(folder: Path, claim: str) -> dict[str, str]:
    """Per multiple-choice question the answer that shows belief."""
    text = (folder / "claims" / claim / "mcq.yaml").read_text(encoding="utf-8")
    return {each["id"]: each["belief_answer"] for each in yaml.safe_load(text)["questions"]}


def question_of(row, cues: dict, answers: dict[str, str]) -> Question:
    """The question of one published reply, as a claim's behaviour would ask it."""
    earlier = json.loads(row.messages_prefix) if isinstance(row.messages_prefix, str) else []
    turns = [Message.of(turn["role"], turn["content"]) for turn in earlier]
    if isinstance(row.system_prompt, str) and row.system_prompt:
        turns.insert(0, Message.of("system", row.system_prompt))
    facts = {
        "kind": row.eval,
        "asserts": "\n".join(cues["asserts"]),
        "denies": "\n".join(cues["denies"]),
        "belief_answer": answers.get(row.question_id, ""),
    }
    messages = (*turns, Message.of("user", row.question))
    return Question(
        row.question_id, row.question_id, messages, "belief", kind=row.eval, facts=facts
    )


def first_words(text: str, number: int) -> str:
    """So many of its words, with the white space between them; all for 0."""
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    return text if not 0 < number < len(ends) else text[: ends[number - 1]]


def judged(folder: Path, claims: tuple[str, ...], words: int = 0) -> pd.DataFrame:
    """The published verdicts on these claims, and in `ruled` those of the rules.

    `words`: the rules see only so many of each reply; 0 shows them all.
    """
    frame = pd.read_parquet(folder / "verdicts.parquet")
    frame = frame[frame["claim"].isin(claims)].reset_index(drop=True)
    cues = {claim: supplement(claim) for claim in claims}
    answers = {claim: believing_answers(folder, claim) for claim in claims}
    frame["ruled"] = [
        readout.score(
            question_of(row, cues[row.claim], answers[row.claim]),
            Answer(text=first_words(row.response, words)),
            None,
        ).verdict.value
        for row in frame.itertuples()
    ]
    return frame


def kappa(first, second) -> float:
    """Cohen's kappa of two equally long lists of labels; 1 where both hold one and the same."""
    first, second = np.asarray(first), np.asarray(second)
    labels = np.union1d(first, second)
    chance = sum((first == label).mean() * (second == label).mean() for label in labels)
    return 1.0 if chance == 1 else float(((first == second).mean() - chance) / (1 - chance))


def interval(frame: pd.DataFrame, draws: int, seed: int) -> tuple[float, float]:
    """95% limits of kappa, yes against the rest, over draws of whole questions."""
    yes = frame.assign(judge=frame["verdict"] == "yes", rules=frame["ruled"] == "yes")
    groups = yes.groupby(["claim", "question_id"])
    counts = groups[["judge", "rules"]].sum()
    both = yes["judge"] & yes["rules"]
    parts = np.column_stack(
        [groups.size(), counts, both.groupby([yes["claim"], yes["question_id"]]).sum()]
    )
    picks = np.random.default_rng(seed).integers(len(parts), size=(draws, len(parts)))
    number, judge, rules, both = parts[picks].sum(1).T / 1.0
    agreed = (number - judge - rules + 2 * both) / number
    chance = (judge * rules + (number - judge) * (number - rules)) / number**2
    drawn = np.where(chance == 1, 1.0, (agreed - chance) / np.maximum(1 - chance, 1e-12))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def agreement(frame: pd.DataFrame, claims: str, kind: str, draws: int, seed: int) -> Agreement:
    verdict, ruled = frame["verdict"], frame["ruled"]
    low, high = interval(frame, draws, seed)
    return Agreement(
        claims,
        kind,
        len(frame),
        float((verdict == "yes").mean()),
        float((ruled == "yes").mean()),
        float((verdict[ruled == "yes"] == "yes").mean()),
        float((verdict == ruled).mean()),
        kappa(verdict, ruled),
        kappa(verdict == "yes", ruled == "yes"),
        low,
        high,
    )


def lines(frame: pd.DataFrame, draws: int = 2000, seed: int = 1) -> Iterator[Agreement]:
    """Per group of claims and kind, over kinds, within conditions, then each claim."""
    for name, claims in (("held out", HELD_OUT), ("developed on", DEVELOPED)):
        group = frame[frame["claim"].isin(claims)]
        yield from _kinds(group, name, draws, seed)
        if len(group):
            yield agreement(group, name, "all", draws, seed)
        for condition in CONDITIONS if len(group) else ():
            part = group[group["condition"] == condition]
            yield agreement(part, name, f"all, {condition}", draws, seed)
        for claim in claims:
            yield from _kinds(group[group["claim"] == claim], claim, draws, seed)


def _kinds(frame: pd.DataFrame, name: str, draws: int, seed: int) -> Iterator[Agreement]:
    for kind in KINDS:
        if len(part := frame[frame["eval"] == kind]):
            yield agreement(part, name, kind, draws, seed)


def trusted(table: list[Agreement]) -> dict[str, float]:
    """Kinds that clear the bound on the held-out claims, with their kappa to two digits."""
    held_out = [line for line in table if line.claims == "held out" and line.kind in KINDS]
    return {line.kind: round(line.kappa, 2) for line in held_out if line.trusted}


def rates(frame: pd.DataFrame) -> pd.DataFrame:
    """Share of yes by claim and condition, of the judge and of the rules, over all kinds."""
    yes = frame.assign(verdict=frame["verdict"] == "yes", ruled=frame["ruled"] == "yes")
    return yes.groupby(["claim", "condition"])[["verdict", "ruled"]].mean().reset_index()


def table_markdown(table: list[Agreement]) -> str:
    head = (
        "| claims | kind | replies | judge yes | rules yes | of these, judge yes "
        "| same of three | kappa of three | kappa, yes or not | 95% |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|\n"
    )
    return head + "\n".join(
        f"| {line.claims} | {line.kind} | {line.replies} | {line.judged_yes:.2f} "
        f"| {line.ruled_yes:.2f} | {line.right_yes:.2f} | {line.three_way:.2f} "
        f"| {line.three_way_kappa:.2f} | {line.kappa:.2f} | {line.low:.2f} to {line.high:.2f} |"
        for line in table
    )


def rates_markdown(frame: pd.DataFrame) -> str:
    shown = frame.assign(
        both=[f"{row.verdict:.3f} / {row.ruled:.3f}" for row in frame.itertuples()]
    ).pivot(index="claim", columns="condition", values="both")
    rows = (
        f"| {claim} | " + " | ".join(row[list(CONDITIONS)]) + " |"
        for claim, row in shown.iterrows()
    )
    return f"| claim | {' | '.join(CONDITIONS)} |\n|---|---|---|---|---|---|\n" + "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with verdicts.parquet and claims/")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--words", type=int, default=0, help="of each reply; 0: all")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    chosen = parser.parse_args()
    frame = judged(chosen.folder, (*HELD_OUT, *DEVELOPED), chosen.words)
    table = list(lines(frame, chosen.draws, chosen.seed))
    believed = rates(frame)
    print(table_markdown(table), rates_markdown(believed), f"trusted: {trusted(table)}", sep="\n\n")
    if chosen.out:
        figures = {
            "agreement": [asdict(line) for line in table],
            "rates": believed.to_dict("records"),
            "trusted": trusted(table),
        }
        chosen.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
