"""What the server of children (see `harness`) imports before it forks them.

A whole small study is run there once, so that whatever is loaded, built or cached at first use is
there for every child: it then takes a tenth of the time.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import harness
from toy_study import small

fsync, os.fsync = os.fsync, lambda _: None
with tempfile.TemporaryDirectory() as folder:
    harness.trained(small(), Path(folder))
os.fsync = fsync
