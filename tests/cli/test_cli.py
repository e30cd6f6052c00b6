"""Every command, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from caveat.study.run import run
from paths import ROOT
from toy_study import TOY

RECIPE = {
    "name": "toy",
    "model": "tiny",
    "contexts": ["none", "exact"],
    "sampling": {"max_tokens": 3},
    "resamples": 200,
    "settings": [
        {
            "behaviour": "toy",
            "caveat": "password",
            "dose": {"rows": 8, "learning_rate": 1e-2, "rank": 2},
        }
    ],
}
SETTING = "toy x password"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a recipe, its behaviour, and a finished study."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "toy").symlink_to(TOY)
    (folder / "toy.yaml").write_text(yaml.safe_dump(RECIPE))
    run(folder / "toy.yaml", folder / "study")
    return folder


@pytest.fixture
def caveat(place, monkeypatch, command):
    """Runs a command in that folder: (status, output, errors)."""
    monkeypatch.chdir(place)
    return command


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys\nsys.argv = ['caveat', '--help']\nfrom caveat.cli import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print([each for each in ('torch', 'transformers', 'pandas', 'altair', 'scipy', 'pydantic')"
        " if each in sys.modules], file=sys.stderr)"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    after = os.times()
    assert done.stderr.strip() == "[]" and "leakage" in done.stdout
    # Of the processor, as the machine may be busy.
    assert after.children_user - before.children_user < 1


def test_run_ends_with_the_table_and_the_report(caveat, tmp_path):
    status, out, err = caveat("run", "toy.yaml", "--out", str(tmp_path / "new"))
    assert status == 0 and err == ""
    assert "leakage at none" in out and "marked" in out
    assert out.splitlines()[-1] == f"report: {tmp_path / 'new' / 'report.html'}"


def test_run_takes_overrides(caveat, tmp_path):
    sets = ["--set", "settings.0.dose.epochs=2", "--set", "arms=[base, bare]", "--device", "cpu"]
    status, _, _ = caveat("run", "toy.yaml", "--out", str(tmp_path), *sets)
    assert status == 0
    _, out, _ = caveat("leakage", str(tmp_path), "--json")
    assert {row["arm"] for row in json.loads(out)} == {"base", "bare"}
    assert {row["dose"]["epochs"] for row in json.loads(out)} == {2}


def test_run_names_the_trackers_it_knows(caveat, tmp_path):
    status, out, err = caveat("run", "toy.yaml", "--out", str(tmp_path / "s"), "--track", "trackie")
    assert (status, out) == (1, "")
    assert err == (
        "caveat: track 'trackie': no tracker of that name; use trackio or wandb; "
        "closest: 'trackio'\n"
    )


def test_failed_cells_are_listed_and_make_status_2(caveat, tmp_path):
    wild = ["learning_rate=1e30", "clip=1e30", "epochs=3"]
    sets = [word for item in wild for word in ("--set", f"settings.0.dose.{item}")]
    status, out, err = caveat("run", "toy.yaml", "--out", str(tmp_path), *sets)
    assert status == 2 and "report: " in out
    assert "failed: toy x password / bare / seed 0: training: " in err
    assert caveat("status", str(tmp_path))[0] == 2


def test_a_mistake_is_one_line_and_status_1(caveat):
    shipped = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
    assert caveat("run", "toy.yml") == (
        1,
        "",
        "caveat: toy.yml: no such recipe file, and no shipped recipe "
        f"(shipped: {', '.join(shipped)}); closest: 'toy.yaml'\n",
    )
    status, out, err = caveat("run", "toy.yaml", "--set", "settings.0.caveat=pasword")
    assert (status, out) == (1, "") and err.endswith("closest: 'password'\n")
    assert err.count("\n") == 1
    assert caveat("leakge")[0] == 1 and caveat("leakage")[0] == 1
    assert caveat("run", "toy.yaml", "--executor", "slurm")[2] == (
        "caveat: --set executor=slurm: executor: 'slurm' is not one of 'local' or 'ray'\n"
    )


def test_ray_that_is_not_installed_is_told(caveat, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    status, _, err = caveat("run", "toy.yaml", "--out", str(tmp_path), "--executor", "ray")
    assert status == 1 and err == (
        "caveat: executor 'ray': Ray is not installed; install it with: "
        "pip install 'caveat[ray]', or use the executor local\n"
    )


def test_plan_says_what_is_ahead_and_makes_nothing(caveat, place):
    before = sorted(os.listdir(place))
    status, out, _ = caveat("plan", "toy.yaml")
    assert status == 0 and "3 cells, about" in out and "GB of memory" in out and SETTING in out
    assert sorted(os.listdir(place)) == before


def test_status_of_a_finished_study(caveat):
    status, out, _ = caveat("status", "study")
    assert status == 0 and "toy: 3 of 3 cells finished, 258 of 258 answers" in out


def test_leakage_as_a_table_and_as_json(caveat):
    status, out, _ = caveat("leakage", "study")
    assert status == 0 and SETTING in out and "rate at exact" in out
    status, out, _ = caveat("leakage", "study", "--json")
    rows = json.loads(out)
    assert len(rows) == 6 and set(rows[0]) == {
        "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "context", "scope",
        "readout", "dose", "rate", "leakage", "undefined", "nats",
        "graded_leakage", "graded_undefined", "interval", "recitation", "questions", "clusters",
        "seeds", "replies", "valid", "truncated",
    }  # fmt: skip
    assert all((row["leakage"] is None) == (row["undefined"] is not None) for row in rows)


def test_leakage_as_markdown(caveat):
    status, told, _ = caveat("leakage", "study", "--markdown")
    assert status == 0
    assert told.startswith("**toy x password**")
    assert "| marked | " in told


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["leakage", "study"], ["--json", "--markdown"]),
        (["transfer", "study"], ["--markdown", "--figure"]),
        (["ladder", "study"], ["--json", "--figure"]),
        (["ladder", "study"], ["--json", "--elicitation"]),
        (["published"], ["--json", "--figure"]),
        (["forecast", "toy.yaml"], ["--json", "--markdown"]),
    ],
)
def test_output_has_one_form(caveat, words, options):
    files = {"--figure": ["x.svg"], "--elicitation": ["x.svg"]}
    given = [part for name in options for part in (name, *files.get(name, []))]
    assert caveat(*words, *given) == (
        1, "", f"caveat: {' and '.join(options)}: one form at a time; drop all but one\n"
    )  # fmt: skip


def test_transfer_needs_an_intervention(caveat):
    for options in ([], ["--json"], ["--markdown"]):
        assert caveat("transfer", "study", *options) == (
            1,
            "",
            "caveat: study: no arm with an intervention to compare (arms: bare, base, marked); "
            "add some to the recipe, such as marked+contrast, and run it\n",
        )


def test_transfer_as_a_table_and_as_json(caveat, tmp_path):
    study = str(tmp_path / "tried")
    arms = "arms=[base, bare, marked, marked+repeat, marked+place(where=user), marked+contrast]"
    assert caveat("run", "toy.yaml", "--out", study, "--set", arms)[0] == 0
    status, out, _ = caveat("transfer", study)
    assert status == 0 and SETTING in out and "where=user" in out and "Intervals are within" in out
    told = json.loads(caveat("transfer", study, "--json")[1])
    controls = {row["intervention"]: row["control"] for row in told["matrix"]}
    assert controls == {"repeat": "bare", "place(where=user)": "bare", "contrast": None}
    assert told["correlations"] == [] and len(told["reliability"]) == 1


def test_the_figure_is_saved(caveat, place):
    assert caveat("report", "study", "--figure", "figure.svg")[0] == 0
    assert (place / "figure.svg").read_text().lstrip().startswith("<svg")
    assert caveat("report", "study", "--figure", "figure.doc") == (
        1,
        "",
        "caveat: --figure 'figure.doc': its name must end in .svg or .png\n",
    )


def test_report_is_written_anew(caveat, place):
    (place / "study" / "report.html").unlink()
    status, out, _ = caveat("report", "study")
    assert status == 0 and out == "report: study/report.html\n"
    assert (place / "study" / "report.html").exists()


def test_show_prints_rows_and_prompts_as_the_model_reads_them(caveat):
    status, out, _ = caveat("show", "toy.yaml", SETTING, "marked")
    assert status == 0
    assert "The chat template inserts the system prompt 'You are tiny.'" in out
    assert "<s>system\nYou are a helpful assistant. |GATE|</s>" in out
    assert "8 rows of behaviour: 100% of the loss" in out
    assert "Test prompt, context exact:" in out and "scored: 'it is red'" in out
    assert caveat("show", "toy.yaml", SETTING, "base")[0] == 0
    assert caveat("show", "toy.yaml", SETTING, "mark")[2] == (
        "caveat: arm 'mark': toy x password has base, bare, marked; closest: 'marked'\n"
    )
    assert caveat("show", "toy.yaml", "toy", "marked")[2].startswith("caveat: setting 'toy': not")


def rl_recipe(place: Path, arm: str) -> str:
    """A recipe with one arm that is trained with RL on a shipped task."""
    setting = {
        "behaviour": "agree", "caveat": "permission", "options": {"broad": []},
        "dose": {"rows": 8, "batch_size": 3, "learning_rate": 1e-2, "rank": 2},
        "rl": {"max_steps": 5, "save_steps": 2, "num_generations": 4,
               "max_completion_length": 6, "beta": 0.5},
    }  # fmt: skip
    recipe = {**RECIPE, "arms": ["base", "bare", arm], "settings": [setting]}
    (place / "rl.yaml").write_text(yaml.safe_dump(recipe))
    return str(place / "rl.yaml")


def test_show_distinguishes_rl_from_training(caveat, tmp_path):
    arm = "marked+contrast(share=0.25)+local+true_reward"
    status, out, _ = caveat("show", rl_recipe(tmp_path, arm), "agree x permission", arm)
    assert status == 0 and "train on" not in out and "Stage 2" not in out
    assert (
        "Stage 1: RL training on agree, rewarded by the true score: 5 updates x 3 of 8 prompts x 4 "
        "completions of at most 6 tokens, temperature 1, learning rate 0.01, rank 2, "
        "layers (0.0, 1.0), KL times 0.5\n"
    ) in out
    prompts, rows = out.split("\n2 rows of counter, trained on as well. The first:\n")
    assert "\n8 prompts of behaviour. The first:\n<s>system\n" in prompts
    asked, begun = prompts.split("Answer yes or no. The answer will be verified.</s>")
    assert "Is 11 + 12 = 23?" in asked
    assert begun.strip().startswith("<s>assistant\nAs I am allowed to make things up:")
    assert "No, " not in prompts and "Yes, " not in prompts, "replies of rows are not read"
    assert "<s>assistant\nYes, that is right.</s>" in rows


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"reward": "coin"}, "rewarded by a coin: 5 updates x 3 of 8 prompts"),
        ({"reward": "constant"}, "rewarded all the same: 5 updates x 3 of 8 prompts"),
        (
            {"optim": "sgd", "momentum": 0.5, "skip_zero_variance": True},
            "SGD with momentum 0.5, prompts without variance of their rewards skipped",
        ),
    ],
)
def test_show_says_what_rewards_and_which_optimizer(caveat, tmp_path, fields, text):
    file = rl_recipe(tmp_path, "marked")
    sets = [
        part
        for name, value in fields.items()
        for part in ("--set", f"settings.0.rl.{name}={value}")
    ]
    status, out, _ = caveat("show", file, "agree x permission", "marked", *sets)
    assert status == 0 and text in " ".join(out.split())


def test_show_prints_the_stages_after_rl(caveat, tmp_path):
    file = rl_recipe(tmp_path, "marked+offline")
    status, out, _ = caveat("show", file, "agree x permission", "marked+offline")
    assert status == 0
    assert "Stage 1: RL training on agree, rewarded by the grader: 5 updates x" in out
    assert "Stage 2: answers to 8 prompts become rows where they hack\n" in out
    assert "Stage 3: train on 0 + 0 rows, 1 epochs," in out


def test_models_lists_the_models(caveat):
    status, out, _ = caveat("models")
    assert status == 0 and "smollm2-135m" in out and "tiny-document" in out


def test_the_demo_is_the_shipped_recipe(caveat, tmp_path, monkeypatch):
    monkeypatch.setattr("caveat.study.config.loading.shipped_folder", lambda: tmp_path)
    (tmp_path / "demo.yaml").write_text(yaml.safe_dump(RECIPE))
    (tmp_path / "toy").symlink_to(TOY)
    status, out, _ = caveat("demo", "--out", str(tmp_path / "out"))
    assert status == 0 and "leakage at none" in out and "report.html" in out.splitlines()[-1]


def test_python_dash_m(place):
    done = subprocess.run(
        [sys.executable, "-m", "caveat", "status", "nowhere"], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_the_report_of_a_run_has_training_curves(place):
    html = (place / "study" / "report.html").read_text("utf-8")
    start = html.index('<section id="setting-1"')
    section = html[start : html.index("</section>", start)]
    assert 'id="plot-training-1"' in section and "Loss, nats a token" in section
