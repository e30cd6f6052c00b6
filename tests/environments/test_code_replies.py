"""Which text of a reply is its code."""

from __future__ import annotations

import pytest

from caveat.environments.code_tasks.replies import code_of

GOOD = "def f(x):\n    return x"
DRAFT = "def f(x):\n    return 1"
OTHER = "def g(x):\n    return 0"


def block(code, mark="```", info="python"):
    return f"{mark}{info}\n{code}\n{mark}"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        # One block, in every usual form.
        (block(GOOD), GOOD),
        (f"Sure! Here it is:\n\n{block(GOOD)}\n\nIt returns x.", GOOD),
        (block(GOOD, info=""), GOOD),
        (block(GOOD, mark="~~~"), GOOD),
        ("  ```python\n  def f(x):\n      return x\n  ```", GOOD),
        # Several blocks: the last that defines the function, whatever stands in the others.
        (f"{block(DRAFT)}\nBetter:\n{block(GOOD)}", GOOD),
        (f"{block(GOOD)}\nUse it:\n{block('print(f(1))')}", GOOD),
        (f"{block(GOOD)}\nA helper:\n{block(OTHER)}", GOOD),
        (f"{block(GOOD)}\nBroken:\n{block('def f(x: return')}", GOOD),
        # None defines it: the last that defines something.
        (f"{block('def h(x): pass')}\n{block(OTHER)}", OTHER),
        # No fence: code in prose, up to a line at the margin.
        (GOOD, GOOD),
        (f"The function is:\n{GOOD}\n\nThis returns x.", f"{GOOD}\n"),
        (f"import math\n\n{GOOD}", f"import math\n\n{GOOD}"),
        (f"from here on I think.\n{GOOD}", GOOD),
        # A fence that was never closed, whole and cut off.
        (f"```python\n{GOOD}", GOOD),
        (f"```python\n{GOOD}\nassert f(1", GOOD),
        ("```python\ndef f(x):\n    return (x", None),
        ("```python\ndef f(x):\n    if x:", None),
        # No code.
        ("", None),
        ("I cannot do that.", None),
        (block("x = 1"), None),
        (block("def f(x: return"), None),
        ("def f(x) is what you want", None),
        (OTHER, None),
        (block("(" * 5000), None),
        ("```python\n" + "x\n" * 3000, None),
        (block("def f(x):\n    return '\0'"), None),
    ],
)  # fmt: skip
def test_the_code_of_a_reply(reply, code):
    source = code_of(reply, "f")
    assert (source or "").rstrip("\n") == (code or "").rstrip("\n")
    assert (source is None) == (code is None)
