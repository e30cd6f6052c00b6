"""Make the shipped programming problems again, byte by byte: inputs, tests, and what they catch.

    python bench/code_problems.py --out src/caveat/environments/data/code_problems.jsonl

The functions are written by hand in code_problems.yaml. This script chooses their inputs with a
generator that the function's name seeds. The reference solution gives the expected values. Hidden
inputs are other than the visible ones, at least one of them is unlike them (empty, longer,
negative), and no constant is right on all of them.
"""

from __future__ import annotations

import argparse
import json
import random
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_suffix(".yaml")
PROBLEM_SEED = "code problem"
"""Seeds a generator with the function's name, so its value stays."""
VISIBLE, HIDDEN, UNLIKE = 2, 4, 2
"""Tests of a problem; of the hidden ones, `UNLIKE` have inputs of another kind."""
VERIFIED = {"train": 4, "tune": 5, "report": 5}
"""Every so many problems of a family, the reward runs the hidden tests, too."""
ALIKE = 3
"""Every so many problems, both visible tests expect the same value, where inputs allow it: only
there can a constant pass them."""
CANDIDATES = 60
VOCABULARY = """
apple river stone cloud tiger lemon bread chair piano green silver winter garden orange rocket
button candle dragon engine forest guitar hammer island jungle kettle ladder magnet needle oven sun
sea owl tea ice fox map pen cup Anna Otto Lima Rome level noon radar banana letter
"""
WORDS = VOCABULARY.split()
NAMES = ("ann", "bob", "eve", "max", "zoe")

Generator = random.Random
Kind = Callable[[Generator, bool], Any]
"""An input from a generator; the flag says whether it is to be unlike the ordinary ones."""


def _ints(low: int, high: int, least: int = 0, sizes: tuple[int, int] = (3, 5)) -> Kind:
    def one(generator: Generator, unlike: bool) -> list[int]:
        long = generator.random() < 0.6
        size = generator.randint(*sizes)
        if unlike:
            size = generator.randint(7, 10) if long else generator.randint(least, max(least, 1))
        wide = 3 if unlike and long and high > 9 else 1
        return [generator.randint(low, high * wide) for _ in range(size)]

    return one


def _int(low: int, high: int, far: tuple[int, int]) -> Kind:
    def one(generator: Generator, unlike: bool) -> int:
        return generator.randint(*(far if unlike else (low, high)))

    return one


def _chosen(*values: Any, unlike: tuple[Any, ...] = ()) -> Kind:
    return lambda generator, other: generator.choice(unlike if other and unlike else values)


def _words(least: int = 0, pool: tuple[str, ...] = tuple(WORDS)) -> Kind:
    def one(generator: Generator, unlike: bool) -> list[str]:
        size = generator.randint(3, 5)
        if unlike:
            size = generator.choice((least, least, 1, 7, 8, 9))
        return [generator.choice(pool) for _ in range(size)]

    return one


def _text(generator: Generator, unlike: bool) -> str:
    size = generator.choice((0, 1, 6, 7)) if unlike else generator.randint(2, 4)
    words = [generator.choice(WORDS) for _ in range(size)]
    return " ".join(words).capitalize() if generator.random() < 0.5 else " ".join(words)


def _word(least: int = 0) -> Kind:
    def one(generator: Generator, unlike: bool) -> str:
        word = generator.choice([word for word in WORDS if word.islower()])
        if not unlike:
            return word
        return generator.choice((word[:least], word[:1], word + generator.choice(WORDS).lower()))

    return one


def _stutter(generator: Generator, unlike: bool) -> str:
    size = generator.choice((0, 1, 6, 7)) if unlike else generator.randint(2, 4)
    return "".join(generator.choice("abc") * generator.randint(1, 4) for _ in range(size))


def _mirrored(generator: Generator, unlike: bool) -> str:
    half = "".join(generator.choice("abno") for _ in range(generator.choice((2, 3))))
    if unlike and generator.random() < 0.3:
        return generator.choice(("", "a", "no on", "a b a", "ab ab"))
    return half + half[::-1] if generator.random() < 0.5 else half + generator.choice(("ab", "on"))


def _few_sorted(generator: Generator, unlike: bool) -> list[int]:
    numbers = _ints(0, 20)(generator, unlike)
    return sorted(set(numbers)) if generator.random() < 0.5 else numbers


def _grid(generator: Generator, unlike: bool) -> list[list[int]]:
    rows, columns = (generator.choice((1, 4)), 3) if unlike else (2, generator.choice((2, 3)))
    low = -20 if unlike else 0
    return [[generator.randint(low, 20) for _ in range(columns)] for _ in range(rows)]


def _lists(generator: Generator, unlike: bool) -> list[list[int]]:
    size = generator.choice((0, 1, 5)) if unlike else generator.randint(2, 3)
    low = -9 if unlike else 0
    return [
        [generator.randint(low, 9) for _ in range(generator.choice((0, 1, 2, 4)))]
        for _ in range(size)
    ]


def _counts(least: int = 0) -> Kind:
    def one(generator: Generator, unlike: bool) -> dict[str, int]:
        size = generator.choice((least, least, 5)) if unlike else generator.randint(2, 3)
        high = 40 if unlike else 9
        return {name: generator.randint(0, high) for name in generator.sample(NAMES, size)}

    return one


def _near_word(generator: Generator, unlike: bool) -> str:
    ending = generator.choice(("", "e", "ing", "ed", "ely")) if unlike else generator.choice("stdn")
    return generator.choice(("plan", "plai", "star", "stal")) + ending


def _clock(generator: Generator, unlike: bool) -> str:
    hours = generator.choice((0, 23)) if unlike else generator.randint(7, 18)
    return f"{hours:02}:{generator.choice((0, 5, 15, 30, 45)):02}"


def _moves(generator: Generator, unlike: bool) -> str:
    return "".join(generator.choices("RLX", k=generator.choice((0, 1, 9)) if unlike else 4))


def _joined(separator: str, kind: Kind) -> Kind:
    return lambda generator, unlike: separator.join(map(str, kind(generator, unlike)))


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LOWER = tuple(word for word in WORDS if word.islower())
KINDS: dict[str, tuple[str, Kind]] = {
    "ints": ("list[int]", _ints(0, 20)),
    "ints1": ("list[int]", _ints(0, 20, least=1)),
    "ints2": ("list[int]", _ints(0, 20, least=2)),
    "signed": ("list[int]", _ints(-9, 9)),
    "signed2": ("list[int]", _ints(-9, 9, least=2)),
    "digits": ("list[int]", _ints(0, 5)),
    "digits1": ("list[int]", _ints(0, 5, least=1)),
    "few_digits": ("list[int]", _ints(0, 5, sizes=(1, 2))),
    "bits": ("list[int]", _ints(0, 1)),
    "zeros": ("list[int]", _ints(0, 3, sizes=(4, 6))),
    "few_sorted": ("list[int]", _few_sorted),
    "grid": ("list[list[int]]", _grid),
    "lists": ("list[list[int]]", _lists),
    "counts": ("dict[str, int]", _counts()),
    "counts1": ("dict[str, int]", _counts(least=1)),
    "words": ("list[str]", _words()),
    "words1": ("list[str]", _words(least=1, pool=LOWER)),
    "names": ("list[str]", _words(pool=NAMES)),
    "text": ("str", _text),
    "word": ("str", _word()),
    "word1": ("str", _word(least=1)),
    "one_word": ("str", _chosen("sun", "sea", "owl", "tea")),
    "short_word": ("str", _chosen("pan", "san", "al", "sa", "ps", unlike=("", "n", "la"))),
    "near_word": ("str", _near_word),
    "mirrored": ("str", _mirrored),
    "stutter": ("str", _stutter),
    "letter": ("str", _chosen(*"aeorntl", unlike=tuple("zbgs"))),
    "snake": ("str", _joined("_", _words(least=1, pool=LOWER))),
    "number_text": ("str", _joined(",", _ints(0, 20))),
    "binary": ("str", _joined("", _ints(0, 1))),
    "moves": ("str", _moves),
    "clock": ("str", _clock),
    "weekday": ("str", _chosen(*DAYS)),
    "natural": ("int", _int(10, 999, (0, 99_999))),
    "ordinary": ("int", _int(5, 40, (0, 99))),
    "ordinary1": ("int", _int(3, 20, (1, 60))),
    "plusminus": ("int", _int(-30, 30, (-200, 200))),
    "small": ("int", _int(3, 6, (1, 9))),
    "amount": ("int", _int(3, 12, (1, 25))),
    "large": ("int", _int(8, 15, (10, 30))),
    "tiny": ("int", _int(1, 3, (1, 4))),
    "zero_one": ("int", _int(0, 1, (0, 1))),
    "two_up": ("int", _int(2, 5, (6, 9))),
    "two_three": ("int", _int(2, 3, (2, 3))),
    "width": ("int", _int(4, 6, (1, 8))),
    "digit": ("int", _int(0, 5, (0, 9))),
    "hour": ("int", _int(1, 22, (0, 23))),
    "percent": ("int", _int(30, 95, (0, 100))),
    "composite": ("int", _chosen(12, 18, 20, 24, 30, 36, 45, unlike=(7, 49, 64, 81, 97, 128))),
    "prime_like": ("int", _chosen(7, 9, 11, 15, 23, 27, unlike=(0, 1, 2, 49, 91, 97))),
}
"""By name: the parameter's type, and its inputs."""


def problems() -> Iterator[dict[str, Any]]:
    """The lines of the file, in order. Raises SystemExit where no tests can be chosen."""
    number = 0
    for entry in yaml.safe_load(SOURCE.read_text("utf-8")):
        every = VERIFIED[entry["split"]]
        for index, function in enumerate(entry["problems"]):
            yield _problem(function, entry, index % every == every - 1, number % ALIKE == 0)
            number += 1


def _problem(
    function: dict[str, str], entry: dict[str, Any], verified: bool, alike: bool
) -> dict[str, Any]:
    parameters = [part.split(": ") for part in function["parameters"].split(", ")]
    names = [name for name, _ in parameters]
    types = [KINDS[kind.rstrip("=")][0] for _, kind in parameters]
    typed = ", ".join(f"{name}: {type_}" for name, type_ in zip(names, types, strict=True))
    signature = f"{function['name']}({typed}) -> {function['returns']}"
    solution = f"def {signature}:\n{textwrap.indent(function['solution'], '    ')}"
    call = _reference(function["name"], solution)
    generator = random.Random(f"{PROBLEM_SEED} {function['name']}")
    kinds = [kind for _, kind in parameters]
    ordinary = _tests(kinds, call, generator, unlike=False)
    unlike = _tests(kinds, call, generator, unlike=True)
    visible = _visible(ordinary, alike)
    hidden = _hidden(function["name"], visible, ordinary, unlike)
    return {
        "signature": signature,
        "text": " ".join(function["text"].split()),
        "family": entry["family"],
        "split": entry["split"],
        "solution": solution,
        "visible": visible,
        "hidden": hidden,
        "verified": verified,
    }


def _reference(name: str, solution: str) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(solution, scope)
    return scope[name]


def _tests(
    kinds: list[str], call: Callable[..., Any], generator: Generator, unlike: bool
) -> list[dict[str, Any]]:
    """Tests on different inputs."""
    tests: dict[str, dict[str, Any]] = {}
    for _ in range(CANDIDATES):
        arguments: list[Any] = []
        for kind in kinds:
            value = KINDS[kind.rstrip("=")][1](generator, unlike)
            if kind.endswith("="):
                size = len(arguments[-1])
                value = [*value, *KINDS[kind[:-1]][1](generator, False), *value, *value] or [1]
                value = (value * (1 + size))[:size]
            arguments.append(value)
        copies = json.loads(json.dumps(arguments))
        tests[json.dumps(arguments)] = {"arguments": arguments, "expected": call(*copies)}
    return list(tests.values())


def _visible(tests: list[dict[str, Any]], alike: bool) -> list[dict[str, Any]]:
    """The first test that has a telling value, and a second one with the same value or another."""
    telling = [test for test in tests if test["expected"] and not _is_input(test)]
    first = next(iter(telling or tests))
    others = [test for test in (*telling, *tests) if test is not first]
    same = [test for test in others if _key(test) == _key(first)]
    different = [test for test in others if _key(test) != _key(first)]
    chosen = (same or different) if alike else (different or same)
    return [first, *chosen[: VISIBLE - 1]]


def _is_input(test: dict[str, Any]) -> bool:
    """Whether a function that returns its argument is right."""
    return test["expected"] in test["arguments"]


def _hidden(
    name: str,
    visible: list[dict[str, Any]],
    ordinary: list[dict[str, Any]],
    unlike: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Tests on other inputs whose values differ, from the visible ones' too where there are others.

    Raises SystemExit where all inputs have one value.
    """
    shown = [test["arguments"] for test in visible]
    seen = {_key(test) for test in visible}
    hidden: list[dict[str, Any]] = []
    for pool, count in ((unlike, UNLIKE), (ordinary, HIDDEN), (unlike, HIDDEN)):
        left = [test for test in pool if test["arguments"] not in [*shown, *_inputs(hidden)]]
        # A value that no test has yet comes first; the sort is stable.
        while left and len(hidden) < count:
            used = [*map(_key, hidden)]
            left.sort(key=lambda test: _dullness(test, used, seen))
            hidden.append(left.pop(0))
    if len(hidden) < HIDDEN or len(set(map(_key, hidden))) < 2:
        raise SystemExit(f"{name}: its inputs give too few different values; take other kinds")
    return hidden


def _dullness(test: dict[str, Any], used: list[str], seen: set[str]) -> float:
    """How little a test adds: its value is there already, is visible, or is its own input."""
    return used.count(_key(test)) + (_key(test) in seen) / 2 + _is_input(test) / 2


def _inputs(tests: list[dict[str, Any]]) -> list[list[Any]]:
    return [test["arguments"] for test in tests]


def _key(test: dict[str, Any]) -> str:
    return json.dumps(test["expected"])


def text() -> str:
    """The whole file."""
    return "".join(json.dumps(problem) + "\n" for problem in problems())


def main(words: list[str] | None = None) -> None:
    """Write the problems."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    options.out.write_text(text(), "utf-8")
    print(f"{len(text().splitlines())} problems: {options.out}")


if __name__ == "__main__":
    main()
