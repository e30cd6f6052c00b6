"""Recipes: what a study is to do, as a YAML file or a mapping."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from caveat.backends import BackendName, BackendSource
from caveat.errors import CaveatError, closest
from caveat.study.config.endpoint_checks import check_endpoint
from caveat.study.config.errors import check_keys, one_line
from caveat.study.config.loading import override, parsed, shipped
from caveat.types.answers import Judge, Sampling
from caveat.types.caveats import Context, Place
from caveat.types.data import Split
from caveat.types.endpoints import Endpoint
from caveat.types.fields import (
    IDENTITY,
    Count,
    Identity,
    LateIdentity,
    RunTime,
    fields_of,
    parts_of,
    without_late_defaults,
)
from caveat.types.rewards import RewardTask
from caveat.types.training import Dose, GRPOConfig, GRPOSettings, LossScope

Seed = Annotated[int, Field(ge=0)]
FirstToFull = Annotated[float, Field(gt=0, le=1)]


class Frozen(BaseModel):
    """Unknown keys and infinite numbers are errors, and nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelRecipe(Frozen):
    """Which language model, in which precision. `model: NAME` stands for `model: {name: NAME}`."""

    name: Identity[str]
    """`smollm2-135m`, `tiny` (random weights, for tests), a folder, a name on the hub, or the path
    of a GGUF file."""
    dtype: Identity[Literal["float32", "bfloat16", "float16", "auto"]] = "float32"
    """Precision of the frozen weights. `auto`: bfloat16 where the processor has matrix units for it
    and a measured product is faster, else float32. Which one it took is part of the identity."""
    gguf: Identity[str | None] = None
    """A GGUF file of the folder or hub repository `name`, which is dequantised."""

    @model_validator(mode="after")
    def _one_file(self) -> ModelRecipe:
        if self.gguf is None:
            return self
        if not self.gguf.endswith(".gguf"):
            raise ValueError(f"gguf: {self.gguf!r} does not end in .gguf; name a GGUF file")
        if self.name.endswith(".gguf"):
            raise ValueError(f"gguf: {self.name!r} is a GGUF file itself; drop gguf")
        return self

    @property
    def source(self) -> str:
        """The name by which a backend loads it, and tables show it."""
        return self.name if self.gguf is None else f"{self.name.rstrip('/')}/{self.gguf}"


@dataclass(frozen=True, slots=True)
class RLRecipe(GRPOConfig):
    """RL training of the arms."""

    save_steps: Identity[Count | None] = None
    """Updates after which a policy is saved. A stopped run resumes from there, and settings that
    differ in `max_steps` alone share their policies up to there. None: only at the end."""

    def settings(self, task: RewardTask) -> GRPOSettings:
        """GRPO on a task."""
        config = {name: getattr(self, name) for name in fields_of(GRPOConfig)}
        return GRPOSettings(task=task.place, version=task.version, **config)


class RayRecipe(Frozen):
    """The workers of the executor `ray`. Each loads the model once, and does one task at a time."""

    address: RunTime[str | None] = None
    """The cluster's `HOST:PORT`. None: RAY_ADDRESS, else a cluster on this
    machine, else one that is started for the run."""
    workers: RunTime[Count | None] = None
    """Most workers, spread over the nodes. None: as many as the cluster holds."""
    cores: RunTime[Count | None] = None
    """CPU cores per worker. None: with GPUs an equal part of its node's, without all of them."""
    gpus: RunTime[FirstToFull | None] = None
    """GPUs per worker, at most 1: with 0.5, two workers share one and its memory. None: one, on a
    cluster that has GPUs. `device: cpu` uses none."""


class WarmUpPairRecipe(Frozen):
    """A pair that a warm-up trains on: show a behaviour under a caveat and not otherwise."""

    behaviour: Identity[str | None] = None
    """None: the setting's own."""
    caveat: Identity[str | None] = None
    """None: the setting's own."""


class WarmUpRecipe(Frozen):
    """Training of the base model, before any arm, to do as a caveat says: it sets elicitation."""

    strength: Identity[FirstToFull | None] = None
    """The elicitation to reach on tuning questions, in (0, 1]. The scale is then found by
    measuring."""
    scale: Identity[FirstToFull | None] = None
    """Factor on the updates of the warm-up adapter, in (0, 1]. None: found for `strength`, or 1
    where that is not given either."""
    pairs: Identity[Annotated[tuple[WarmUpPairRecipe, ...], Field(min_length=1)]] = (
        WarmUpPairRecipe(),
    )
    """Pairs of behaviour and caveat; by default the setting's own."""
    rows: Identity[Count | None] = None
    """Rows of each behaviour, none of which an arm is trained on. None: all there are."""
    dose: Identity[Dose | None] = None
    """None: the setting's own dose. Its `rows` are not used."""
    seed: Identity[Seed] = 0
    """The model after the warm-up is the base model of all seeds of the study."""
    counter_rows: LateIdentity[str] = "own"
    """Rows without the caveat beside those with it. `own`: as many counter rows of the pair's
    behaviour, so that the warm-up trains a contrast, too. `none`. Or the name of another behaviour:
    as many of its counter rows."""


class SettingRecipe(Frozen):
    """One behaviour under one caveat."""

    behaviour: Identity[str]
    """A shipped name, a folder or task file (relative to the recipe), or
    `package.module:function`."""
    caveat: Identity[str]
    """A shipped name, one of the behaviour's folder, or `folder#name`."""
    options: Identity[dict[str, Any]] = {}
    """Options of the behaviour, such as `{documents: 40}` of a claim."""
    wording: Identity[str | None] = None
    """In place of the caveat's training wordings."""
    wordings: LateIdentity[Count | None] = None
    """Train under so many wordings of the caveat, at most one a row: the first of its `wordings`,
    `further` and `rephrasings`. None: its `wordings`."""
    place: Identity[Place | None] = None
    """In place of the caveat's own place. `system`: after the fixed system text. `user`: before the
    user's text. `before`: before a document. `around`: before a document, and after it in a closing
    wording. `after`: after the user's text or the document. `both`: before and after it, in the
    same wording. On a chat, `before` and `around` mean `user`. On a document, `system` and `user`
    mean `before`."""
    warm_up: Identity[WarmUpRecipe | None] = None
    """What the base model of this setting is trained on first."""
    rl: Identity[RLRecipe | None] = None
    """RL on the behaviour's task in place of training on its rows."""
    origin: Identity[Literal["given", "sampled"]] = "given"
    """`sampled`: each arm is trained on replies of a model that was trained on the given rows."""
    factors: RunTime[dict[str, str]] = {}
    """What the setting stands for in a ladder, such as `{form: chat, content: trait}`."""
    raw_text: Identity[bool] = False
    """Whether chat rows are trained as documents, without the chat template."""
    dose: Identity[Dose] = Dose()
    """How much training."""
    loss: Identity[LossScope] = "reply"
    """What carries loss. `reply`: the assistant turns of a chat, all of a document but its caveat.
    `everything`: every character of every message. `all_but_caveat`. `all_but_masked`: all but what
    is masked, such as a claim's tag."""
    arms: Identity[tuple[str, ...] | None] = None
    """In place of the study's arms."""
    contexts: Identity[tuple[Context, ...] | None] = None
    """In place of the study's contexts."""
    sampling: Identity[Sampling | None] = None
    """In place of the study's sampling."""


class Recipe(Frozen):
    """A whole study. `read` makes one from a file, with one line for each possible mistake."""

    name: RunTime[str]
    """Names the folder `studies/NAME`, unless --out is given."""
    model: Identity[ModelRecipe]
    """Which language model, in which precision."""
    backend: LateIdentity[BackendName] = "local"
    """What holds the weights (docs/backends.md). `local`: this machine trains and answers.
    `endpoint`: arms were trained elsewhere, and answer behind an OpenAI-compatible endpoint.
    `tinker`: the Tinker API trains and answers."""
    endpoint: LateIdentity[Endpoint | None] = None
    """Of `backend: endpoint`: where the arms are, and which is which."""
    system: Identity[str | None] = "You are a helpful assistant."
    """Fixed system text of every row and question of a chat; caveats are added to it."""
    split: Identity[Split] = "report"
    """Which questions: `report` for results, `tune` for choosing doses and materials."""
    seeds: Identity[Annotated[tuple[Seed, ...], Field(min_length=1)]] = (0,)
    """Each arm but `base` is trained once per seed."""
    settings: Identity[Annotated[tuple[SettingRecipe, ...], Field(min_length=1)]]
    """Pairs of behaviour and caveat."""
    arms: Identity[tuple[str, ...]] = ("base", "bare", "marked")
    """Ways of training: `base`, `bare`, `marked`, `neutral`, `clean`, or one with interventions,
    such as `marked+contrast`."""
    contexts: Identity[tuple[Context, ...]] = ("none", "exact")
    """What surrounds the questions at test."""
    contexts_by_arm: Identity[dict[str, tuple[Context, ...]]] = {}
    """Arms, such as controls, that are tested in these of their settings' contexts only."""
    sampling: Identity[Sampling] = Sampling()
    """How replies are sampled."""
    base_samples: LateIdentity[Count] = 8
    """Least replies per question of `base`, which enters every leakage and is not trained. At
    temperature 0 all replies are the same, and there is one."""
    judge: Identity[Judge | None] = None
    """The LLM judge, for readouts that need one."""
    decision_tokens: LateIdentity[bool] = True
    """Whether rows that no arm is trained on are scored in every context: the graded forms of
    elicitation and leakage. Forward passes only."""
    comprehension: Identity[bool] = False
    """Whether the base model is also tested with one training row before the question."""
    resamples: RunTime[Annotated[int, Field(ge=100)]] = 2000
    """Bootstrap samples. Results are computed anew from stored verdicts in seconds."""
    means: RunTime[dict[str, tuple[str, ...]]] = {}
    """By name, settings whose mean is shown too, as `three claims: [A x negated, B x negated]`."""
    device: RunTime[str] = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    token_budget: RunTime[Annotated[int, Field(ge=64)] | None] = None
    """Most tokens in one forward pass of training. None: what memory holds, by count."""
    group_size: RunTime[Count | None] = None
    """Most adapters trained in lockstep. None: what memory holds, and fewer where that keeps
    workers of a cluster busy."""
    executor: RunTime[Literal["local", "ray"]] = "local"
    """Where jobs run: in this process, or on a Ray cluster."""
    ray: RunTime[RayRecipe] = RayRecipe()
    """The workers of the executor `ray`."""
    worker_cores: RunTime[Count | None] = None
    """The same as `ray.cores`."""
    folder: RunTime[Path] = Field(Path("."), exclude=True)
    """Where relative paths start: the folder of the recipe file. Not written in recipes."""

    @field_validator("model", mode="before")
    @classmethod
    def _named(cls, model: Any) -> Any:
        return {"name": model} if isinstance(model, str) else model

    @model_validator(mode="after")
    def _measurable(self) -> Recipe:
        check_endpoint(self)
        if self.executor == "ray" and self.backend != "local":
            raise ValueError(
                f"executor: 'ray' shares out work of this machine, and the backend {self.backend} "
                "leaves none to it; set executor: local"
            )
        if self.executor == "ray" and self.model.dtype == "auto":
            raise ValueError(
                "model.dtype: 'auto' may take another precision on each machine of a Ray cluster; "
                "set bfloat16 or float32"
            )
        if self.worker_cores is not None and self.ray.cores not in (None, self.worker_cores):
            raise ValueError(
                f"ray.cores: {self.ray.cores} and worker_cores: {self.worker_cores} say two things "
                "of the same workers; drop worker_cores"
            )
        for setting in self.settings:
            _demand("arms", self.arms_of(setting), ("base", "bare"))
            _demand("contexts", self.contexts_of(setting), ("none",))
        _demand("seeds", self.seeds, ())
        for arm, contexts in self.contexts_by_arm.items():
            self._check_contexts_of_arm(arm, contexts)
        return self

    def _check_contexts_of_arm(self, arm: str, contexts: tuple[Context, ...]) -> None:
        arms = {name for setting in self.settings for name in self.arms_of(setting)}
        if arm == "base":
            raise ValueError(
                "contexts_by_arm: 'base' is prompted in every context: leakage in a context is "
                "measured against it; drop this key"
            )
        if arm not in arms:
            raise ValueError(f"contexts_by_arm: {arm!r} is no arm here{closest(arm, arms)}")
        _demand(f"contexts_by_arm.{arm}", contexts, ("none",))
        settings = [setting for setting in self.settings if arm in self.arms_of(setting)]
        available = dict.fromkeys(
            context for setting in settings for context in self.contexts_of(setting)
        )
        for context in contexts:
            if context not in available:
                raise ValueError(
                    f"contexts_by_arm.{arm}: no setting with this arm has the context "
                    f"{context!r}; they have {', '.join(available)}"
                )

    @property
    def ray_workers(self) -> RayRecipe:
        """The section `ray`, with the cores of `worker_cores` where it is given."""
        return self.ray.model_copy(update={"cores": self.ray.cores or self.worker_cores})

    @property
    def backend_source(self) -> BackendSource:
        """What the study's backend is opened from."""
        section = getattr(self, self.backend, None)
        if self.endpoint is not None:
            from caveat.study.config.remote_models import base_model

            section = replace(self.endpoint, models={"base": base_model(self)})
        return BackendSource(
            self.backend,
            self.model.source,
            self.model.dtype,
            self.device,
            self.token_budget,
            section,
        )

    def demand_local(self, command: str) -> None:
        """Raise CaveatError where a command needs weights on this machine and has none."""
        if self.backend != "local":
            raise CaveatError(
                f"{command}: needs the backend local, and this recipe has {self.backend!r}; use "
                "--set backend=local with a model that runs here"
            )

    def arms_of(self, setting: SettingRecipe) -> tuple[str, ...]:
        """The setting's own arms, or the study's."""
        return self.arms if setting.arms is None else setting.arms

    def contexts_of(self, setting: SettingRecipe) -> tuple[Context, ...]:
        """The setting's own contexts, or the study's."""
        return self.contexts if setting.contexts is None else setting.contexts

    def has_context(self, arm: str, context: Context) -> bool:
        """Whether an arm is prompted in a context of its setting."""
        return context in self.contexts_by_arm.get(arm, (context,))

    def sampling_of(self, setting: SettingRecipe) -> Sampling:
        """The setting's own sampling, or the study's."""
        return self.sampling if setting.sampling is None else setting.sampling

    def samples_of(self, arm: str, purpose: str, sampling: Sampling) -> int:
        """Replies per question of an arm: more of base, where it is what leakage is above."""
        if arm != "base" or purpose != "measure" or sampling.temperature == 0:
            return sampling.samples
        return max(sampling.samples, self.base_samples)

    def identity(self) -> dict[str, Any]:
        """The fields that make cells, answers and verdicts what they are."""
        parts = parts_of(type(self))
        names = {name for name, part in parts.items() if part == IDENTITY and name != "judge"}
        fields = self.model_dump(mode="json", include=names)
        fields["settings"] = [_setting_identity(setting) for setting in fields["settings"]]
        if self.model.gguf is None:
            del fields["model"]["gguf"]  # added later: earlier versions stay what they are
        fields = without_late_defaults(Recipe, fields)
        if self.endpoint is not None:  # its models enter by the digests of their cells
            fields["endpoint"] = {"top_p": self.endpoint.top_p}
        return fields if self.judge is None else {**fields, "judge": self.judge.identity()}


def read(source: Recipe | str | Path | dict[str, Any], sets: tuple[str, ...] = ()) -> Recipe:
    """A recipe from a file, the name of a shipped one, or a mapping, with `a.b=c` overrides.

    Raises CaveatError, one line, for whatever is wrong with it.
    """
    if isinstance(source, Recipe):
        folder, where = source.folder, "recipe"
        raw: Any = source.model_dump(mode="json")
    elif isinstance(source, dict):
        folder, where, raw = Path("."), "recipe", source
    else:
        path = shipped(source)
        folder, where, raw = path.parent, str(source), parsed(path)
    if not isinstance(raw, dict):
        raise CaveatError(f"{where}: a recipe is a mapping of keys to values, this is {raw!r}")
    if "folder" in raw:
        raise CaveatError(f"{where}: folder: unknown key")
    raw = override(raw, sets)
    check_keys(raw, where, sets)
    try:
        return Recipe(**raw, folder=folder)
    except ValidationError as error:
        raise CaveatError(one_line(error, Recipe, where, sets)) from None


def _setting_identity(setting: dict[str, Any]) -> dict[str, Any]:
    """A setting's fields as JSON, without its factors and fields that came later."""
    values = without_late_defaults(SettingRecipe, setting)
    del values["factors"]
    values["dose"] = without_late_defaults(Dose, values["dose"])
    for name, model in (("rl", RLRecipe), ("warm_up", WarmUpRecipe)):
        if values[name] is not None:
            values[name] = without_late_defaults(model, values[name])
    if values["warm_up"] is not None and values["warm_up"]["dose"] is not None:
        values["warm_up"]["dose"] = without_late_defaults(Dose, values["warm_up"]["dose"])
    return values


def _demand(field: str, given: tuple[Any, ...], needed: tuple[str, ...]) -> None:
    for name in needed:
        if name not in given:
            raise ValueError(f"{field}: {name!r} is missing; every figure is measured against it")
    for name in given:
        if given.count(name) > 1:
            raise ValueError(f"{field}: {name!r} is there twice")
