"""Recipes: what a study is to do, as a YAML file or a mapping."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from caveat.errors import CaveatError, closest
from caveat.study.config.errors import address_problem, check_keys, one_line
from caveat.study.config.loading import override, parsed, shipped
from caveat.types.answers import Judge, Sampling
from caveat.types.caveats import Context, Place
from caveat.types.data import Split
from caveat.types.rewards import RewardTask
from caveat.types.training import Dose, GRPOSettings, LossScope

DOSE, SAMPLING, RL = Dose(), Sampling(), GRPOSettings("")
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def identity(*default: Any) -> Any:
    """A field that changes what some cell or answer is: it enters the digests."""
    return Field(*default, json_schema_extra={"part": "identity"})


def run_time(*default: Any) -> Any:
    """A field that changes how the study is made or shown, and no finished cell."""
    return Field(*default, json_schema_extra={"part": "run-time"})


class Frozen(BaseModel):
    """Unknown keys and endless numbers are errors, and nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelRecipe(Frozen):
    """Which language model, in which precision."""

    name: str = identity()
    dtype: Literal["float32", "bfloat16", "float16"] = identity("float32")


class DoseRecipe(Frozen):
    """The fields of `domain.plan.Dose`, with their bounds."""

    rows: Count | None = identity(DOSE.rows)
    epochs: Count = identity(DOSE.epochs)
    learning_rate: Annotated[float, Field(gt=0)] = identity(DOSE.learning_rate)
    rank: Count = identity(DOSE.rank)
    alpha: Annotated[float, Field(gt=0)] = identity(DOSE.alpha)
    batch_size: Count = identity(DOSE.batch_size)
    warmup: Share = identity(DOSE.warmup)
    layers: tuple[Share, Share] = identity(DOSE.layers)
    max_tokens: Count = identity(DOSE.max_tokens)
    clip: Annotated[float, Field(gt=0)] = identity(DOSE.clip)

    @field_validator("layers")
    @classmethod
    def _rising(cls, layers: tuple[float, float]) -> tuple[float, float]:
        if not layers[0] < layers[1]:
            raise ValueError("the first layer must lie below the second, as in [0.5, 1.0]")
        return layers

    def build(self) -> Dose:
        """The domain's record."""
        return Dose(**self.model_dump())


class SamplingRecipe(Frozen):
    """The fields of `domain.reply.Sampling`, with their bounds."""

    max_tokens: Count = identity(SAMPLING.max_tokens)
    temperature: Annotated[float, Field(ge=0)] = identity(SAMPLING.temperature)
    samples: Count = identity(SAMPLING.samples)

    def build(self) -> Sampling:
        """The domain's record."""
        return Sampling(**self.model_dump())


class RLRecipe(Frozen):
    """The fields of `domain.plan.Practice`, with their bounds: reinforcement in place of rows."""

    max_steps: Count = identity(RL.max_steps)
    save_steps: Count | None = identity(None)
    """Updates after which a policy is kept: a killed run goes on from there. None: only the end."""
    num_generations: Annotated[int, Field(ge=2)] = identity(RL.num_generations)
    max_completion_length: Count = identity(RL.max_completion_length)
    temperature: Annotated[float, Field(gt=0)] = identity(RL.temperature)
    num_iterations: Count = identity(RL.num_iterations)
    epsilon: Annotated[float, Field(gt=0, lt=1)] = identity(RL.epsilon)
    epsilon_high: Annotated[float, Field(gt=0)] = identity(RL.epsilon_high)
    beta: Annotated[float, Field(ge=0)] = identity(RL.beta)
    loss_type: Literal["grpo", "dapo"] = identity(RL.loss_type)
    scale_rewards: bool = identity(RL.scale_rewards)

    def build(self, task: RewardTask) -> GRPOSettings:
        """The domain's record."""
        return GRPOSettings(task.place, task.version, **self.model_dump(exclude={"save_steps"}))


class TaughtRecipe(Frozen):
    """What a warm-up teaches: to show a behaviour under a caveat and not otherwise."""

    behaviour: str | None = identity(None)
    """The setting's own where none is named."""
    caveat: str | None = identity(None)
    """The setting's own where none is named."""


class WarmUpRecipe(Frozen):
    """Teaching the base model, before any arm, to do as a caveat says: a dial of elicitation."""

    strength: Annotated[float, Field(gt=0, le=1)] | None = identity(None)
    """The elicitation to reach, on tuning questions; the scale is then found by measuring."""
    scale: Annotated[float, Field(gt=0, le=1)] | None = identity(None)
    """What the taught adapter's updates are multiplied by; 1 where neither is given."""
    teaches: Annotated[tuple[TaughtRecipe, ...], Field(min_length=1)] = identity((TaughtRecipe(),))
    rows: Count | None = identity(None)
    """Rows of each behaviour, none of which an arm is trained on; None for all there are."""
    dose: DoseRecipe | None = identity(None)
    """The setting's own dose where none is given. Its `rows` are not used."""
    seed: Seed = identity(0)
    """The warmed model is one base model for all seeds of the study."""


class SettingRecipe(Frozen):
    """One behaviour under one caveat."""

    behaviour: str = identity()
    """A registered name, a folder (relative to the recipe file), or `package.module:function`."""
    caveat: str = identity()
    """A registered name, one of the behaviour's folder, or `folder#name`."""
    options: dict[str, Any] = identity({})
    """Options of the behaviour, such as `{documents: 40}` of a claim."""
    wording: str | None = identity(None)
    """In place of the caveat's training wordings."""
    place: Place | None = identity(None)
    """In place of the caveat's own place."""
    warm_up: WarmUpRecipe | None = identity(None)
    """What the base model of this setting is taught first."""
    rl: RLRecipe | None = identity(None)
    """Arms practise on the behaviour's task, rather than being trained on its rows."""
    origin: Literal["given", "sampled"] = identity("given")
    """`sampled`: each arm is trained on replies of a model that was trained on the given rows."""
    factors: dict[str, str] = run_time({})
    """What the setting stands for on a ladder, such as `{form: chat, content: trait}`."""
    raw_text: bool = identity(False)
    """Whether chat rows are trained as documents, without the chat template."""
    dose: DoseRecipe = identity(DoseRecipe())
    loss: LossScope = identity("reply")
    arms: tuple[str, ...] | None = identity(None)
    """In place of the study's arms."""
    contexts: tuple[Context, ...] | None = identity(None)
    """In place of the study's contexts."""
    sampling: SamplingRecipe | None = identity(None)
    """In place of the study's sampling."""


class JudgeRecipe(Frozen):
    """The fields of `domain.judge.Judge`, with their bounds."""

    endpoint: str = run_time()
    model: str = identity()
    temperature: Annotated[float, Field(ge=0)] | None = identity(0.0)
    max_tokens: Count = identity(64)
    key_env: str | None = run_time(None)
    concurrency: Count = run_time(8)
    timeout: Annotated[float, Field(gt=0)] = run_time(60.0)
    retries: Annotated[int, Field(ge=0)] = run_time(4)
    token_cap: Count = run_time(2_000_000)

    @field_validator("endpoint")
    @classmethod
    def _address(cls, endpoint: str) -> str:
        if problem := address_problem(endpoint):
            raise ValueError(problem)
        return endpoint

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
            raise ValueError(
                "write the name of an environment variable, in capitals, such as OPENAI_API_KEY; "
                "never the key itself"
            )
        return name

    def build(self) -> Judge:
        """The domain's record."""
        return Judge(**self.model_dump())

    def identity(self) -> dict[str, Any]:
        """The fields that what it says hangs on."""
        kept = {name for name, part in fields_of(type(self)).items() if part == "identity"}
        return self.model_dump(mode="json", include=kept)


class Recipe(Frozen):
    """A whole study. `read` makes one from a file, with one line for each possible mistake."""

    name: str = run_time()
    model: ModelRecipe = identity()
    system: str | None = identity("You are a helpful assistant.")
    """Fixed system text of every row and question of a chat; caveats are added to it."""
    split: Split = identity("report")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = identity((0,))
    settings: Annotated[tuple[SettingRecipe, ...], Field(min_length=1)] = identity()
    arms: tuple[str, ...] = identity(("base", "bare", "marked"))
    contexts: tuple[Context, ...] = identity(("none", "exact"))
    contexts_by_arm: dict[str, tuple[Context, ...]] = identity({})
    """Arms, such as controls, that are asked in these of their settings' contexts only."""
    sampling: SamplingRecipe = identity(SamplingRecipe())
    judge: JudgeRecipe | None = identity(None)
    """Who is asked where a readout needs a judge."""
    comprehension: bool = identity(False)
    """Whether the base model is also asked with one training row shown in front."""
    draws: Annotated[int, Field(ge=100)] = run_time(2000)
    """Draws of the bootstrap: figures are remade from stored verdicts in no time."""
    means: dict[str, tuple[str, ...]] = run_time({})
    """By name, settings whose mean is shown too, as `three claims: [A x negated, B x negated]`."""
    device: str = run_time("auto")
    token_budget: Annotated[int, Field(ge=64)] | None = run_time(None)
    """Most tokens in one forward pass of training; None: what memory holds, by measurement."""
    group_size: Count | None = run_time(None)
    """Most adapters trained in lockstep; None: what memory holds, and fewer where that keeps
    workers of a cluster busy."""
    executor: Literal["local", "ray"] = run_time("local")
    worker_cores: Count | None = run_time(None)
    """Of a worker on a Ray cluster without GPUs; None: all of its node's."""
    folder: Path = Field(Path("."), exclude=True, json_schema_extra={"part": "run-time"})
    """Where relative paths start: the folder of the recipe file. Not written in recipes."""

    @field_validator("model", mode="before")
    @classmethod
    def _named(cls, model: Any) -> Any:
        return {"name": model} if isinstance(model, str) else model

    @model_validator(mode="after")
    def _measurable(self) -> Recipe:
        for setting in self.settings:
            _demand("arms", self.arms_of(setting), ("base", "bare"))
            _demand("contexts", self.contexts_of(setting), ("none",))
        _demand("seeds", self.seeds, ())
        for arm, contexts in self.contexts_by_arm.items():
            self._check_contexts_of_arm(arm, contexts)
        return self

    def _check_contexts_of_arm(self, arm: str, contexts: tuple[Context, ...]) -> None:
        arms = {each for setting in self.settings for each in self.arms_of(setting)}
        if arm == "base":
            raise ValueError(
                "contexts_by_arm: 'base' is asked in every context: leakage in a context is "
                "measured against it; drop this key"
            )
        if arm not in arms:
            raise ValueError(f"contexts_by_arm: {arm!r} is no arm here{closest(arm, arms)}")
        _demand(f"contexts_by_arm.{arm}", contexts, ("none",))
        having = [setting for setting in self.settings if arm in self.arms_of(setting)]
        known = dict.fromkeys(context for each in having for context in self.contexts_of(each))
        for context in contexts:
            if context not in known:
                raise ValueError(
                    f"contexts_by_arm.{arm}: no setting with this arm has the context "
                    f"{context!r}; they have {', '.join(known)}"
                )

    def arms_of(self, setting: SettingRecipe) -> tuple[str, ...]:
        """The setting's own arms, or the study's."""
        return self.arms if setting.arms is None else setting.arms

    def contexts_of(self, setting: SettingRecipe) -> tuple[Context, ...]:
        """The setting's own contexts, or the study's."""
        return self.contexts if setting.contexts is None else setting.contexts

    def is_asked(self, arm: str, context: Context) -> bool:
        """Whether an arm is asked in a context of its setting."""
        return context in self.contexts_by_arm.get(arm, (context,))

    def sampling_of(self, setting: SettingRecipe) -> Sampling:
        """The setting's own sampling, or the study's."""
        return (self.sampling if setting.sampling is None else setting.sampling).build()

    def identity(self) -> dict[str, Any]:
        """The fields that make cells, answers and verdicts what they are."""
        kept = {name for name, part in fields_of(type(self)).items() if part == "identity"}
        fields = self.model_dump(mode="json", include=kept - {"judge"})
        for setting in fields["settings"]:
            del setting["factors"]
        return fields if self.judge is None else {**fields, "judge": self.judge.identity()}


def fields_of(model: type[BaseModel]) -> dict[str, str]:
    """Per field of a recipe model, `identity` or `run-time`; "" where nobody has decided."""
    parts = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        parts[name] = str(extra.get("part", "")) if isinstance(extra, dict) else ""
    return parts


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


def _demand(field: str, given: tuple[Any, ...], needed: tuple[str, ...]) -> None:
    for name in needed:
        if name not in given:
            raise ValueError(f"{field}: {name!r} is missing; every figure is measured against it")
    for name in given:
        if given.count(name) > 1:
            raise ValueError(f"{field}: {name!r} is there twice")
