"""Valid files spoiled at random: in their bytes, or in what they hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml
from hypothesis import strategies as st

ODD: list[Any] = [
    None, True, False, -1, 0, 1, 2.5, -0.5, 1e308, float("inf"), float("nan"), 10**30, 10**400,
    "", " ", "\n", "x", "none", "base", "yes", "tiny", "-1", "1e9", "..", "a/b", "a:b", "a#b",
    "\x00", "\ud800", "\u2028", "é", "[", "(?", "x" * 300, "{{ x }}", "a+b(c=1)", "contrast(",
    [], [[]], [None], ["x", "x"], {}, {"x": 1}, {"": None}, {"name": {"name": []}},
]  # fmt: skip
"""What nobody expects where something else should stand."""
BYTES = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"]", b'"', b"'", b":", b"\n", b"\r", b",", b"\t",
    b"%", b"&a", b"*a", b"!!int ", b"!!bool ", b"!!timestamp ", b"[" * 3000, b"9" * 5000,
]  # fmt: skip


@st.composite
def in_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, doubled, or with other bytes put in, at one to three places."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        match draw(st.sampled_from(["cut", "out", "twice", "in", "over"])):
            case "cut":
                content = content[:start]
            case "out":
                content = content[:start] + content[end:]
            case "twice":
                content = content[:end] + content[start:]
            case "in":
                content = content[:start] + draw(some_bytes) + content[start:]
            case _:
                content = content[:start] + draw(some_bytes) + content[end:]
    return content


some_bytes = st.one_of(st.sampled_from(BYTES), st.binary(max_size=6))


@st.composite
def in_structure(draw: st.DrawFn, content: bytes, suffix: str) -> bytes:
    """With one to three values lost, exchanged, doubled, or under another key."""
    held = loaded(content, suffix)
    for _ in range(draw(st.integers(1, 3))):
        places = list(slots(held))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["odd", "odd", "lost", "renamed", "doubled", "moved"])):
            case "odd":
                holder[key] = deepcopy(draw(st.sampled_from(ODD)))
            case "lost":
                del holder[key]
            case "renamed" if isinstance(holder, dict):
                holder[draw(st.sampled_from([f"{key}s", str(key)[:-1], "x"]))] = holder.pop(key)
            case "moved":
                other, place = draw(st.sampled_from(places))
                holder[key] = deepcopy(other[place]) if place in there(other) else None
            case _ if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case _:
                holder[key] = [deepcopy(holder[key])] * 2
    return dumped(held, suffix)


def there(holder: Any) -> Any:
    """The keys or places of a holder."""
    return holder if isinstance(holder, dict) else range(len(holder))


def slots(held: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a nested value, as what holds it and the key there."""
    for key in there(held) if isinstance(held, dict | list) else ():
        yield held, key
        yield from slots(held[key])


def loaded(content: bytes, suffix: str) -> Any:
    """What a file holds, as lists and mappings."""
    match suffix:
        case ".yaml":
            return yaml.safe_load(content)
        case ".json":
            return json.loads(content)
        case ".jsonl":
            return [json.loads(line) for line in content.splitlines() if line.strip()]
        case ".csv":
            return [list(row) for row in csv.reader(io.StringIO(content.decode()))]
        case ".parquet":
            return pd.read_parquet(io.BytesIO(content)).to_dict("list")
    return [content.decode()]


def dumped(held: Any, suffix: str) -> bytes:
    """As a file again; what a kind of file cannot hold is written as text."""
    match suffix:
        case ".yaml":
            return yaml.safe_dump(held, sort_keys=False).encode("utf-8", "surrogatepass")
        case ".json":
            return json.dumps(held).encode()
        case ".jsonl":
            lines = held if isinstance(held, list) else [held]
            return "\n".join(map(json.dumps, lines)).encode()
        case ".csv":
            rows = [row if isinstance(row, list) else [row] for row in held]
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            return text.getvalue().encode("utf-8", "surrogatepass")
        case ".parquet":
            return parquet(held)
    return "".join(map(str, held)).encode("utf-8", "surrogatepass")


def parquet(columns: dict[str, Any]) -> bytes:
    """As a parquet file; a column of several kinds of values, or of one that it lacks, as text."""
    lists = {
        name: each if isinstance(each, list) else [each]
        for name, each in ((whole(str(name)), each) for name, each in columns.items())
    }
    length = max(map(len, lists.values()), default=0)
    held = {name: (each * length)[:length] for name, each in lists.items() if each}
    for name, values in held.items():
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1 or not kinds <= {str, int, float, bool} or 10**400 in values:
            held[name] = [str(value) for value in values]
        held[name] = [whole(each) if isinstance(each, str) else each for each in held[name]]
    content = io.BytesIO()
    frame = pd.DataFrame(held)
    try:
        frame.to_parquet(content)
    except (OverflowError, pa.ArrowException):  # a whole number of more than 64 bits
        content = io.BytesIO()
        frame.astype(str).to_parquet(content)
    return content.getvalue()


def whole(text: str) -> str:
    """Text without half characters."""
    return text.encode("utf-8", "replace").decode("utf-8")
