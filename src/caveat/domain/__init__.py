"""Frozen records: what is. Nothing here trains, samples or writes."""
