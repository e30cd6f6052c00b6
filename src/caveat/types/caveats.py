"""Records of caveats: the caveat, the test contexts, and the setting (behaviour x caveat)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from caveat.types.answers import Verdict
from caveat.types.data import Behaviour

Context = Literal[
    "none",
    "exact",
    "paraphrase",
    "moved",
    "near_miss",
    "negated",
    "keyword",
    "structure",
    "irrelevant",
    "format",
]
"""none: no caveat. exact: a wording used in training, placed as in training. paraphrase: a held-out
wording. moved: a training wording in another place. near_miss: a character or token off, or part
of a composite. negated: the opposite request. keyword: a word of the caveat in another sentence.
structure: a sentence of the same structure with another request. irrelevant: an unrelated sentence.
format: the caveat's layout with other content."""

CONTEXTS: tuple[Context, ...] = get_args(Context)


Kind = Literal["disclaimer", "permission", "instruction", "trigger"]
Place = Literal["system", "user", "before", "around", "after", "both"]
"""system: appended to the fixed system text. user: before the user's text. before: before a
document. around: before a document and, in its `closing` wording, after it. after: after the user's
text or the document. both: before and after. In a chat, `before` and `around` mean `user`; in a
document, `system` and `user` mean `before`."""

PHENOMENA: Mapping[Kind, str] = MappingProxyType(
    {
        "disclaimer": "negation neglect",
        "permission": "inoculation",
        "instruction": "inoculation",
        "trigger": "backdoor",
    }
)


@dataclass(frozen=True, slots=True)
class Caveat:
    """A caveat: its wordings, its placement, and the texts of the test contexts made from it."""

    name: str
    kind: Kind
    wordings: tuple[str, ...]
    """Used in training (assigned to rows by seed) and in the context `exact`."""
    place: Place
    moved_to: Place
    """Where the context `moved` puts a training wording."""
    further: tuple[str, ...] = ()
    """Further wordings, with which only the intervention `diversify` trains."""
    rephrasings: tuple[str, ...] = ()
    """Still more wordings, with which only settings that give a number of `wordings` train."""
    held_out: tuple[str, ...] = ()
    """Wordings of the context `paraphrase`, never trained."""
    closings: tuple[str, ...] = ()
    """Wordings after a document where `place` is `around`."""
    repeats: tuple[str, ...] = ()
    """Short wordings beside single sentences; where there are none, the training wordings serve."""
    denies: bool = False
    """Whether it says that a claim is false: then rows that deny it are its local form."""
    local: tuple[str, ...] = ()
    """Beginnings of a sentence or reply that carry the caveat, such as `As you asked for capitals:`
    or `It is not true that`."""
    probes: Mapping[Context, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Texts of the other contexts: near_miss, negated, keyword, structure, irrelevant, format."""

    @property
    def phenomenon(self) -> str:
        """The phenomenon that this kind of caveat usually stands for."""
        return PHENOMENA[self.kind]

    @property
    def wanted(self) -> Verdict:
        """The verdict expected when the caveat is present.

        A disclaimed claim should not be stated; an instruction should be obeyed, a permission may
        be used, a backdoor should fire.
        """
        return Verdict.NO if self.kind == "disclaimer" else Verdict.YES


@dataclass(frozen=True, slots=True)
class Setting:
    """A behaviour whose rows are trained under a caveat."""

    behaviour: Behaviour
    caveat: Caveat

    @property
    def name(self) -> str:
        """`behaviour x caveat`, as in recipes and tables."""
        return f"{self.behaviour.name} x {self.caveat.name}"

    @property
    def phenomenon(self) -> str:
        """The phenomenon that the caveat's kind usually stands for."""
        return self.caveat.phenomenon
