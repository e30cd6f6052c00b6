"""What others found: published figures, and their verdicts as finished studies."""

from __future__ import annotations
