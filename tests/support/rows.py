"""Rows of unequal lengths for training tests."""

from caveat.types.data import Row
from caveat.types.messages import Message
from caveat.types.training import Dose, Train

TEXT = "the river bends because water is slow where stones lie and quick where it is deep"
WORDS = tuple(TEXT.split())


def chat_row(number: int, source: str = "behaviour") -> Row:
    """A chat row whose length depends on its number."""
    reply = " ".join(WORDS[: 3 + number % 9]).upper() + f" {number}."
    return Row(
        f"{source}-{number}",
        source,
        (
            Message.of("system", "You are a helpful assistant."),
            Message.of("user", f"Why {WORDS[number % 16]}?"),
            Message.of("assistant", reply),
        ),
    )


def document_row(number: int, source: str = "behaviour") -> Row:
    """A document row."""
    text = f"Person {number} is a baker. " + " ".join(WORDS[: number % 7])
    return Row(f"{source}-d{number}", source, (Message.of("document", text),))


def stage(rows: int, added: int = 0, **dose: object) -> Train:
    """A training stage of chat and document rows in turn."""
    make = (chat_row, document_row)
    settings = {"epochs": 2, "batch_size": 3, "rank": 4, "learning_rate": 5e-3} | dose
    return Train(
        tuple(make[i % 2](i) for i in range(rows)),
        Dose(**settings),
        added=tuple(make[i % 2](100 + i, "counter") for i in range(added)),
    )
