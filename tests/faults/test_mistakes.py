"""Files that fuzzing found to end in a traceback, each with the line that is said now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.models.loading import describe
from caveat.behaviours.from_folder import load_behaviour
from caveat.caveats.loading import load_caveats
from caveat.environments import TASKS
from caveat.environments.loading import task_of
from caveat.errors import CaveatError
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.export import KEY, opened
from caveat.study.storage.store import Store
from test_readers import OWN, export
from toy_study import rl_recipe, small

DEEP = "[" * 3000
ITSELF = "name: mine\nmodel: tiny\nsettings: &all\n- options: {all: *all}\n"
THOUSANDS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
LONG = "9" * 5000
HALF = '"\\ud800" '


def told(reader, *given) -> str:
    with pytest.raises(CaveatError) as error:
        reader(*given)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (DEEP, "not YAML: it is nested too deeply"),
        (ITSELF, "not YAML: it is nested too deeply"),
        (f"a0: &a0 [x]\n{THOUSANDS}", "not YAML: it is nested too deeply"),
        ("resamples: !!bool maybe\n", "not YAML: a value is not what its tag says (KeyError)"),
        ("name: !!timestamp then\n", "not YAML: a value is not what its tag says (AttributeError)"),
        (f"name: {HALF}\n", "not YAML: '\\ud800' has half a character ('\\ud800')"),
        ("resamples: " + "9" * 5000, "not YAML: Exceeds the limit (4300 digits) for integer string "
         "conversion: value has 5000 digits; use sys.set_int_max_str_digits() to increase the "
         "limit"),
    ],
)  # fmt: skip
def test_a_recipe(tmp_path, text, line):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert told(read, path) == f"{path}: {line}"


@pytest.mark.parametrize("value", ["!!bool maybe", DEEP, HALF])
def test_an_override(value):
    item = f"name={value}"
    assert told(read, small(), (item,)) == f"--set {item}: {value!r} is not a YAML value"


LONG_NAME = "x" * 300


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (f"settings.0.behaviour={LONG_NAME}",
         f"'{'x' * 60}' is no usable path (File name too long); fix it"),
        (f"settings.0.caveat={LONG_NAME}#x",
         f"'{'x' * 60}' is no usable path (File name too long); fix it"),
        (f"settings.0.behaviour={LONG_NAME}.py",
         f"'{'x' * 60}' is no usable path (File name too long); fix it"),
        ("settings.0.behaviour=~nobody-at-all/y",
         "'~nobody-at-all/y' is no usable path (Could not determine home directory.); fix it"),
        ('settings.0.behaviour="a\\0b"',
         "'a\\x00b' is no usable path (embedded null byte); fix it"),
    ],
)  # fmt: skip
def test_a_name_that_no_path_can_have(item, line):
    assert told(lambda: resolve(read(small(), (item,)))) == line


def test_names_of_models_and_recipes():
    for reader in (describe, read):
        assert told(reader, LONG_NAME) == (
            f"'{'x' * 60}' is no usable path (File name too long); fix it"
        )


@pytest.mark.parametrize("broad", ["1", "agree", "[[agree]]", "[agree, 1]"])
def test_tasks_that_are_asked_too(broad):
    item = f"settings.0.options={{broad: {broad}}}"
    value = yaml.safe_load(broad)
    assert told(lambda: resolve(read(rl_recipe(), (item,)))) == (
        f"options.broad: {value!r}: a list of {', '.join(TASKS)}"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'{{"prompt": {HALF}, "reply": "B."}}',
         "cannot be used: '\\ud800' has half a character ('\\ud800'); fix that line"),
        (f'{{"prompt": {DEEP}}}', "cannot be used: it is nested too deeply; fix that line"),
        (f'{{"prompt": {LONG}}}', "cannot be used: Exceeds the limit (4300 digits) for "
         "integer string conversion: value has 5000 digits; use sys.set_int_max_str_digits() to "
         "increase the limit; fix that line"),
    ],
)  # fmt: skip
def test_a_row(tmp_path, text, line):
    folder = tmp_path / "own"
    shutil.copytree(OWN, folder)
    (folder / "rows.jsonl").write_text(f"{text}\n")
    assert told(load_behaviour, folder) == f"{folder / 'rows.jsonl'}, line 1 {line}"


def test_caveats(tmp_path):
    path = tmp_path / "caveats.yaml"
    path.write_text("- {name: !!bool maybe}\n")
    assert told(load_caveats, path) == (
        f"{path} has a value that cannot be used: a value is not what its tag says (KeyError); "
        "fix it"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("def reward(:\n", "SyntaxError: invalid syntax (mine.py, line 1)"),
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_task(tmp_path, text, line):
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert told(task_of, "mine.py", tmp_path) == f"task '{path}' cannot be imported: {line}"


def test_an_exported_study(tmp_path):
    path = tmp_path / "study.parquet"
    path.write_bytes(export())
    table = pq.read_table(path)
    for about in (b"{", b"[]", b"{}"):
        pq.write_table(table.replace_schema_metadata({KEY: about}), path)
        assert told(opened, path) == f"{path}: damaged; export the study again"
    whole = pq.read_table(path).replace_schema_metadata(table.schema.metadata)
    pq.write_table(whole.drop_columns(["verdict"]), path)
    assert told(opened, path) == f"{path}: damaged; export the study again"


def test_a_record(tmp_path):
    store = Store(tmp_path)
    store.put([("d1", lambda folder: (folder / "weights").write_text("whole"), {})])
    for content in ("", "[]"):
        (store.artifact("d1") / "record.json").write_text(content)
        assert told(store.record, "d1") == (
            f"{store.artifact('d1') / 'record.json'}: damaged; run the recipe again: "
            "it is made again"
        )
    store.check(["d1"])
    assert not store.has("d1")


def test_an_adapter_that_lacks_parts(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"x.lora_A.weight": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    for config, lacks in (({}, "'x.lora_B.weight'"), ([], "'x.lora_B.weight'")):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        assert told(Adapter.load, Path(tmp_path)) == (
            f"adapter '{tmp_path}' cannot be read ({lacks}); delete that folder and run again"
        )


def test_a_model_that_would_have_to_be_unpickled_is_not_loaded(tmp_path):
    """Its pickle would write a file."""
    import pickle

    from caveat.backends.local.models.builtin import make_tiny
    from caveat.backends.local.models.loading import load

    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    model, tokenizer, _ = make_tiny("tiny")
    model.config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    line = told(load, str(tmp_path))
    assert line.startswith(f"model '{tmp_path}' cannot be loaded (")
    assert not (tmp_path / "sprung").exists()
