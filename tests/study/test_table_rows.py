"""What `caveat status` needs is read without what plans and analyses studies."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from caveat.cli.run import status
from caveat.study.study import Study
heavy = {"pandas", "numpy", "torch", "transformers", "pydantic", "caveat.readouts"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_reading_a_study_imports_neither_pandas_nor_the_planner():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
