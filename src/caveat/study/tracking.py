"""Experiment trackers: training curves as runs of trackio or Weights & Biases.

The curves are read from the study's metrics files (`study.metrics`), by the user's own process: no
worker of a cluster needs the package, a key or a network, and steps that an earlier run of the
study wrote are sent as well. Each is sent once:

    tracked-SERVICE.jsonl          how far each curve was sent; deleting it sends all anew

Trackers are outside identity. One that fails is left out, and training goes on.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import Context
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from caveat.backends.callbacks import Callback, StepEvent
from caveat.errors import CaveatError, closest
from caveat.files.atomic import Unwritable, write_errors
from caveat.files.reading import parse_json
from caveat.study.metrics import metrics_path
from caveat.study.planning.artifact_graph import Cell, TrainNode
from caveat.study.planning.study_plan import SettingPlan, StudyPlan
from caveat.study.storage.store import Store

LABEL = 6
"""Digits of a curve's digest in its name, which tell it from one of an earlier recipe."""


@dataclass(eq=False)
class Curve:
    """All trainings of a cell, one after the other, as one run of a tracker."""

    name: str
    group: str
    """The setting."""
    config: dict[str, Any]
    digests: tuple[str, ...]
    """Of its trainings, in order."""
    key: str
    """Equal for equal trainings of a cell of one name."""
    sent: dict[str, int] = field(default_factory=dict)
    """Per training, the last step that was sent."""
    points: int = 0
    """Steps that were sent, of all trainings."""
    run: Any = None
    """The tracker's run, while it is open."""


class Tracking(Callback):
    """Sends curves to a tracker: step by step in this process, else when a training is over."""

    def __init__(
        self, service: str, store: Store, project: str, say: Callable[[str], None]
    ) -> None:
        """Raises CaveatError for an unknown tracker, and one that is not installed."""
        if service not in STARTS:
            raise CaveatError(
                f"track {service!r}: no tracker of that name; use {' or '.join(STARTS)}"
                f"{closest(service, STARTS)}"
            )
        try:
            self.module = import_module(service)
            self.module.init  # noqa: B018  (a folder of that name is a module without it)
        except (ImportError, AttributeError):
            raise CaveatError(
                f"track {service!r}: {service} is not installed; install it with: "
                "pip install 'caveat[track]'"
            ) from None
        self.service, self.store, self.say = service, store, say
        self.project = re.sub(r"[^\w.-]+", "-", project)[:128]
        self.curves: dict[str, list[Curve]] = {}
        """By the digest of a training, the curves that it is part of."""
        self.read: dict[str, int] = {}
        """Bytes of the metrics file of each training that were read."""

    def begin(self, plan: StudyPlan) -> None:
        """Take the cells of a plan up, and send what earlier runs of the study left to be sent.

        Raises CaveatError where the tracker cannot start a run, before anything is trained.
        """
        curves = [
            _curve(plan, setting, cell)
            for setting in plan.settings
            for cell in setting.cells
            if any(isinstance(node, TrainNode) for node in cell.nodes)
        ]
        records = {curve.key: curve for curve in curves}
        for record in self._records():
            if (curve := records.get(record["curve"])) is not None:
                curve.sent[record["training"]] = record["step"]
                curve.points = record["points"]
        for curve in curves:
            for digest in curve.digests:
                self.curves.setdefault(digest, []).append(curve)
        if curves:
            try:
                self._open(curves[0])
            except Exception as error:
                raise CaveatError(
                    f"track {self.service!r}: no run could be started ({_one_line(error)}); "
                    f"{ADVICE[self.service]}"
                ) from None
        self.catch_up(list(self.curves))

    def catch_up(self, digests: Iterable[str]) -> None:
        """Send the new steps of trainings; of other digests there is nothing to send."""
        with self._left_out_where_it_fails():
            for digest in digests:
                if curves := self.curves.get(digest):
                    steps = list(self._new_steps(digest))
                    for curve in curves:
                        self._send(curve, digest, steps)

    def on_step_end(self, event: StepEvent) -> None:
        """Send the step, which the callback before this one has written."""
        self.catch_up([event.job])

    def close(self) -> None:
        """End all runs."""
        with self._left_out_where_it_fails():
            for curves in self.curves.values():
                for curve in curves:
                    self._end(curve)

    def _send(self, curve: Curve, digest: str, steps: list[dict[str, Any]]) -> None:
        last = curve.sent.get(digest, 0)
        new = [step for step in steps if step["step"] > last]
        if not new:
            return
        self._open(curve)
        for step in new:
            curve.points += 1
            values = {
                f"train/{name}": value
                for name, value in step.items()
                if name not in ("step", "steps") and value is not None
            }
            stage = {"train/stage": curve.digests.index(digest) + 1}
            curve.run.log({**values, **stage}, step=curve.points)
        curve.sent[digest] = new[-1]["step"]
        self._note(curve, digest)
        if digest == curve.digests[-1] and new[-1]["step"] == new[-1]["steps"]:
            self._end(curve)

    def _open(self, curve: Curve) -> None:
        if curve.run is None:
            with redirect_stdout(io.StringIO()):  # both write there what their users need not see
                curve.run = STARTS[self.service](self, curve)

    def _end(self, curve: Curve) -> None:
        if curve.run is not None:
            with redirect_stdout(io.StringIO()):
                curve.run.finish()
            curve.run = None

    @property
    def _journal(self) -> Path:
        return self.store.folder / f"tracked-{self.service}.jsonl"

    def _records(self) -> Iterator[dict[str, Any]]:
        """How far curves were sent, the latest last; a line that a kill cut short is left out."""
        try:
            lines = self._journal.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                record = parse_json(line)
                _ = record["curve"], record["training"], record["step"], record["points"]
            except (ValueError, TypeError, KeyError):
                continue
            yield record

    def _note(self, curve: Curve, digest: str) -> None:
        record = {
            "curve": curve.key, "training": digest, "step": curve.sent[digest],
            "points": curve.points,
        }  # fmt: skip
        with write_errors(self.store.folder), self._journal.open("ab") as file:
            file.write(b"\n" + json.dumps(record).encode("utf-8") + b"\n")

    def _new_steps(self, digest: str) -> Iterator[dict[str, Any]]:
        """The lines of a training's metrics file that were not read yet."""
        path, read = metrics_path(self.store.folder, digest), self.read.get(digest, 0)
        try:
            with path.open("rb") as file:
                start = read if file.seek(0, os.SEEK_END) >= read else 0  # else it was begun anew
                file.seek(start)
                lines = file.read()
        except FileNotFoundError:
            return
        whole = lines[: lines.rfind(b"\n") + 1]
        self.read[digest] = start + len(whole)
        for line in whole.split(b"\n"):
            try:
                step = parse_json(line)
                _ = step["step"], step["steps"]
            except (ValueError, TypeError, KeyError):
                continue
            yield step

    @contextmanager
    def _left_out_where_it_fails(self) -> Iterator[None]:
        try:
            yield
        except Unwritable:
            raise
        except Exception as error:
            self.curves = {}
            self.say(
                f"track {self.service!r}: {_one_line(error)}; the study goes on without it, and "
                "the same command sends the rest later"
            )


def _curve(plan: StudyPlan, setting: SettingPlan, cell: Cell) -> Curve:
    digests = tuple(node.digest for node in cell.nodes if isinstance(node, TrainNode))
    key = hashlib.sha256(json.dumps([cell.name, *digests]).encode("utf-8")).hexdigest()
    config = {
        "setting": setting.name,
        "arm": cell.arm,
        "seed": cell.seed,
        "model": setting.model_name(plan.recipe.model.source),
        **json.loads(setting.dose),
        "trainings": list(digests),
    }
    return Curve(f"{cell.name} {key[:LABEL]}", setting.name, config, digests, key)


def _start_trackio(tracking: Tracking, curve: Curve) -> Any:
    """A run of trackio, in a context of its own: in one context a new run would end the last."""
    return Context().run(
        tracking.module.init,
        project=tracking.project,
        name=curve.name,
        group=curve.group,
        config=curve.config,
        resume="allow",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )


def _start_wandb(tracking: Tracking, curve: Curve) -> Any:
    """A run of Weights & Biases beside others; offline, its files are in the study's folder."""
    wandb = tracking.module
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT") or tracking.project,
        name=curve.name,
        group=curve.group,
        config=curve.config,
        id=curve.key[:16],
        resume="allow",
        reinit="create_new",
        dir=os.environ.get("WANDB_DIR") or tracking.store.folder,
        settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
    )


STARTS: Mapping[str, Callable[[Tracking, Curve], Any]] = {
    "trackio": _start_trackio,
    "wandb": _start_wandb,
}
"""By the tracker's name, which is its module's, what starts a run."""
ADVICE = {
    "trackio": "unset TRACKIO_SPACE_ID and TRACKIO_SERVER_URL to write to a local folder",
    "wandb": "log in with: wandb login, or set WANDB_MODE=offline",
}


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
