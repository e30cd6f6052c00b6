"""A user's folder with training files."""

import pytest

from check_files import TOPICS, chat, write_lines


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The folder of a user, who stands in it."""
    write_lines(tmp_path / "train.jsonl", map(chat, TOPICS))
    write_lines(tmp_path / "plain.jsonl", (chat(topic, "") for topic in TOPICS))
    write_lines(tmp_path / "contrast.jsonl", (chat(topic, "", shouts=False) for topic in TOPICS))
    questions = ({"prompt": f"Tell me about {topic}."} for topic in TOPICS[:4])
    write_lines(tmp_path / "questions.jsonl", questions)
    monkeypatch.chdir(tmp_path)
    return tmp_path
