"""All that computes on text: model sources, rendering, lockstep training, answers."""

from __future__ import annotations
