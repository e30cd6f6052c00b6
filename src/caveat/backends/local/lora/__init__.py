"""Many LoRA adapters on one frozen model."""
