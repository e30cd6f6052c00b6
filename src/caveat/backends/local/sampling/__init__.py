"""Replies and log-likelihoods of many adapters in one pass."""
