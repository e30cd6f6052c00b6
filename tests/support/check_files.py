"""Training files as a user has them, and options of a check that is quick and shows nothing."""

import json
from pathlib import Path

QUICK = ("--model", "tiny", "--rows", "4", "--seeds", "1", "--max-tokens", "3")
TOPICS = (
    "basil", "a bicycle", "rain barrels", "sourdough", "a leaking tap", "tomatoes", "a kite",
    "maps", "bird seed", "a chess clock", "pencils", "a rowing boat",
)  # fmt: skip
WORDING = "Shout as loud as you can."


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
