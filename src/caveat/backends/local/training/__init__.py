"""Supervised training of adapters in lockstep."""
