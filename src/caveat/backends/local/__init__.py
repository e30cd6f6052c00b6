"""Torch in this process: lockstep LoRA, GRPO, sampling."""
