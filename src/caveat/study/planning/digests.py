"""Digests: SHA-256 of everything that an artifact, answer or verdict is made from.

Equal digests mean equal content up to float error, so nothing is made twice. The version of the
algorithm enters every digest; tests pin digests.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from caveat.decision_tokens import MOST_TOKENS, shown
from caveat.types.answers import Sampling
from caveat.types.data import Question, Row
from caveat.types.fields import without_late_defaults
from caveat.types.messages import Messages, joined
from caveat.types.training import Dose, GRPOConfig, Randomise, Sample, Scale, Train

IDENTITY_VERSION = 2
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types that JSON has: most values, so they are looked for first."""


class Canonical(str):
    """Canonical JSON of a part of some content, written beforehand: many contents share rows."""


def digest_of(kind: str, **content: Any) -> str:
    """SHA-256, in 64 hexadecimal digits, of the canonical JSON of some content."""
    text = _joined({"kind": kind, "identity_version": IDENTITY_VERSION, **content})
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _joined(content: Mapping[str, Any]) -> Canonical:
    """`canonical` of a mapping whose values may be canonical already."""
    parts = (
        f'"{name}":{value if type(value) is Canonical else canonical(value)}'
        for name, value in sorted(content.items())
    )
    return Canonical("{" + ",".join(parts) + "}")


class Keys:
    """`digest_of(kind, **content)` of contents that differ in a few texts or numbers only.

    What they share is written once: most of a plan's keys are those of the same prompts in many
    cells.

    Args:
        varying: The names that differ, in alphabetical order.
        content: What is shared.
    """

    def __init__(self, kind: str, varying: Sequence[str], **content: Any) -> None:
        shared = {"kind": kind, "identity_version": IDENTITY_VERSION, **content}
        parts, text = [], "{"
        for index, name in enumerate(sorted([*shared, *varying])):
            text += f'{"," if index else ""}"{name}":'
            if name in shared:
                value = shared[name]
                text += value if type(value) is Canonical else canonical(value)
            else:
                parts.append(text)
                text = ""
        self._parts, self._end = tuple(parts), text + "}"

    def digest(self, *values: str | int | None) -> str:
        """That of the content with these values, in the order of their names."""
        pairs = zip(self._parts, values, strict=True)
        text = "".join([part + canonical(value) for part, value in pairs]) + self._end
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


class RowsDigest:
    """`digest_of(kind, **content, rows=rows)` of rows that come one by one.

    Args:
        content: Names that sort before `rows`.
    """

    def __init__(self, kind: str, **content: Any) -> None:
        head = _joined({"kind": kind, "identity_version": IDENTITY_VERSION, **content})
        assert max(content, default="") < "rows"
        self._hash = hashlib.sha256(f'{head[:-1]},"rows":['.encode())
        self._separator = b""

    def add(self, row: Canonical) -> None:
        """The next row."""
        self._hash.update(self._separator + row.encode("utf-8"))
        self._separator = b","

    def hexdigest(self) -> str:
        """Of the rows so far."""
        whole = self._hash.copy()
        whole.update(b"]}")
        return whole.hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys, no whitespace; dataclasses become mappings with their class name."""
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is int:
        return int.__repr__(value)
    return _ENCODER.encode(_plain(value))


def training_digest(
    model: str,
    stage: Train,
    seed: int,
    base_adapters: tuple[str, ...],
    sampled: tuple[str, ...],
    resume_from: str | None = None,
) -> str:
    """Digest of a trained adapter. The stage's `label` is for people and does not enter.

    An RL task enters by its version, not by its path. Fields that were added later are left out
    where they have their default, so that older digests stay.
    """
    content = _fields(stage)
    del content["label"], content["seed"]
    dose = without_late_defaults(Dose, _fields(stage.dose))
    content["dose"] = {"record": Dose.__name__, **dose}
    if stage.rl is None:
        del content["rl"]
    else:
        rl = without_late_defaults(GRPOConfig, _fields(stage.rl))
        del rl["task"]
        # digests have always held which score is the reward, by its name in `Grade`
        reward = "reward" if stage.rl.reward == "proxy" else stage.rl.reward
        content["rl"] = {**rl, "reward": reward, "resume_from": resume_from}
    if stage.kl_rows:
        content["kl_rows"] = _rows(stage.kl_rows)
    else:
        del content["kl_rows"], content["kl_weight"]
    content["rows"] = _rows(stage.rows)
    content["added"] = _rows(stage.added)
    return digest_of(
        "train",
        model=model,
        stage=_joined(content),
        seed=seed,
        base_adapters=base_adapters,
        sampled=sampled,
    )


def derived_digest(stage: Randomise | Scale, trained: str, seed: int) -> str:
    """Digest of an adapter that is computed from a trained one."""
    if isinstance(stage, Scale):
        return digest_of("scaled", trained=trained, by=stage.by)
    return digest_of("random", trained=trained, seed=seed)


def remote_digest(model: str, model_id: str) -> str:
    """Digest of a model that was trained elsewhere: what its service is, and its id there."""
    return digest_of("remote", model=model, id=model_id)


def sample_digest(model: str, stage: Sample, seed: int, chain: tuple[str, ...]) -> str:
    """Digest of the rows that a `Sample` stage makes."""
    content = _fields(stage)
    content["prompts"] = _array(map(_messages, stage.prompts))
    if stage.into == "added":
        del content["into"]
    if stage.hacking is None:
        del content["hacking"]
    else:
        content["hacking"] = stage.hacking.version
    return digest_of("sample", model=model, stage=_joined(content), seed=seed, chain=chain)


@lru_cache(maxsize=4096)
def chain_digest(model: str, chain: tuple[str, ...]) -> str:
    """Digest of a model: the base model and its adapters, in order."""
    return digest_of("chain", model=model, chain=chain)


def answer_key(
    chain: str, messages: Messages, question: Question, sampling: Sampling, sample: int
) -> str:
    """Key of one reply, or of the likelihoods of one question, which no sampling setting enters."""
    return answer_keys(messages, question, sampling).digest(chain, sample)


def answer_keys(messages: Messages, question: Question, sampling: Sampling) -> Keys:
    """The keys of one prompt's answers, by chain and sample."""
    sampled = None if question.options else (sampling.max_tokens, sampling.temperature)
    return Keys(
        "answer",
        ("chain", "sample"),
        messages=_messages(messages),
        options=question.options,
        sampling=sampled,
        question=question.id,
    )


def token_scores_key(chain: str, messages: Messages) -> str:
    """Key of the log-likelihoods of what a row shows, token by token."""
    return token_scores_keys(messages).digest(chain)


def token_scores_keys(messages: Messages) -> Keys:
    """The keys of one row's token scores, by chain."""
    return Keys(
        "token scores",
        ("chain",),
        messages=_messages(joined(messages)),
        shown=shown(messages),
        tokens=MOST_TOKENS,
    )


def verdict_key(
    answer: str,
    base_answer: str | None,
    question: Question,
    version: int,
    judge: Mapping[str, Any] | None = None,
) -> str:
    """Key of one verdict: answer, readout, and the facts that the readout gets.

    The judge enters where the readout needs one; its prompt depends on the rest.
    """
    return verdict_keys(question, version, judge).digest(answer, base_answer)


def verdict_keys(question: Question, version: int, judge: Mapping[str, Any] | None = None) -> Keys:
    """The keys of one question's verdicts, by answer and base answer."""
    judged_by = {} if judge is None else {"judge": judge}
    return Keys(
        "verdict",
        ("answer", "base_answer"),
        readout=question.readout,
        version=version,
        facts=question.facts,
        **judged_by,
    )


def judge_reply_key(judge: Mapping[str, Any], messages: Messages) -> str:
    """Key of one judge reply: the judge's model and sampling, and its prompt."""
    return digest_of("judge reply", judge=judge, messages=_messages(messages))


def _rows(rows: Sequence[Row]) -> Canonical:
    return _array(map(_row, rows))


def _array(parts: Iterable[Canonical]) -> Canonical:
    return Canonical("[" + ",".join(parts) + "]")


@lru_cache(maxsize=16_384)
def _row(row: Row) -> Canonical:
    """A row, with neighbouring pieces of one kind joined: where text is cut changes no training."""
    return _joined(
        {"id": row.id, "source": row.source, "messages": _messages(joined(row.messages))}
    )


@lru_cache(maxsize=16_384)
def _messages(messages: Messages) -> Canonical:
    content = [[m.role, [[piece.kind, piece.text] for piece in m.pieces]] for m in messages]
    return Canonical(_ENCODER.encode(content))


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list | tuple):
        return [item if type(item) in _PLAIN else _plain(item) for item in value]
    if type(value) is not dict:
        if isinstance(value, Enum):
            return value.value
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {"record": type(value).__name__, **_fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
