"""Recipes: one line for each mistake, and every field either identity or run-time."""

from __future__ import annotations

import pytest

from caveat.backends.endpoint.backend import identity_of
from caveat.errors import CaveatError
from caveat.study.config.reference import SECTIONS, recipe_fields
from caveat.study.config.remote_models import with_remote_models
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.planning.study_plan import study_plan
from caveat.types.answers import Sampling
from caveat.types.fields import IDENTITY, RUN_TIME, parts_of
from paths import ROOT
from toy_study import SMALL, TOY, judged, recipe, rl_recipe, small

MISTAKES = [
    ("settings.0.dose.epoch=2", "settings.0.dose.epoch: unknown key; closest: 'epochs'"),
    ("modle=tiny", "modle: unknown key; closest: 'model'"),
    ("split=reprt", "split: 'reprt' is not one of 'tune' or 'report'; closest: 'report'"),
    (
        "settings.0.dose.epochs=0",
        "settings.0.dose.epochs: 0: input should be greater than or equal to 1",
    ),
    (
        "settings.0.dose.layers=[1, 0.5]",
        "settings.0.dose.layers: the first layer must lie below the second, as in [0.5, 1.0]",
    ),
    ("settings.4.loss=reply", "settings is a list of 1, '4' is no index of it (the first is 0)"),
    ("seeds", "write it as key=value, such as seeds=[1,2]"),
    ("seeds=[-1]", "seeds.0: -1: input should be greater than or equal to 0"),
    (
        "settings.0.dose.learning_rate=.inf",
        "settings.0.dose.learning_rate: inf: input should be a finite number",
    ),
    (
        "settings.0.dose={on: 1}",
        "settings.0.dose.True: the key True is no text; YAML reads on, off, yes, no and numbers "
        "as values: put it in quotes",
    ),
    ("name.first=x", "name has no keys"),
    (
        "model.dtype=float31",
        "model.dtype: 'float31' is not one of 'float32', 'bfloat16', 'float16' or 'auto'; "
        "closest: 'float32'",
    ),
    (
        "model={name: zoo/small, gguf: q4.bin}",
        "model: gguf: 'q4.bin' does not end in .gguf; name a GGUF file",
    ),
    (
        "model={name: small.gguf, gguf: q4.gguf}",
        "model: gguf: 'small.gguf' is a GGUF file itself; drop gguf",
    ),
]


@pytest.mark.parametrize(("item", "told"), MISTAKES)
def test_a_wrong_override_is_told_in_one_line(item, told):
    with pytest.raises(CaveatError) as error:
        read(recipe(), (item,))
    assert str(error.value) == f"--set {item}: {told}"


def test_a_wrong_file_is_told_with_its_name(tmp_path):
    path = tmp_path / "mine.yaml"
    settings = "settings: [{behaviour: people, cavaet: trigger}]"
    path.write_text(f"name: mine\nmodel: tiny\n{settings}\n")
    with pytest.raises(CaveatError) as error:
        read(path)
    assert str(error.value) == (
        f"{path}: settings.0.cavaet: unknown key; closest: 'caveat' (and 1 more)"
    )
    path.write_text("name: mine\nname: yours\n")
    with pytest.raises(CaveatError) as error:
        read(path)
    assert str(error.value) == f"{path}: line 2: key 'name' is there twice"
    path.write_text("name: [mine\n")
    with pytest.raises(CaveatError, match=r"mine\.yaml: line 2: expected"):
        read(path)
    path.write_text("name: 2021-13-45\n")
    with pytest.raises(CaveatError) as error:
        read(path)
    assert str(error.value) == f"{path}: not YAML: month must be in 1..12"
    path.write_text("just words\n")
    with pytest.raises(CaveatError, match="a recipe is a mapping of keys to values"):
        read(path)


def test_a_key_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nmodel: tiny\nsettings: []\non: 1\n")
    with pytest.raises(CaveatError) as error:
        read(path)
    assert str(error.value) == (
        f"{path}: True: the key True is no text; YAML reads on, off, yes, no and numbers as "
        "values: put it in quotes"
    )


@pytest.mark.parametrize(
    ("arms", "told"),
    [
        (
            {"base": ["none"]},
            "contexts_by_arm: 'base' is prompted in every context: leakage in a context is "
            "measured against it; drop this key",
        ),
        ({"bear": ["none"]}, "contexts_by_arm: 'bear' is no arm here; closest: 'bare'"),
        (
            {"bare": ["exact"]},
            "contexts_by_arm.bare: 'none' is missing; every figure is measured against it",
        ),
        (
            {"bare": ["none", "moved"]},
            "contexts_by_arm.bare: no setting with this arm has the context 'moved'; "
            "they have none, exact",
        ),
    ],
)
def test_contexts_by_arm_that_mean_nothing(arms, told):
    with pytest.raises(CaveatError) as error:
        read(small(contexts_by_arm=arms))
    assert str(error.value) == f"recipe: {told}"


SHIPPED = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))


def test_a_missing_file_names_the_shipped_recipes():
    with pytest.raises(CaveatError) as error:
        read("dmo")
    assert {"crossing", "demo", "rl-controls", "warm-ups", "wordings"} <= {*SHIPPED}
    assert str(error.value) == (
        f"dmo: no such recipe file, and no shipped recipe (shipped: {', '.join(SHIPPED)}); "
        "closest: 'demo'"
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_read_by_name(name):
    assert read(name).name == name


def test_figures_need_base_bare_and_none():
    for field, given, missing in (
        ("arms", ["base", "marked"], "bare"),
        ("arms", ["bare"], "base"),
        ("contexts", ["exact"], "none"),
    ):
        with pytest.raises(CaveatError) as error:
            read(recipe(**{field: given}))
        told = f"recipe: {field}: {missing!r} is missing; every figure is measured against it"
        assert str(error.value) == told


def test_overrides_reach_into_lists_and_make_mappings():
    changed = read(small(), ("settings.0.dose.epochs=2", "settings.0.sampling.samples=3"))
    assert changed.settings[0].dose.epochs == 2
    assert changed.settings[0].sampling == Sampling(samples=3)
    assert read(small(), ("model=tiny-document",)).model.name == "tiny-document"
    assert read(changed, ("seeds=[4, 5]",)).seeds == (4, 5)


REMOTE = {
    "backend": "endpoint",
    "endpoint": {
        "url": "http://localhost:8000/v1",
        "models": {"base": "m", "bare": ["b"], "marked": ["c"]},
    },
}
JUDGE = {"endpoint": "http://localhost:8000/v1", "model": "m"}


@pytest.mark.parametrize(("section", "model"), SECTIONS)
def test_every_field_is_identity_or_run_time(section, model):
    parts = parts_of(model)
    assert set(parts.values()) <= {IDENTITY, RUN_TIME}, parts


OTHERS = {
    "name": "other",
    "model.name": "tiny-document",
    "model.gguf": "small.gguf",
    "model.dtype": "bfloat16",
    "backend": None,  # enters by `Backend.identity`
    "system": "null",
    "split": "tune",
    "seeds": "[7]",
    "arms": "[base, bare, clean]",
    "contexts": "[none, negated]",
    "contexts_by_arm": "{bare: [none]}",
    "sampling.max_tokens": "4",
    "sampling.temperature": "0.5",
    "sampling.samples": "2",
    "base_samples": "3",
    "decision_tokens": "true",
    "judge.endpoint": "https://elsewhere/v1",
    "judge.model": "other",
    "judge.temperature": "0.5",
    "judge.max_tokens": "8",
    "judge.key_env": "A_KEY",
    "judge.concurrency": "1",
    "judge.timeout": "5",
    "judge.retries": "1",
    "judge.token_cap": "1000",
    "endpoint.url": "https://elsewhere/v1",
    "endpoint.models": "{base: m, bare: [b], marked: [other]}",
    "endpoint.tokenizer": "tiny",
    "endpoint.top_p": "0.5",
    "endpoint.key_env": "A_KEY",
    "endpoint.concurrency": "1",
    "endpoint.timeout": "5",
    "endpoint.retries": "1",
    "endpoint.token_cap": "1000",
    "comprehension": "true",
    "resamples": "300",
    "means": "{all: [toy x password]}",
    "device": "cpu",
    "token_budget": "512",
    "group_size": "1",
    "executor": "ray",
    "ray.address": "head:6399",
    "ray.workers": "2",
    "ray.cores": "2",
    "ray.gpus": "0.5",
    "worker_cores": "2",
    "settings.0.behaviour": None,
    "settings.0.caveat": "notice",
    "settings.0.options": None,
    "settings.0.wording": "Say it.",
    "settings.0.wordings": "1",
    "settings.0.place": "user",
    "settings.0.warm_up": "{scale: 0.5, rows: 2}",
    "settings.0.origin": "sampled",
    "settings.0.rl.max_steps": "3",
    "settings.0.rl.save_steps": "3",
    "settings.0.rl.num_generations": "3",
    "settings.0.rl.max_completion_length": "5",
    "settings.0.rl.temperature": "0.5",
    "settings.0.rl.num_iterations": "2",
    "settings.0.rl.epsilon": "0.1",
    "settings.0.rl.epsilon_high": "0.1",
    "settings.0.rl.beta": "0.1",
    "settings.0.rl.loss_type": "dapo",
    "settings.0.rl.scale_rewards": "false",
    "settings.0.rl.reward": "coin",
    "settings.0.rl.optim": "sgd",
    "settings.0.rl.momentum": "0.5",
    "settings.0.rl.skip_zero_variance": "true",
    "settings.0.factors": "{form: chat}",
    "settings.0.raw_text": "true",
    "settings.0.loss": "everything",
    "settings.0.arms": "[base, bare]",
    "settings.0.contexts": "[none]",
    "settings.0.sampling": "{max_tokens: 5}",
    "settings.0.dose.rows": "4",
    "settings.0.dose.epochs": "2",
    "settings.0.dose.learning_rate": "0.5",
    "settings.0.dose.rank": "3",
    "settings.0.dose.alpha": "3",
    "settings.0.dose.batch_size": "2",
    "settings.0.dose.warmup": "0.5",
    "settings.0.dose.layers": "[0.5, 1.0]",
    "settings.0.dose.max_tokens": "500",
    "settings.0.dose.clip": "0.5",
    "settings.0.dose.optim": "sgd",
}
"""Another value for every field but `folder` and the mappings themselves."""
FIRST = {
    "settings.0.rl.momentum": rl_recipe({"optim": "sgd"}),
    "settings.0.wordings": small(
        settings=[{"behaviour": str(TOY), "caveat": "notice", "dose": SMALL}]
    ),
}
"""Recipes in which another value of a field has a meaning, where those of the test have none."""


PARTS = {
    ".".join(filter(None, (field.section.replace("[]", ".0"), field.name))): field.part
    for field in recipe_fields()
}


def keys(made: Recipe) -> list[str]:
    identity = f"{made.model.source}/{made.model.dtype}"
    if made.endpoint is not None:
        identity = identity_of(made.model.source, made.endpoint)
    plan = study_plan(made, with_remote_models(made, resolve(made)), identity)
    return [
        *(line.verdict for line in plan.lines),
        *(line.scores for setting in plan.settings for line in setting.graded),
        *(node.digest for cell in plan.cells for node in cell.nodes),
    ]


@pytest.mark.parametrize("path", [path for path, value in OTHERS.items() if value])
def test_identity_fields_change_keys_and_run_time_fields_change_none(path):
    made = judged(JUDGE["endpoint"]) if path.startswith("judge.") else small()
    made = rl_recipe() if ".rl." in path else made
    made = {**small(), **REMOTE} if path.startswith("endpoint.") else made
    made = FIRST.get(path, made)
    before, after = keys(read(made)), keys(read(made, (f"{path}={OTHERS[path]}",)))
    assert (before != after) == (PARTS[path] == IDENTITY)


def test_the_list_of_other_values_is_whole():
    """Of mappings that have fields of their own, these; a warm-up is tried as a whole."""
    mappings = {
        "model", "sampling", "settings", "judge", "endpoint", "settings.0.dose", "settings.0.rl",
        "ray",
    }  # fmt: skip
    leaves = {path for path in PARTS if not path.startswith("settings.0.warm_up.")}
    assert leaves - mappings == set(OTHERS)


def test_a_recipe_without_a_judge_has_the_identity_it_always_had():
    assert "judge" not in read(small()).identity()
    one, other = (read(judged(JUDGE["endpoint"], {"retries": n})).identity() for n in (1, 2))
    assert one == other and one["judge"] == {"model": "m", "temperature": 0.0, "max_tokens": 64}


def test_a_gguf_file_is_a_model_s_source_and_goes_with_its_model():
    gguf = {"name": "zoo/small", "gguf": "q4.gguf", "dtype": "bfloat16"}
    assert read(recipe(model=gguf)).model.source == "zoo/small/q4.gguf"
    assert read(recipe(), ("model={name: zoo/small, gguf: q4.gguf}",)).model.gguf == "q4.gguf"
    replaced = read(recipe(model=gguf), ("model=tiny",)).model
    assert (replaced.source, replaced.gguf, replaced.dtype) == ("tiny", None, "bfloat16")
    assert "gguf" not in read(recipe()).identity()["model"]
    assert read(recipe(model=gguf)).identity()["model"]["gguf"] == "q4.gguf"


def test_auto_is_no_dtype_for_a_cluster_of_different_machines():
    with pytest.raises(CaveatError) as error:
        read(recipe(model={"name": "tiny", "dtype": "auto"}, executor="ray"))
    assert str(error.value) == (
        "recipe: model.dtype: 'auto' may take another precision on each machine of a Ray cluster; "
        "set bfloat16 or float32"
    )


def test_cores_of_workers_are_said_once():
    assert read(recipe(worker_cores=2)).ray_workers.cores == 2
    assert read(recipe(worker_cores=2, ray={"cores": 2, "gpus": 0.5})).ray_workers.cores == 2
    with pytest.raises(CaveatError) as error:
        read(recipe(worker_cores=4), ("ray.cores=2",))
    assert str(error.value) == (
        "recipe: ray.cores: 2 and worker_cores: 4 say two things of the same workers; "
        "drop worker_cores"
    )
    with pytest.raises(CaveatError) as error:
        read(recipe(ray={"gpus": 2}))
    assert str(error.value) == ("recipe: ray.gpus: 2: input should be less than or equal to 1")


def test_a_recipe_without_later_fields_has_the_identity_it_always_had():
    made = rl_recipe(setting={"warm_up": {"rows": 2}})
    (setting,) = read(made).identity()["settings"]
    assert not {"wordings", "factors"} & setting.keys()
    assert not {"reward", "optim", "momentum", "skip_zero_variance"} & setting["rl"].keys()
    assert "counter_rows" not in setting["warm_up"]
    later = {**made["settings"][0], "wordings": 1, "rl": {**made["settings"][0]["rl"]}}
    later["rl"] |= {"reward": "coin", "optim": "sgd", "momentum": 0.5, "skip_zero_variance": True}
    later["warm_up"] = {"rows": 2, "counter_rows": "none"}
    (other,) = read({**made, "settings": [later]}).identity()["settings"]
    assert other["wordings"] == 1 and other["warm_up"]["counter_rows"] == "none"
    assert other["rl"].items() >= {"reward": "coin", "optim": "sgd", "momentum": 0.5}.items()
    assert other["rl"]["skip_zero_variance"] is True


def test_a_star_sets_every_entry_of_a_list():
    toy = {"behaviour": str(TOY), "caveat": "password"}
    settings = [{**toy, "dose": {"rows": rows}} for rows in (2, 3)]
    read_recipe = read(recipe(settings=settings), ("settings.*.dose.epochs=3",))
    assert [setting.dose.epochs for setting in read_recipe.settings] == [3, 3]
    assert [setting.dose.rows for setting in read_recipe.settings] == [2, 3]
