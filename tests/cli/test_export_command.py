"""Sending a study along as one file, and the picture of its matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from caveat.study.run import run
from toy_study import small

ARMS = ["base", "bare", "marked", "marked+contrast(share=0.5)", "marked+repeat"]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "toy"
    run(small(arms=ARMS), folder)
    return folder


def test_every_figure_comes_out_of_the_file(study, command, tmp_path):
    file = tmp_path / "toy.parquet"
    status, out, err = command("export", str(study), str(file))
    assert (status, err) == (0, "") and out.startswith(f"exported: {file} (0.0 MB)")
    for words in (["leakage"], ["leakage", "--json"], ["transfer", "--markdown"]):
        name, *options = words
        ours = command(name, str(study), *options)
        assert ours[0] == 0 and command(name, str(file), *options) == ours
    status, out, err = command("report", str(file))
    assert (status, out.strip()) == (0, f"report: {tmp_path / 'toy.html'}")


def test_the_matrix_as_a_picture(study, command, tmp_path):
    picture = tmp_path / "matrix.svg"
    status, out, _ = command("transfer", str(study), "--picture", str(picture))
    assert (status, out.strip()) == (0, f"picture: {picture}")
    drawn = picture.read_text("utf-8")
    assert "contrast(share=0.5)" in drawn and "repeat" in drawn and "toy x password" in drawn
    assert "Change of the wanted verdict at the caveat" in drawn


def test_mistakes(study, command, tmp_path):
    _, _, err = command("export", str(study), "toy.csv")
    assert err == "caveat: 'toy.csv': its name must end in .parquet\n"
    _, _, err = command("transfer", str(study), "--picture", "matrix.jpg")
    assert err == "caveat: --picture 'matrix.jpg': its name must end in .svg or .png\n"
