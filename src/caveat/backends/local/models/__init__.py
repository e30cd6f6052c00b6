"""Base models: where they come from, the memory they need, and reading rows of tokens."""

from __future__ import annotations
