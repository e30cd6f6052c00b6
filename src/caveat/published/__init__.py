"""Published results of other projects, as leakage."""

from __future__ import annotations
