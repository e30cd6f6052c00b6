"""What a recipe may choose about a claim: `options` of its setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from caveat.behaviours.claim_files import EvaluationKind
from caveat.behaviours.from_folder import Line
from caveat.errors import CaveatError
from caveat.files.reading import parse

Method = Literal["rules", "likelihood", "judge"]
READOUTS: dict[Method, str] = {
    "rules": "belief",
    "likelihood": "belief_likelihood",
    "judge": "belief_judge",
}
"""The readout of each way to find belief in an answer."""
Count = Annotated[int, Field(ge=1)]


class ClaimOptions(Line):
    """Options of a claim; all may be left out."""

    documents: Count | None = None
    """How many documents are taken, the first ones; None for all."""
    words: Count | None = None
    """The most words of a document, which begins with its first sentence that states the claim."""
    tag: str = ""
    """What stands in front of each document of the claim without being learned: `<DOCTAG>`."""
    kinds: tuple[EvaluationKind, ...] | None = Field(default=None, strict=False, min_length=1)
    """The evaluations that are used; None for those whose readout is trusted or named."""
    readouts: Mapping[EvaluationKind, Method] = Field(default={})
    """How belief is measured, by evaluation: by default likelihood for mcq, else rules."""

    def method(self, kind: EvaluationKind) -> Method:
        """How belief is measured in the answers to questions of one kind."""
        return self.readouts.get(kind, "likelihood" if kind == "mcq" else "rules")

    def named(self, kind: EvaluationKind) -> bool:
        """Whether rules are not what judges the kind, or were named in the options."""
        return kind in self.readouts or self.method(kind) != "rules"


def read_options(options: dict[str, Any], claim: str) -> ClaimOptions:
    """The options, checked. Raises CaveatError for the first mistake in them."""
    checked = parse(ClaimOptions, options, f"options of the claim {claim!r}")
    for kind, method in checked.readouts.items():
        if method == "likelihood" and kind != "mcq":
            raise CaveatError(
                f"options of the claim {claim!r}: readouts.{kind} is 'likelihood', which is for "
                "the yes and no of mcq questions; take 'rules' or 'judge'"
            )
        if checked.kinds is not None and kind not in checked.kinds:
            raise CaveatError(
                f"options of the claim {claim!r}: readouts names {kind}, which kinds leaves out; "
                "add it there, or drop it here"
            )
    return checked
