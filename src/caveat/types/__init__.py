"""Frozen records: what is. Nothing here trains, samples or writes."""

from __future__ import annotations
