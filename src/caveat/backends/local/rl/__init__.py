"""Reinforcement learning (GRPO)."""
