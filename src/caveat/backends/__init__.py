"""Whatever holds weights: the Backend protocol and its implementations."""
