"""A recipe, from YAML to validated settings with their plans."""
