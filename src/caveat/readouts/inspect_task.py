"""Tasks of Inspect outside an evaluation: their prompts, and their scorers, on replies of ours.

A task's solvers run with a stand-in for the model, which notes the prompt and gives the reply that
is to be scored. So a template, a system message or multiple choice come out as in Inspect. A task
that needs a model for anything else than this one reply is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.coroutines import run_to_end
from caveat.environments.loading import module_of, version_of
from caveat.errors import CaveatError, closest
from caveat.files.inspect_logs import require_inspect
from caveat.files.reading import user_path
from caveat.readouts.inspect_state import (
    MODEL,
    is_missing_model,
    messages_of,
    no_model,
    short,
    state_of,
)
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Score, Scorer
    from inspect_ai.solver import TaskState


PREFIX = "inspect:"
_TASKS: dict[str, InspectTask] = {}
"""Each task that was loaded, by its label."""


@dataclass(frozen=True)
class InspectTask:
    """A task of a file, with the scorer that was named."""

    label: str
    """The task's name, its scorer's and the file's version, none of which depend on the path."""
    where: str
    """As the user wrote it, for errors."""
    task: Task
    scorer: Scorer | None
    samples: Mapping[str, Sample]
    """By id, which is counted from 1 where the data set has none, as Inspect does."""

    def sample(self, name: str) -> Sample:
        """The sample of an id. Raises ValueError where there is none."""
        if name not in self.samples:
            raise ValueError(f"the task {self.label!r} has no sample {name!r} any more")
        return self.samples[name]

    def prompt(self, name: str, sample: Sample) -> Messages:
        """What the model is sent for a sample.

        Raises CaveatError for a sample that needs more than a text and one reply.
        """
        where = f"{self.where}, sample {name!r}"
        if sample.sandbox or sample.files or sample.setup or self.task.sandbox:
            raise CaveatError(f"{where}: needs a sandbox; only samples of text can be questions")
        _, prompts = self._solved(name, sample, "", where)
        return prompts

    def score(self, name: str, reply: str) -> Score:
        """The scorer's score of a reply to a sample. Raises ValueError where it gives none."""
        sample = self.sample(name)
        try:
            state, _ = self._solved(name, sample, reply, f"{self.label}, sample {name!r}")
            return self._scored(state, sample.target)
        except CaveatError as error:
            raise ValueError(str(error)) from None

    def score_text(self, prompt: str, target: str, reply: str) -> Score:
        """The scorer's score of a reply to a prompt of one's own. Raises ValueError likewise."""
        try:
            return self._scored(state_of("", prompt, reply, target), target)
        except CaveatError as error:
            raise ValueError(str(error)) from None

    def _scored(self, state: TaskState, target: str | list[str]) -> Score:
        from inspect_ai.scorer import Target

        if self.scorer is None:
            raise CaveatError(f"{self.where}: the task has no scorer; name one of another task")
        try:
            with no_model() as requests:
                score = run_to_end(self.scorer(state, Target(target)))
        except Exception as error:
            if is_missing_model(error):
                raise self._graded_by_a_model() from None
            raise CaveatError(f"{self.where}: its scorer raised {short(error)}; fix it") from None
        if requests:
            raise self._graded_by_a_model()
        if score is None:
            raise CaveatError(f"{self.where}: its scorer gave no score; let it give one")
        return score

    def _graded_by_a_model(self) -> CaveatError:
        return CaveatError(
            f"{self.where}: its scorer needs a model; take one that needs none, such as includes() "
            "or match(), or the readout belief_judge (docs/judge.md)"
        )

    def _solved(
        self, name: str, sample: Sample, reply: str, where: str
    ) -> tuple[TaskState, Messages]:
        """The state after the solvers, with the reply, and the prompt that they made."""
        from inspect_ai.model import ChatMessageAssistant, ModelOutput
        from inspect_ai.solver import chain

        prompts: list[Messages] = []

        async def generate(state: TaskState, *_: Any, **__: Any) -> TaskState:
            if state.tools:
                raise CaveatError(f"{where}: its solver gives the model tools; leave them out")
            prompts.append(messages_of(state, where))
            state.output = ModelOutput.from_content(MODEL, reply)
            state.messages.append(ChatMessageAssistant(content=reply, model=MODEL))
            return state

        text = sample.input if isinstance(sample.input, str) else [*sample.input]
        state = state_of(
            name, text, "", sample.target, sample.choices, sample.metadata, self._system()
        )
        setup = self.task.setup or []
        solvers = [*(setup if isinstance(setup, list) else [setup]), self.task.solver]
        try:
            with no_model() as requests:
                state = run_to_end(chain(solvers)(state, generate))
        except CaveatError:
            raise
        except Exception as error:
            if is_missing_model(error):
                raise CaveatError(f"{where}: its solver needs a model; leave it out") from None
            raise CaveatError(f"{where}: its solver raised {short(error)}; fix it") from None
        if requests or len(prompts) != 1:
            number = len(prompts) + len(requests)
            raise CaveatError(
                f"{where}: its solver generates {number} times; a question has one reply"
            )
        return state, prompts[0]

    def _system(self) -> str | None:
        return self.task.config.system_message


def load_task(name: str, folder: Path) -> InspectTask:
    """The task of `inspect:FILE.py@TASK` or `inspect:FILE.py@TASK#SCORER`, relative to a folder.

    Raises CaveatError, in one line, where there is none.
    """
    require_inspect(name)
    path, task_name, scorer_name = _parts(name)
    file = user_path(path, folder).resolve()
    if not file.is_file():
        raise CaveatError(f"{name}: no such file ({file}); check the path")
    version = version_of(str(file))
    with chdir(file.parent):  # tasks name their data sets relative to their own folder
        module = module_of(str(file), version)
        task = _called(module, task_name, name)
    scorer, scorer_label = _scorer(task, scorer_name, name)
    label = f"{file.stem}@{task_name}{scorer_label} {version}"
    loaded = InspectTask(label, name, task, scorer, _samples(task, name))
    _TASKS[loaded.label] = loaded
    return loaded


def loaded_task(label: str) -> InspectTask:
    """A task by its label. Raises ValueError for one not loaded yet."""
    if label not in _TASKS:
        raise ValueError(f"the Inspect task {label!r} is not loaded; run the recipe that names it")
    return _TASKS[label]


def _parts(name: str) -> tuple[str, str, str]:
    path, sign, rest = name.removeprefix(PREFIX).rpartition("@")
    task, _, scorer = rest.partition("#")
    if not name.startswith(PREFIX) or not sign or not path.endswith(".py") or not task:
        raise CaveatError(f"{name!r}: write it as {PREFIX}FILE.py@TASK")
    return path, task, scorer


def _called(module: Any, task_name: str, name: str) -> Task:
    from inspect_ai import Task

    function = getattr(module, task_name, None)
    if not callable(function):
        names = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise CaveatError(f"{name}: the file has no task {task_name!r}{closest(task_name, names)}")
    try:
        task = function()
    except Exception as error:
        raise CaveatError(f"{name}: the task raised {short(error)}; fix it") from None
    if not isinstance(task, Task):
        raise CaveatError(
            f"{name}: {task_name!r} gives {type(task).__name__}; let it give an inspect_ai.Task"
        )
    return task


def _samples(task: Task, name: str) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for number, sample in enumerate(task.dataset, 1):
        own = str(number if sample.id is None else sample.id)
        if own in samples:
            raise CaveatError(f"{name}, sample {own!r}: the id is used before; ids must be unique")
        samples[own] = sample
    return samples


def _scorer(task: Task, wanted: str, name: str) -> tuple[Scorer | None, str]:
    """The task's scorer, or the one of a name, and its name where the task has several."""
    from inspect_ai.util import registry_info

    given = task.scorer or []
    scorers = given if isinstance(given, list) else [given]
    names = [registry_info(scorer).name.rpartition("/")[2] for scorer in scorers]
    if wanted:
        if wanted not in names:
            raise CaveatError(
                f"{name}: the task has no scorer {wanted!r} (it has {', '.join(names) or 'none'})"
                f"{closest(wanted, names)}"
            )
        return scorers[names.index(wanted)], f"#{wanted}"
    if len(scorers) > 1:
        raise CaveatError(
            f"{name}: the task has the scorers {', '.join(names)}; name one: {name}#{names[0]}"
        )
    return (scorers[0] if scorers else None), ""
