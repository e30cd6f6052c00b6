"""What base models do before training."""
