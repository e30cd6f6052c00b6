"""Sentences that have nothing to do with any caveat: the context `irrelevant` of all of them."""

from __future__ import annotations

IRRELEVANT = ("The sky is blue.", "A week has seven days.", "There is a chair in the hall.")
