"""Killed, or refused every further write, at any point: the next run ends with the same table."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from harness import REFUSALS, Errand, Fault, child, ended, started
from studies import STUDIES, Undisturbed
from toy_study import marks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="points are told by Linux' /proc")
SAYS = {
    "full": ": the disk is full; what was finished is kept: "
    "free some space and run the same command again",
    "refused": ": cannot be written (Permission denied); fix that, "
    "or name another folder with --out",
}
"""What a run says that may not write, behind the place."""


def disturbed(undisturbed: Undisturbed, name: str, fault: Fault, after: int, folder: Path) -> None:
    """Run a study into a fault, then again, and assert that nothing is lost or made twice."""
    whole = undisturbed(name)
    end = child(STUDIES[name], folder, fault, after)
    told = f"{fault} at point {after} ({whole.points[after]}): {end.said}"
    if fault in REFUSALS:
        assert end.code == 1 and "\n" not in end.said, told
        assert end.said.endswith(SAYS[fault]), told
    else:
        assert end.code == -signal.SIGKILL, told
    before = marks(folder)
    again = child(STUDIES[name], folder)
    assert again.code == 0, f"{told}; then: {again.said}"
    whole.assert_same(folder, before)


def points_of(undisturbed: Undisturbed, name: str, fault: Fault) -> list[int]:
    """The points of a study at which the fault can be met: as a rule each of them."""
    points = enumerate(undisturbed(name).points)
    if fault == "torn":
        return [place for place, point in points if point.startswith("flush") and "." in point]
    if fault in REFUSALS:
        wanted = ("open", "flush", "mkdir", "rename")
        return [place for place, point in points if point.startswith(wanted)]
    return [place for place, _ in points]


CASES = [
    *(("killed", name, share) for name in STUDIES for share in (0.1, 0.5, 0.9)),
    ("killed", "trained", 0.0), ("killed", "trained", 0.3), ("killed", "trained", 0.7),
    ("torn", "trained", 0.5), ("torn", "practised", 0.6),
    ("full", "trained", 0.2), ("full", "practised", 0.6), ("full", "sampled", 0.9),
    ("refused", "trained", 0.0), ("refused", "warmed", 0.6),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "name", "share"), CASES)
def test_at_some_points(undisturbed, tmp_path, fault, name, share):
    points = points_of(undisturbed, name, fault)
    disturbed(undisturbed, name, fault, points[int(share * len(points))], tmp_path / "study")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "torn", "full", "refused"])
@pytest.mark.parametrize("name", STUDIES)
def test_at_every_point(undisturbed, tmp_path, fault, name):
    for after in points_of(undisturbed, name, fault):
        disturbed(undisturbed, name, fault, after, tmp_path / str(after))


@pytest.mark.slow
def test_at_every_point_of_the_report(undisturbed, tmp_path):
    made, whole = STUDIES["trained"], undisturbed("trained")
    first = whole.points.index("stage report")
    for after in range(first, first + 99):
        folder = tmp_path / str(after)
        told = ended(*started(Errand(made, folder, "killed", after, report=True)))
        if told.code == 0:
            break
        assert told.code == -signal.SIGKILL
        assert ended(*started(Errand(made, folder, report=True))).code == 0
        whole.assert_same(folder)
        assert (folder / "report.html").is_file()
    assert first + 3 < after < first + 98


@pytest.mark.parametrize("name", STUDIES)
def test_killed_again_and_again(undisturbed, tmp_path, name):
    """A little later each time, as a group that is not published yet is begun anew."""
    whole, folder, kills = undisturbed(name), tmp_path / "study", 0
    while child(STUDIES[name], folder, "killed", 40 + 15 * kills).code == -signal.SIGKILL:
        kills += 1
    whole.assert_same(folder)
    assert 2 <= kills < 20
