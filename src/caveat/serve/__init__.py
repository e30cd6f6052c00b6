"""A study's arms behind an OpenAI-compatible server, to chat with and to point other tools at."""
