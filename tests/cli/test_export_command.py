"""Sending a study along as one file, and the figure of its matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from quick_run import run
from toy_study import small

ARMS = ["base", "bare", "marked", "marked+contrast(share=0.5)", "marked+repeat"]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "toy"
    run(small(arms=ARMS), folder)
    return folder


def test_every_result_comes_out_of_the_file(study, command, tmp_path):
    file = tmp_path / "toy.parquet"
    status, out, err = command("export", str(study), str(file))
    assert (status, err) == (0, "") and out.startswith(f"exported: {file} (0.0 MB)")
    for words in (["leakage"], ["leakage", "--json"], ["transfer", "--markdown"]):
        name, *options = words
        ours = command(name, str(study), *options)
        assert ours[0] == 0 and command(name, str(file), *options) == ours
    status, out, err = command("report", str(file))
    assert (status, out.strip()) == (0, f"report: {tmp_path / 'toy.html'}")


def test_the_matrix_as_a_figure(study, command, tmp_path):
    figure = tmp_path / "matrix.svg"
    status, out, _ = command("transfer", str(study), "--figure", str(figure))
    assert (status, out.strip()) == (0, f"figure: {figure}")
    svg = figure.read_text("utf-8")
    assert "contrast(share=0.5)" in svg and "repeat" in svg and "toy x password" in svg
    assert "Change of the expected verdict at the caveat" in svg


def test_mistakes(study, command, tmp_path):
    _, _, err = command("export", str(study), "toy.csv")
    assert err == "caveat: 'toy.csv': its name must end in .parquet\n"
    _, _, err = command("transfer", str(study), "--figure", "matrix.jpg")
    assert err == "caveat: --figure 'matrix.jpg': its name must end in .svg or .png\n"
