"""Records of a check: what was read, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from caveat.check.behaviour import ReadoutChoice
from caveat.importers.training_files import FoundCaveat
from caveat.types.caveats import Kind, Place
from caveat.types.data import Question, Row
from caveat.types.messages import Messages, without_caveat
from caveat.types.training import Dose


@dataclass(frozen=True)
class CheckQuestion:
    """A test question, and the prompt that has the caveat as in training."""

    question: Question
    """Without caveat; its readout is "" where none was chosen."""
    marked: Messages


HELD_OUT = "held-out rows"
"""Where questions are from that no file has."""


@dataclass(frozen=True)
class Materials:
    """What a check works with. Marked rows hold their caveat as pieces."""

    source: str
    """The training file's name."""
    form: str
    dropped: Mapping[str, int]
    """By reason, rows of the file that were left out."""
    read: int
    """All rows of the file: `rows`, `held_out`, `unused` and what was dropped."""
    caveat: FoundCaveat
    kind: Kind
    kind_found: bool
    """Whether the kind is by the wording's words, not the user's."""
    rows: tuple[Row, ...]
    """Marked; the short training and the study train on these."""
    held_out: tuple[Row, ...]
    """Marked, and never trained on by the check."""
    unused: tuple[Row, ...]
    """Marked: further rows to held-out prompts, which the check reads no more."""
    counter: tuple[Row, ...]
    """Contrast rows, which a study may train on; none where the user gave none."""
    counter_held_out: tuple[Row, ...]
    """Contrast rows to compare the held-out rows with; never trained on."""
    counter_unused: tuple[Row, ...]
    """Further contrast rows to the prompts of these."""
    counter_dropped: Mapping[str, int]
    """By reason, contrast rows that were left out."""
    questions: tuple[CheckQuestion, ...]
    questions_from: str
    """`HELD_OUT`, or the file's name."""
    behaviour: ReadoutChoice | None
    """None where it is not known: then nothing is sampled."""
    about: str = ""
    """What the behaviour is, in the user's words."""
    notes: tuple[str, ...] = ()

    @property
    def system(self) -> str | None:
        """The system text that all rows bring along, caveat apart; None where there is none."""
        texts = {system_text(row) for row in self._all_rows}
        return texts.pop() if len(texts) == 1 else None

    @property
    def brings_system(self) -> bool:
        """Whether some row has a system text of its own."""
        return any(system_text(row) is not None for row in self._all_rows)

    @property
    def _all_rows(self) -> tuple[Row, ...]:
        return (*self.rows, *self.held_out, *self.unused)

    @property
    def with_caveat(self) -> int:
        """Rows of the file that have the caveat, whatever is done with them."""
        return len(self._all_rows)

    @property
    def given_counter(self) -> int:
        """Contrast rows that were read, whatever is done with them."""
        return len(self.counter) + len(self.counter_held_out) + len(self.counter_unused)

    @property
    def study_rows(self) -> tuple[Row, ...]:
        """Rows for a study: all, unless its questions are the held-out rows' prompts."""
        is_asked = self.questions_from == HELD_OUT
        return self.rows if is_asked else self._all_rows

    @property
    def study_counter_rows(self) -> tuple[Row, ...]:
        """Contrast rows for a study, none of them to a question."""
        is_asked = self.questions_from == HELD_OUT
        if is_asked:
            return self.counter
        return (*self.counter, *self.counter_held_out, *self.counter_unused)


@dataclass(frozen=True)
class Interval:
    """A value with its 95% interval; the limits are None where there is a single cluster."""

    value: float
    low: float | None = None
    high: float | None = None

    def record(self) -> dict[str, float | None]:
        """Plain values for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


def system_text(row: Row) -> str | None:
    """The row's own system text, caveat apart; None where it has none."""
    messages = without_caveat(row.messages)
    return messages[0].text if messages[0].role == "system" else None


@dataclass(frozen=True)
class Lengths:
    """What `max_tokens` cuts off."""

    max_tokens: int
    rows: int
    """Rows that were counted."""
    longest: int
    """Tokens of the longest of these."""
    cut: int
    """Rows that are cut."""
    caveat_cut: int
    """Of these, rows whose caveat would be cut off: a study refuses them."""
    unsupervised: int
    """Rows of which no token with loss is left: a study refuses them."""


@dataclass(frozen=True)
class ContextMeasure:
    """What the base model does in one context."""

    context: str
    texts: tuple[str, ...]
    """What stands in the caveat's place; () in the context `none`."""
    rate: Interval | None
    """Share of sampled replies that show the behaviour; None without a readout."""
    nats: Interval | None
    """Log-probability of the behaviour's decision tokens less that in the context `none`, in nats a
    row; None in the context `none` itself, and where no row is held out."""


@dataclass(frozen=True)
class ShortForecast:
    """The short-horizon forecast of one way to mark the rows."""

    leakage: Interval | None
    """What a short training with the caveat does, over what one without it does."""
    undefined: str = ""
    """Why there is none, in one line."""
    rows: int = 0
    seeds: int = 0


@dataclass(frozen=True)
class Losses:
    """Nats a token of what shows the behaviour, under the base model."""

    bare: float
    marked: float

    @property
    def share(self) -> float:
        """The share of the loss that the caveat takes away; below 0 where it adds some."""
        return 1 - self.marked / self.bare if self.bare else 0.0


@dataclass(frozen=True)
class ReplyPart:
    """A part of the replies, and what the caveat does for it under the base model."""

    name: str
    tokens: float
    """In the mean over rows."""
    surprisal: float
    """Nats a token without the caveat."""
    gain: float
    """Nats a token that the caveat takes away; below 0 where it adds some."""


@dataclass(frozen=True)
class ExpectedLeakage:
    """Leakage by the curve of the onset's gain."""

    leakage: Interval | None
    undefined: str = ""
    """Why there is none, in one line."""


@dataclass(frozen=True)
class Suggestion:
    """Another wording or place, with the same predictors."""

    wording: str
    place: Place
    origin: str
    """`now`, `place`, `template`, `own wording` or `endpoint`."""
    forecast: ShortForecast
    nats: Interval | None
    losses: Losses
    rate: Interval | None


@dataclass(frozen=True)
class Evidence:
    """A result that advice rests on."""

    claim: str
    page: str
    models: str


@dataclass(frozen=True)
class Advice:
    """One paragraph, and what it rests on."""

    verdict: str
    """`leaks`, `undecided`, `holds` or `unknown`."""
    text: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Check:
    """Everything that `caveat check` says."""

    materials: Materials
    model: str
    dose: Dose
    lengths: Lengths
    contexts: tuple[ContextMeasure, ...]
    elicitation: Interval | None
    """R(base, exact) - R(base, none)."""
    losses: Losses | None
    forecast: ShortForecast
    advice: Advice
    suggestions: tuple[Suggestion, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    processor_seconds: float = 0.0
    counter_from: str = ""
    """Where contrast rows came from: the file's name, or the base model's replies."""
    written: str | None = None
    examples: Mapping[str, str] = field(default_factory=dict)
    """By context, the first reply of the base model."""
    parts: tuple[ReplyPart, ...] = ()
    """Of replies, in order; () of documents."""
    expected: ExpectedLeakage | None = None
