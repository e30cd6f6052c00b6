"""`caveat forecast`: predict leakage before training."""
