"""The report: one self-contained HTML file, and the compact tables of the terminal."""

from __future__ import annotations
