"""Group jobs: training, RL training, sampling, derived adapters, answers.

Jobs can be pickled: they name artifacts by digest and find everything else in the study's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from caveat.backends.jobs import AdapterRef, Failed, RLJob, Trained, TrainedPolicy
from caveat.backends.requests import Request, TokenRequest, partly
from caveat.decision_tokens import scored_text
from caveat.errors import CaveatError
from caveat.progress import Kind
from caveat.provenance import stamp
from caveat.sentences import sentences
from caveat.study.execution.context import NodeGroup, Outcome, WorkerContext, halved
from caveat.study.planning.artifact_graph import (
    DerivedNode,
    RemoteNode,
    SampleNode,
    TrainNode,
)
from caveat.study.planning.study_plan import AnswerRequest
from caveat.study.storage.records import row_record
from caveat.types.answers import Answer
from caveat.types.data import Row
from caveat.types.messages import Message, Messages, Piece, is_document, without_caveat
from caveat.types.rewards import Graded, RewardTask
from caveat.types.training import Scale


class RLGroup(NodeGroup[TrainNode]):
    """Policies to train in lockstep."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        return "rl"

    def run(self, worker_context: WorkerContext) -> Outcome:
        """Train with RL, and publish all policies of the group together."""
        from caveat.environments.grader import grades

        jobs = [
            RLJob(**vars(worker_context.job(node)), resume_from=_before(node, worker_context))
            for node in self.nodes
        ]
        return worker_context.train(
            self.nodes,
            jobs,
            lambda on_step: worker_context.backend.train_rl(jobs, grades, on_step),
            _record,
        )


def _before(node: TrainNode, worker_context: WorkerContext) -> AdapterRef | None:
    """The policy from which a node resumes, if it does."""
    return worker_context.store.artifact(node.resume_from) if node.resume_from else None


def _record(node: TrainNode, policy: TrainedPolicy[AdapterRef]) -> dict[str, Any]:
    stage = node.stage
    assert stage.rl is not None
    rl = asdict(stage.rl)
    return {
        "kind": "policy",
        "label": stage.label,
        "dose": asdict(stage.dose),
        "rl": {**rl, "task": Path(rl["task"]).name},
        "rows": len(stage.rows),
        "added": len(stage.added),
        "seed": node.seed,
        "base_adapters": node.base_adapters,
        "sampled": node.sampled,
        "resume_from": node.resume_from,
        "updates": [asdict(update) for update in policy.updates],
        "tokens": policy.tokens,
        **stamp(),
    }


class TrainGroup(NodeGroup[TrainNode]):
    """Adapters to train in lockstep."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        return "train"

    def run(self, worker_context: WorkerContext) -> Outcome:
        """Train, and publish all adapters of the group together."""
        jobs = [worker_context.job(node) for node in self.nodes]
        return worker_context.train(
            self.nodes,
            jobs,
            lambda on_step: worker_context.backend.train(jobs, on_step),
            _training_record,
        )


class SampleGroup(NodeGroup[SampleNode]):
    """Rows to make from replies of models as they stand in the middle of a plan."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        return "reply"

    def run(self, worker_context: WorkerContext) -> Outcome:
        """Sample the replies and publish them as rows."""
        for node in self.nodes:
            rows = _sampled_rows(node, worker_context)
            record = {
                "kind": "rows",
                "seed": node.seed,
                "chain": node.chain,
                "rows": len(rows),
                "into": node.stage.into,
                **stamp(),
            }
            worker_context.store.put([(node.digest, _saving_rows(rows), record)])
        return Outcome()


class DerivedGroup(NodeGroup[DerivedNode]):
    """Adapters to make from trained ones."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        return "train"

    def run(self, worker_context: WorkerContext) -> Outcome:
        """Make the adapters and publish them."""
        for node in self.nodes:
            trained = worker_context.store.artifact(node.trained)
            if isinstance(node.stage, Scale):
                adapter = worker_context.backend.scale(trained, node.stage.by)
                record = {"kind": "scaled adapter", "trained": node.trained, "by": node.stage.by}
            else:
                adapter = worker_context.backend.randomise(trained, node.seed)
                record = {"kind": "random adapter", "trained": node.trained, "seed": node.seed}
            worker_context.publish([(node.digest, adapter, {**record, **stamp()})])
        return Outcome()


class RemoteGroup(NodeGroup[RemoteNode]):
    """Models that were trained elsewhere, to note down."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as; it has no tokens."""
        return "train"

    def run(self, worker_context: WorkerContext) -> Outcome:
        """Publish the ids."""
        about = {"kind": "remote model", **stamp()}
        worker_context.publish(
            (node.digest, node.model_id, {**about, "model": node.model_id}) for node in self.nodes
        )
        return Outcome()


@dataclass(frozen=True)
class AnswerGroup:
    """Answers to get in one pass: all of them replies, likelihoods, or scores token by token."""

    requests: tuple[AnswerRequest, ...]

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        first = self.requests[0]
        return "score" if first.options or first.by_token else "reply"

    @property
    def keys(self) -> tuple[str, ...]:
        """What it makes."""
        return tuple(request.key for request in self.requests)

    def split(self) -> tuple[AnswerGroup, ...]:
        """The group as two, or nothing where it is one answer only."""
        return tuple(AnswerGroup(part) for part in halved(self.requests))

    def run(self, worker_context: WorkerContext) -> Outcome:
        """Answer, and publish all answers of the group as one chunk."""
        if self.requests[0].by_token:
            return _score_tokens(self.requests, worker_context)
        requests = [
            Request(
                request.key,
                worker_context.adapters(request.chain),
                request.messages,
                request.options,
            )
            for request in self.requests
        ]
        first, backend = self.requests[0], worker_context.backend
        results = partly(
            lambda: (
                backend.log_likelihoods(requests)
                if first.options
                else backend.generate(requests, first.sampling)
            )
        )
        timestamp = stamp()
        worker_context.store.answers.add(
            {
                "key": request.key,
                "prompt": worker_context.backend.prompt_text(request.messages),
                "options": request.options,
                "text": answer.text,
                "truncated": answer.truncated,
                "tokens": answer.tokens,
                "log_likelihoods": answer.log_likelihoods,
                "option_tokens": answer.option_tokens,
                **timestamp,
            }
            for request, answer in zip(self.requests, results, strict=True)
            if isinstance(answer, Answer)
        )
        return _outcome(results)


def _score_tokens(requests: Sequence[AnswerRequest], worker_context: WorkerContext) -> Outcome:
    """Score rows token by token, and publish what the store keeps of them as one chunk."""
    texts = [
        scored_text(worker_context.backend.tokenizer, request.messages) for request in requests
    ]
    scored = [
        TokenRequest(request.key, worker_context.adapters(request.chain), text.ids, text.targets)
        for request, text in zip(requests, texts, strict=True)
    ]
    results = partly(lambda: worker_context.backend.token_log_likelihoods(scored))
    timestamp = stamp()
    worker_context.store.answers.add(
        {
            "key": request.key,
            "characters": text.characters,
            "log_likelihoods": values,
            **timestamp,
        }
        for request, text, values in zip(requests, texts, results, strict=True)
        if not isinstance(values, Failed)
    )
    return _outcome(results)


def _outcome(results: Sequence[Any]) -> Outcome:
    """With the requests that have no answer."""
    return Outcome(
        tuple((result.key, result.reason) for result in results if isinstance(result, Failed))
    )


Task = TrainGroup | RLGroup | SampleGroup | DerivedGroup | RemoteGroup | AnswerGroup


def _sampled_rows(node: SampleNode, worker_context: WorkerContext) -> list[Row]:
    stage = node.stage
    prompts = [(i, n) for i in range(len(stage.prompts)) for n in range(stage.sampling.samples)]
    chain = worker_context.adapters(node.chain)
    requests = [Request(f"{node.digest} {i} {n}", chain, stage.prompts[i]) for i, n in prompts]
    answers = worker_context.backend.generate(requests, stage.sampling)
    replies = [(i, n, _whole(given)) for (i, n), given in zip(prompts, answers, strict=True)]
    return [
        Row(f"{stage.source}-{i:04}-{n}", stage.source, _replied(stage.prompts[i], reply))
        for i, n, reply in replies
        if stage.hacking is None or _hacks(stage.hacking, stage.prompts[i], reply)
    ]


def _hacks(task: RewardTask, prompt: Messages, reply: str) -> bool:
    """Whether the reply hacks the task. Raises CaveatError where the task gives no grade."""
    from caveat.environments.grader import grades

    prompt_text = without_caveat(prompt)[-1].text.strip()
    (grade,) = grades([Graded(task.place, task.version, prompt_text, reply)])
    if isinstance(grade, str):
        raise CaveatError(f"task {task.name}: {grade}")
    return grade.hacked


def _whole(answer: Answer) -> str:
    """The reply; one that was cut off loses its last sentence, where it has others."""
    parts = sentences(answer.text)
    return "".join(parts[:-1]).rstrip() if answer.truncated and len(parts) > 1 else answer.text


def _replied(prompt: Messages, reply: str) -> Messages:
    """The prompt with the reply as what comes next."""
    if is_document(prompt):
        return (Message("document", (*prompt[0].pieces, Piece(reply))),)
    return (*prompt, Message.of("assistant", reply))


def _saving_rows(rows: list[Row]) -> Any:
    import json

    text = "".join(json.dumps(row_record(row)) + "\n" for row in rows)
    return lambda folder: (folder / "rows.jsonl").write_text(text, "utf-8")


def _training_record(node: TrainNode, trained: Trained[AdapterRef]) -> dict[str, Any]:
    return {
        "kind": "adapter",
        "label": node.stage.label,
        "dose": asdict(node.stage.dose),
        "loss": node.stage.loss,
        "objective": node.stage.objective,
        "rows": len(node.stage.rows),
        "added": len(node.stage.added),
        "kl_rows": len(node.stage.kl_rows),
        "seed": node.seed,
        "base_adapters": node.base_adapters,
        "sampled": node.sampled,
        "losses": trained.losses,
        "tokens": trained.tokens,
        "loss_share": trained.loss_share,
        **stamp(),
    }
