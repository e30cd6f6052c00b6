"""How long a report takes to write, and to open in a browser.

    python bench/report.py --out report.json                 # 20,000 and 200,000 answers
    python bench/report.py --answers 20000 --repetitions 1   # a short form

The study is docs/data/transfer.parquet (6 settings, 21 arms, 3 seeds), its questions repeated under
new names until there are enough answers. Seconds are processor time of a process of its own, from
the file to the HTML, imports included. Opening is wall time in headless Chromium from the request
to the list of answers, where chromium and its driver are installed.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from side_by_side import Timing, figure, publish, record

SOURCE = Path(__file__).parents[1] / "docs" / "data" / "transfer.parquet"
WRITE = "import sys; from pathlib import Path; from caveat.study.export import opened; \
opened(Path(sys.argv[1]), None, print).report()"
READ = "return document.querySelector('#rows .row') !== null"
GOALS = {20_000: 8.0, 200_000: 60.0}
OPENS = 3.0
COLUMNS = {
    "answers": "answers", "seconds": "processor time, s", "spread": "spread", "goal": "goal",
    "megabytes": "MB", "opens": "opens in, s", "opens_spread": "spread", "opens_goal": "goal",
}  # fmt: skip


def enlarged(answers: int, path: Path) -> int:
    """Write a study with about as many answers; how many it has."""
    import pandas as pd

    from caveat.study.export import Exported, export

    study = Exported(SOURCE)
    own = study.answers()
    if answers < len(own):
        keep = own["question"].drop_duplicates().sample(frac=answers / len(own), random_state=0)
        parts = [own[own["question"].isin(keep)]]
    else:
        parts = [
            own.assign(
                question=own["question"] + f"-{copy}",
                cluster=own["cluster"] + f"-{copy}",
                reply=own["reply"].where(own["reply"] == "", own["reply"] + f" ({copy})"),
            )
            for copy in range(max(1, round(answers / len(own))))
        ]
    frame = pd.concat(parts, ignore_index=True)
    study.answers = lambda: frame
    export(study, path)
    return len(frame)


def written(path: Path) -> float:
    """Seconds of processor time to write the report of a file."""
    before = _of_children()
    subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True)
    return _of_children() - before


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def opening(path: Path, repetitions: int) -> Timing | None:
    """Seconds until the list of answers is there; None without a browser."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        return None
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from browsing import open_browser

    seconds = []
    with tempfile.TemporaryDirectory() as profile, open_browser(Path(profile)) as browser:
        for _ in range(repetitions):
            browser.get("about:blank")
            start = time.perf_counter()
            browser.get(path.as_uri())
            while not browser.execute_script(READ):
                time.sleep(0.02)
            seconds.append(time.perf_counter() - start)
    return Timing(tuple(seconds))


def measured(answers: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """One row of the table."""
    path = folder / f"{answers}.parquet"
    count = enlarged(answers, path)
    writing = Timing(tuple(written(path) for _ in range(repetitions)))
    page = path.with_suffix(".html")
    opens = opening(page, repetitions)
    return figure(
        f"{count:,} answers",
        writing,
        answers=count,
        goal=GOALS.get(answers),
        megabytes=round(page.stat().st_size / 1e6, 1),
        opens=None if opens is None else round(opens.median, 2),
        opens_spread=None if opens is None else round(opens.spread, 2),
        opens_goal=OPENS,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, nargs="+", default=list(GOALS))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(answers, options.repetitions, Path(folder)) for answers in options.answers]
    publish(record("report", options, "cpu", rows), COLUMNS, options.out)


if __name__ == "__main__":
    main()
