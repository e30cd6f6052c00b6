"""How long a view will take, said before it starts, and how much of it is left while it runs.

Tokens are counted from the texts that the view will read; seconds follow from the rates that
earlier runs of the model measured on this machine (see `study.estimate.rates`), until the view has
measured its own. Numbers of replies' tokens are upper bounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from caveat.backends.base import Backend
from caveat.decision_tokens import scored_text
from caveat.diagnostics.gradients import caveated_replays, gradient_sums
from caveat.diagnostics.logits import Scores
from caveat.diagnostics.patched_replies import patched_tasks, sampled_prompts
from caveat.diagnostics.patching import requests_of, spans
from caveat.diagnostics.probes import probed_rows
from caveat.diagnostics.rates import CONTEXTS, prompts_of, tasks_of
from caveat.diagnostics.scales import FACTORS
from caveat.diagnostics.subjects import BARE, EXACT, NONE, DiagnosedSetting, TrainedModel
from caveat.diagnostics.swaps import pairs_of
from caveat.diagnostics.switches import parts_of
from caveat.diagnostics.training import Replay, checkpoint_steps, replays, shared_key
from caveat.errors import CaveatError
from caveat.progress import Kind, Progress, duration
from caveat.rendering import render_prompt, render_row
from caveat.study.estimate.rates import Rates, entry_of, expected_rates, remember
from caveat.study.execution.meter import REPLY_SHARE, SHORTEST

if TYPE_CHECKING:
    from pandas import DataFrame

Tokens = dict[Kind, float]
SIDES = 5
"""Rows with the caveat and without, with neutral text, and both of these with new wordings."""


def _of_updates(setting: DiagnosedSetting) -> Tokens:
    return {}


def _of_logits(setting: DiagnosedSetting) -> Tokens:
    scores = Scores(setting)
    contexts = setting.resolved.contexts
    list(scores.lines(setting.chains(), contexts))
    return {"score": scores.tokens + _prompt_tokens(setting, contexts)}


def _of_activations(setting: DiagnosedSetting) -> Tokens:
    contexts = [name for name in (NONE, EXACT) if name in setting.resolved.contexts]
    return {"score": (1 + len(setting.models)) * _prompt_tokens(setting, contexts)}


def _of_caveat(setting: DiagnosedSetting) -> Tokens:
    tokenizer = setting.backend.tokenizer
    rows = sum(scored_text(tokenizer, row.messages).read for row in probed_rows(setting))
    caveat = len(tokenizer(" ".join(setting.resolved.setting.caveat.wordings[:1]))["input_ids"])
    longer = rows + caveat * len(probed_rows(setting))
    return {"score": (1 + len(setting.caveated)) * SIDES * longer}


def _of_switches(setting: DiagnosedSetting) -> Tokens:
    adapters = [model.own for model in setting.caveated]
    return _reply_tokens(setting, len(parts_of(setting.backend, adapters, setting.limits.parts)))


def _of_swaps(setting: DiagnosedSetting) -> Tokens:
    adapters = [model.own for model in setting.caveated]
    parts = len(parts_of(setting.backend, adapters, setting.limits.parts))
    return _tokens_of(setting, parts, [receiver for receiver, _ in pairs_of(setting)])


def _of_scales(setting: DiagnosedSetting) -> Tokens:
    return _reply_tokens(setting, len(FACTORS))


def _of_ablation(setting: DiagnosedSetting) -> Tokens:
    bare = 1 + len(setting.of(BARE))
    reading = bare * _prompt_tokens(setting, [NONE])
    return {"score": reading, **_reply_tokens(setting, 2)}


def _of_training(setting: DiagnosedSetting) -> Tokens:
    train = score = 0.0
    contexts = tuple(name for name in (NONE, EXACT) if name in setting.resolved.contexts)
    for seed in dict.fromkeys(model.seed for model in setting.models):
        for replay in replays(setting, seed):
            if shared_key(setting, replay) not in setting.shared:
                train += _training_tokens(setting, replay)
            scores = Scores(setting)
            list(scores.lines([("", seed, (f"{replay.arm} to come",))], contexts))
            score += len(checkpoint_steps(replay.steps)) * scores.tokens
    return {"train": train, "score": score}


def _of_gradients(setting: DiagnosedSetting) -> Tokens:
    train = 0.0
    for seed in dict.fromkeys(model.seed for model in setting.models):
        for replay in caveated_replays(setting, seed):
            sums = gradient_sums(setting, replay.job.stage)
            read = sum(len(one.ids) for some in sums for one in some)
            steps = len(checkpoint_steps(replay.steps))
            train += _training_tokens(setting, replay) + steps * read
    return {"train": train}


def _training_tokens(setting: DiagnosedSetting, replay: Replay) -> float:
    stage, tokenizer = replay.job.stage, setting.backend.tokenizer
    rows = (*stage.rows, *stage.added, *stage.kl_rows)
    rendered = [render_row(tokenizer, row, stage.loss, stage.dose.max_tokens) for row in rows]
    return float(sum(len(row.ids) for row in rendered) * stage.dose.epochs)


def _of_patching(setting: DiagnosedSetting) -> Tokens:
    requests = requests_of(setting, setting.caveated[0], list(spans(setting)))
    read = sum(max(request.targets) + 1 for request in requests)
    return {"score": len(setting.caveated) * 2.0 * read}


def _of_replies(setting: DiagnosedSetting) -> Tokens:
    prompts = [one.task.prompt for one in patched_tasks(setting, sampled_prompts(setting))]
    tokenizer = setting.backend.tokenizer
    lengths = {
        prompt.messages: len(render_prompt(tokenizer, prompt.messages).ids) for prompt in prompts
    }
    read = 2.0 * sum(lengths[prompt.messages] for prompt in prompts)
    replies = len(prompts) * setting.resolved.sampling.max_tokens * REPLY_SHARE
    return {"score": read, "reply": replies}


COSTS: dict[str, Callable[[DiagnosedSetting], Tokens]] = {
    "updates": _of_updates,
    "logits": _of_logits,
    "activations": _of_activations,
    "caveat": _of_caveat,
    "training": _of_training,
    "gradients": _of_gradients,
    "patching": _of_patching,
    "replies": _of_replies,
    "switches": _of_switches,
    "swaps": _of_swaps,
    "scales": _of_scales,
    "ablation": _of_ablation,
}
"""By view; views of one's own have none."""


def _prompt_tokens(setting: DiagnosedSetting, contexts: Sequence[str]) -> float:
    prompts = setting.prompts(contexts)
    tokenizer = setting.backend.tokenizer
    return sum(
        len(render_prompt(tokenizer, one.messages).ids) for some in prompts.values() for one in some
    )


def _reply_tokens(setting: DiagnosedSetting, parts: int) -> Tokens:
    """Of replies of every model with the caveat, and of bare, without each of some parts."""
    return _tokens_of(setting, parts, setting.caveated)


def _tokens_of(setting: DiagnosedSetting, parts: int, receivers: Sequence[TrainedModel]) -> Tokens:
    prompts = prompts_of(setting)
    tasks = [
        task for one in receivers for task in tasks_of(setting, one, "", one.adapters, prompts)
    ]
    sampled = sum(1 for task in tasks if not task.prompt.question.options)
    models = parts * len(receivers)
    replies = parts * sampled * setting.resolved.sampling.max_tokens * REPLY_SHARE
    share = 1 - sampled / len(tasks) if tasks else 0.0
    contexts = [name for name in CONTEXTS if name in prompts]
    return {"reply": replies, "score": share * models * _prompt_tokens(setting, contexts)}


@dataclass
class ViewMeter(Progress):
    """Forwards progress, and adds the share of a view that is done and the time left."""

    progress: Progress
    rates: Rates | None = None
    _expected: Tokens = field(default_factory=dict)
    _done: Tokens = field(default_factory=dict)
    _begun: float = 0.0
    measured: dict[Kind, tuple[float, float]] = field(default_factory=dict)
    """Tokens and seconds of views that did one kind of work alone."""

    def begin(self, label: str, name: str, setting: DiagnosedSetting) -> None:
        """A view starts: say how much it has to do, and how long that takes."""
        self.progress.stage(f"{label}: {name}")
        self._done, self._begun = {}, time.monotonic()
        try:
            self._expected = COSTS[name](setting) if name in COSTS else {}
        except CaveatError:  # the view will say it
            self._expected = {}
        if self.rates is None:
            self.rates = expected_rates(entry_of(setting.backend), self.progress.say)
        if any(self._expected.values()):
            work = " and ".join(
                f"{tokens:,.0f} tokens {WORK[kind]}"
                for kind, tokens in self._expected.items()
                if tokens
            )
            seconds = self.rates.seconds(self._expected)
            self.progress.say(f"{label}: {name}: {work}, about {duration(seconds)} of this machine")

    def end(self) -> None:
        """The view has ended; of one kind of work, its rate is measured."""
        kinds = [kind for kind, tokens in self._done.items() if tokens]
        if len(kinds) == 1:
            before = self.measured.get(kinds[0], (0.0, 0.0))
            took = time.monotonic() - self._begun
            self.measured[kinds[0]] = (before[0] + self._done[kinds[0]], before[1] + took)

    def advance(self, kind: Kind, tokens: int) -> None:
        """Part of the view is done."""
        self.progress.advance(kind, tokens)
        self._done[kind] = self._done.get(kind, 0.0) + tokens
        if self.rates is None or not any(self._expected.values()):
            return
        whole = self.rates.seconds(self._expected)
        done = min(self.rates.seconds(self._done), whole)
        elapsed = time.monotonic() - self._begun
        pace = elapsed / done if done and elapsed >= SHORTEST else 1.0
        self.progress.left(done / whole, (whole - done) * pace)

    def stage(self, label: str) -> None:
        """Forward it."""
        self.progress.stage(label)

    def say(self, message: str) -> None:
        """Forward it."""
        self.progress.say(message)

    def left(self, share: float, seconds: float) -> None:
        """Forward it."""
        self.progress.left(share, seconds)

    def table(self, setting: str, frame: DataFrame) -> None:
        """Forward it."""
        self.progress.table(setting, frame)

    def remember(self, backend: Backend) -> None:
        """Keep the measured rates for later runs."""
        remember(entry_of(backend), self.measured, self.progress.say)


WORK: Mapping[Kind, str] = {
    "score": "to read", "train": "of training and gradients", "reply": "of replies at most",
    "rl": "of RL",
}  # fmt: skip
