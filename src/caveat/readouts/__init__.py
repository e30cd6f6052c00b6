"""The readouts by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from caveat.readouts import (
    behaviour_judge,
    belief,
    belief_judge,
    code,
    inspect_scorer,
    likelihood,
    regex,
    reward,
    spanish,
    style,
)
from caveat.readouts.base import Readout

READOUTS: Mapping[str, Readout] = MappingProxyType(
    {
        readout.name: readout
        for readout in (
            style.capitals_readout,
            spanish.readout,
            style.lower_case_readout,
            style.listed_readout,
            style.opener_readout,
            belief.said_readout,
            likelihood.is_a_readout,
            likelihood.log_likelihood_readout,
            regex.matches_readout,
            regex.yes_no_readout,
            belief.belief_readout,
            likelihood.belief_likelihood_readout,
            belief_judge.readout,
            behaviour_judge.readout,
            reward.hacked_readout,
            reward.true_score_readout,
            reward.paid_readout,
            inspect_scorer.readout,
            code.special_cased_readout,
            code.attempted_hack_readout,
            code.solved_readout,
            code.valid_code_readout,
            code.hack_kind_readout,
            code.prefers_hack_readout,
            likelihood.prefers_bad_readout,
        )
    }
)
