"""Tables for terminal, markdown and HTML."""
