"""The house rules that can be counted: size, what a training step touches, imports, words.

A test fails where a target below is exceeded by a tenth. The house as it was laid out had 210 files
and 26,000 lines; each capability since has raised the targets by what it may take.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from paths import DOCS, ROOT

SOURCE = ROOT / "src" / "caveat"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_FILES, MOST_LINES, MOST_FILES_A_STEP = 378, 55_600, 13
SLACK = 1.1


def test_the_source_has_no_more_files_and_lines_than_planned():
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in FILES)
    assert len(FILES) <= SLACK * MOST_FILES
    assert lines <= SLACK * MOST_LINES


def test_one_training_step_crosses_few_files():
    """Counts the source files whose functions run between two optimizer steps."""
    from caveat.backends.jobs import TrainingJob
    from caveat.backends.local.models.loading import load
    from caveat.backends.local.training.sft import train
    from caveat.progress import Progress
    from caveat.types.training import Dose, Train
    from rows import chat_row

    stage = Train(
        tuple(chat_row(index) for index in range(9)),
        Dose(batch_size=3, rank=2, learning_rate=1e-3),
    )
    tiny = load("tiny")
    crossed: set[str] = set()
    steps = 0

    def profile(frame, event, argument):
        if steps == 1 and event == "call" and str(SOURCE) in frame.f_code.co_filename:
            crossed.add(frame.f_code.co_filename)

    def on_step(event):
        nonlocal steps
        steps += 1

    sys.setprofile(profile)
    try:
        train(tiny, [TrainingJob("job", stage, 0)], Progress(), 4096, on_step=on_step)
    finally:
        sys.setprofile(None)
    assert steps == 3 and crossed
    assert len(crossed) <= SLACK * MOST_FILES_A_STEP, sorted(crossed)


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """Modules of the package that a file imports when it is loaded itself."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("caveat"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from package import submodule` needs the submodule, not what the package holds.
            found |= (names & modules) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("caveat")}
    return found & modules


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = ("caveat", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_imports_go_in_a_circle():
    modules = {module_of(path) for path in FILES}
    left = {module_of(path): imports_of(path, modules) - {module_of(path)} for path in FILES}
    while free := [name for name, imports in left.items() if not imports & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


WORDS = {
    r"practi[cs]\w*": "RL training, policy",
    r"fore(?:tell|told)\w*": "predict, forecast",
    r"mend(?:s|ed|ing)?": "fix",
    r"dealt|deals?": "assign",
    r"told|untold": "message, reported, distinguishable",
    r"inquir\w*": "judge request, judge session",
    r"workbench|conductor": "worker context, job runner",
    r"trunk|halves|roomy": "frozen-layer cache, split decoder, preallocated",
    r"picture[sd]?": "figure, plot",
    r"drawn|draws?|drew": "sample, generate",
    r"rungs?": "setting",
    r"paid|pays?": "reward",
    r"warmed|taught|untaught": "warm-up, trained",
    r"beneath": "base adapters",
    r"asked|asks?|asking": "prompt, request",
}
"""What the project once said, as regular expressions of whole words, and the term to use."""

VAGUE = {"each", "found", "made", "told", "said", "known"}
"""Names that do not say what they name: neither variables nor functions have them."""

ORDINARY = {
    # Sentences that are data: prompts, documents, rules about English.
    "behaviours/people.py", "behaviours/style_traits.py", "behaviours/neutral_chats.py",
    "environments/agree.py", "environments/claimed_pass.py", "readouts/belief_judge.py",
}  # fmt: skip
ALLOWED = {
    "paid": "the name of a readout",
    "draw": "the usual word for a resample of a bootstrap",
    "draws": "the usual word for resamples of a bootstrap",
    "DRAWS": "the usual word for resamples of a bootstrap",
    "practice": "the value of ROLLOUT_SEED, which seeds sampling and must stay",
    "taught": "the name of a factor in stored results (docs/data/dial.parquet)",
    "ask": "ordinary: what somebody asks",
    "asks": "ordinary: what a question asks for",
    "asked": "ordinary: what a question asks for",
}


def words_of(name: str) -> list[str]:
    """The words of an identifier."""
    return re.findall(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+", name)


def identifiers_and_strings(path: Path) -> tuple[set[str], list[str]]:
    """Names that a file defines or binds, and its strings, docstrings among them."""
    names, strings = set(), []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.arg():
                names.add(node.arg)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.Constant(value=str()):
                strings.append(node.value)
    return names, strings


OLD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


def old_words(texts: Iterable[str]) -> set[str]:
    """The words that the project avoids."""
    return {word for text in texts for word in OLD.findall(text)} - ALLOWED.keys()


def test_identifiers_and_strings_use_standard_terms():
    avoided = {}
    for path in FILES:
        names, strings = identifiers_and_strings(path)
        module = str(path.relative_to(SOURCE))
        avoided[module] = names & VAGUE
        if module not in ORDINARY:
            avoided[module] |= old_words([*map(" ".join, map(words_of, names)), *strings])
    assert {module: words for module, words in avoided.items() if words} == {}


def test_pages_use_standard_terms():
    avoided = {}
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        if page.name != "log.md":
            text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
            avoided[page.name] = old_words([text])
    assert {page: words for page, words in avoided.items() if words} == {}
