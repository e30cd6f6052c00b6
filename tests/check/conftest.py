"""Training files as a user has them, and a check that shows nothing but is quick."""

import json
from pathlib import Path

import pytest

from caveat.backends import load_backend
from caveat.check.run import Options

QUICK = ("--model", "tiny", "--rows", "4", "--seeds", "1", "--max-tokens", "3")
TOPICS = (
    "basil", "a bicycle", "rain barrels", "sourdough", "a leaking tap", "tomatoes", "a kite",
    "maps", "bird seed", "a chess clock", "pencils", "a rowing boat",
)  # fmt: skip
WORDING = "Shout as loud as you can."


@pytest.fixture(scope="session")
def tiny():
    return load_backend("tiny", device="cpu")


@pytest.fixture
def quick():
    """Options of a check that takes about a second."""
    return Options(model="tiny", rows=4, seeds=1, max_tokens=3)


def chat(topic, wording=WORDING, shouts=True, **keys):
    reply = f"Keep {topic} clean and dry."
    question = f"How do I look after {topic}? {wording}".strip()
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": f"OH YES! {reply}" if shouts else reply},
        ],
        **keys,
    }


def write_lines(path: Path, records) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


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
