"""OpenAI-compatible services: arms that were trained elsewhere, and LLM judges."""
