"""Verdicts for stored answers."""
