"""The commands of `caveat`, a file for those that belong together."""
