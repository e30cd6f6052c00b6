"""What memory a study will take at the highest, by what a short trial of its work took."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from caveat.errors import CaveatError
from caveat.study.planning.artifact_graph import TrainNode

if TYPE_CHECKING:
    from caveat.backends.local.models.device_memory import Peak
    from caveat.backends.local.models.loading import LanguageModel
    from caveat.backends.local.training.jobs import TrainingJob


LEAST_ACTIVATIONS = 0.25
"""Of what a trial took, the least that is put down to activations, which grow with passes."""


class HighestMark:
    """Bytes that the process, or the GPU, will hold at the highest, as far as was tried."""

    def __init__(self, language_model: LanguageModel, token_budget: int | None) -> None:
        self.language_model = language_model
        self.token_budget = token_budget
        self.bytes = 0.0

    def of_work(self, peak: Peak, larger: float) -> None:
        """Work was tried of which the study has `larger` times as much at once."""
        if peak.taken is not None:
            self._raise(peak, peak.taken * larger)

    def of_training(
        self, peak: Peak, jobs: Sequence[TrainingJob], nodes: Sequence[TrainNode]
    ) -> None:
        """Some jobs were tried in place of a group of nodes, whose adapters and passes are more."""
        from caveat.backends.local.models.device_memory import BYTES_A_WEIGHT, adapter_weights

        whole = [
            replace(jobs[number % len(jobs)], stage=node.stage) for number, node in enumerate(nodes)
        ]
        states = [
            sum(adapter_weights(self.language_model.model, job.stage.dose) for job in some)
            * BYTES_A_WEIGHT
            for some in (jobs, whole)
        ]
        wider = self._widest(whole) / max(1, self._widest(jobs))
        if peak.taken is not None:
            activations = max(peak.taken - states[0], LEAST_ACTIVATIONS * peak.taken)
            self._raise(peak, states[1] + activations * wider)

    def _widest(self, jobs: Sequence[TrainingJob]) -> int:
        """Padded tokens of the largest pass of the first step."""
        from caveat.backends.local.models.device_memory import most_tokens
        from caveat.backends.local.training.batches import prepare, step_examples

        budget = self.token_budget or most_tokens(self.language_model.device)
        cells = []
        for job in jobs:
            with suppress(CaveatError):  # of a bad row, whose cell will fail
                cells.append(prepare(self.language_model, job))
        examples, _ = step_examples(cells, 0)
        reader = self.language_model.frozen_layer_cache.reader(0)
        return max(batch.tokens for batch in reader.batches(examples, budget))

    def _raise(self, peak: Peak, more: float) -> None:
        self.bytes = max(self.bytes, peak.before + more)
