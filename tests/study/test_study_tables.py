"""Means over settings, asked for in a recipe."""

from __future__ import annotations

import pytest

from caveat.errors import CaveatError
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from quick_run import run
from toy_study import small

NAMED = {"both": ["toy x password", "toy x notice"]}


def two_settings(**changes):
    first = small()["settings"][0]
    return small(settings=[first, {**first, "caveat": "notice"}], **changes)


def test_a_mean_stands_behind_its_settings(tmp_path):
    frame = run(two_settings(means=NAMED), tmp_path / "study").leakage()
    assert list(dict.fromkeys(frame["setting"])) == ["toy x password", "toy x notice", "both"]
    rates = frame.set_index(["setting", "arm", "context"])["rate"]
    for arm in ("bare", "marked"):
        parts = [rates[name, arm, "none"] for name in NAMED["both"]]
        assert rates["both", arm, "none"] == pytest.approx(sum(parts) / 2)


@pytest.mark.parametrize(
    ("means", "line"),
    [
        ({"all": ["toy x passwrd"]}, "means.all: 'toy x passwrd' is not one of the settings toy x "
                                     "password, toy x notice; closest: 'toy x password'"),
        ({"all": []}, "means.all: has no settings; name at least one"),
        ({"toy x notice": ["toy x notice"]}, "means.toy x notice: there is a setting of this name; "
                                             "name it otherwise"),
    ],
)  # fmt: skip
def test_a_mean_that_means_nothing(means, line):
    with pytest.raises(CaveatError) as error:
        resolve(read(two_settings(means=means)))
    assert str(error.value) == line
