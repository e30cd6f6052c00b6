"""Attacks on the sandbox: none succeeds, none takes the study down, each has its outcome.

An attack that succeeds returns "escaped", or a status that the table does not have. Those of
`test_layers_under_the_gate` run without the gate, with all of Python that the process has loaded:
they show that the operating system's layers hold by themselves.
"""

from __future__ import annotations

import pytest

from caveat.environments.sandbox.records import Call, CallOutcome, Limits
from caveat.environments.sandbox.run import isolation, run_calls

LIMITS = Limits(cpu_seconds=1.0, memory_bytes=128 << 20)
SHORT = Limits(cpu_seconds=0.05, memory_bytes=128 << 20)
"""For what uses all the time that there is."""
TIME = "it took more than 0.05 s of processor time"
MEMORY = "more memory than allowed"


def outcome_of(source: str, status: str = "", gate: bool = True) -> CallOutcome:
    """What comes of `f(0)`, with little time where that is to run out."""
    limits = SHORT if status == "timeout" else LIMITS
    return run_calls(source, [Call("f", (0,))], limits, gate=gate)[0]


def body(text: str) -> str:
    """The source of a function `f(x)` with this body."""
    return "def f(x):\n" + "".join(f"    {line}\n" for line in text.splitlines())


REFUSED = {
    # Imports.
    "os": ("import os\n", "line 1: the module os cannot be imported"),
    "os as math": ("import os as math\n", "line 1: the module os cannot be imported"),
    "from os": ("from os import system\n", "line 1: the module os cannot be imported"),
    "subprocess": (body("import subprocess"), "line 2: the module subprocess cannot be imported"),
    "socket": ("import math, socket\n", "line 1: the module socket cannot be imported"),
    "ctypes": ("import ctypes\n", "line 1: the module ctypes cannot be imported"),
    "threading": ("import threading\n", "line 1: the module threading cannot be imported"),
    "signal": ("import signal\n", "line 1: the module signal cannot be imported"),
    "gc": ("import gc\n", "line 1: the module gc cannot be imported"),
    "builtins": ("import builtins\n", "line 1: the module builtins cannot be imported"),
    "the sandbox": ("import caveat\n", "line 1: the module caveat cannot be imported"),
    "star": ("from os import *\n", "line 1: the module os cannot be imported"),
    "relative": ("from . import x\n", "line 1: a relative import is not allowed"),
    "as a builtin": (
        "import math as __builtins__\n",
        "line 1: the name __builtins__ is not allowed",
    ),
    "attrgetter": (
        "from operator import attrgetter\n",
        "line 1: operator.attrgetter cannot be imported",
    ),
    "type hints": (
        "from typing import get_type_hints\n",
        "line 1: typing.get_type_hints cannot be imported",
    ),
    "dataclasses": (  # its code is made of the names that fields say they have
        "import dataclasses\n", "line 1: the module dataclasses cannot be imported",
    ),
    "named tuple": (
        "from typing import NamedTuple\n", "line 1: typing.NamedTuple cannot be imported",
    ),
    "Formatter": (
        "from string import Formatter\n",
        "line 1: string.Formatter cannot be imported",
    ),
    # Names.
    "__import__": (body("return __import__('os')"), "line 2: the name __import__ is not allowed"),
    "eval": (body("return eval('1')"), "line 2: eval is not allowed"),
    "exec as decorator": ("@exec\ndef f(x): pass\n", "line 1: exec is not allowed"),
    "compile": (body("c = compile\nreturn c"), "line 2: compile is not allowed"),
    "open": (body("return open('/etc/passwd').read()"), "line 2: open is not allowed"),
    "globals": (body("return globals()"), "line 2: globals is not allowed"),
    "breakpoint": (body("breakpoint()"), "line 2: breakpoint is not allowed"),
    "wide letters": (body("return ｅｖａｌ('1')"), "line 2: eval is not allowed"),
    "__builtins__": (body("return __builtins__"), "line 2: the name __builtins__ is not allowed"),
    "assigned builtins": (
        body("global __builtins__\n__builtins__ = {}"),
        "line 2: the name __builtins__ is not allowed",
    ),
    "walrus builtins": (
        body("return (__builtins__ := {})"),
        "line 2: the name __builtins__ is not allowed",
    ),
    "builtins as a name of an error": (
        body("try: 1/0\nexcept ValueError as __builtins__: pass"),
        "line 3: the name __builtins__ is not allowed",
    ),
    # Attributes.
    "subclasses": (
        body("return ().__class__.__base__.__subclasses__()"),
        "line 2: the attribute __subclasses__ is not allowed",
    ),
    "globals of a function": (
        body("return f.__globals__"),
        "line 2: the attribute __globals__ is not allowed",
    ),
    "code of a function": (
        body("f.__code__ = (lambda x: 1).__code__"),
        "line 2: the attribute __code__ is not allowed",
    ),
    "closure": (body("return f.__closure__"), "line 2: the attribute __closure__ is not allowed"),
    "self of a builtin": (
        body("return len.__self__"),
        "line 2: the attribute __self__ is not allowed",
    ),
    "dict of a module": (
        "import math\n" + body("return math.__dict__"),
        "line 3: the attribute __dict__ is not allowed",
    ),
    "generator's frame": (
        body("return (i for i in ()).gi_frame.f_back"),
        "line 2: the attribute f_back is not allowed",
    ),
    "traceback": (
        body("try: 1/0\nexcept Exception as e: return e.__traceback__"),
        "line 3: the attribute __traceback__ is not allowed",
    ),
    "traceback of a with": (
        "class C:\n"
        "    def __enter__(self): pass\n"
        "    def __exit__(self, kind, error, trace): return trace.tb_frame\n",
        "line 3: the attribute tb_frame is not allowed",
    ),
    "mro": (body("return type(x).mro()"), "line 2: the attribute mro is not allowed"),
    "reduce": (
        body("return x.__reduce_ex__(2)"),
        "line 2: the attribute __reduce_ex__ is not allowed",
    ),
    "class pattern": (
        body("match x:\n    case object(__class__=c): return c"),
        "line 3: the attribute __class__ is not allowed",
    ),
    "frame by a named tuple's pattern": (
        "from abc import ABC\nfrom collections import namedtuple\n"
        "class C(namedtuple('N', 'gi_frame'), ABC): pass\n"
        + body("g = (i for i in ())\nC.register(type(g))\nmatch g:\n    case C(r): return r"),
        "line 8: a class pattern without attributes' names is not allowed",
    ),
    "match args": (
        "class C:\n    __match_args__ = ('__globals__',)\n",
        "line 2: the name __match_args__ is not allowed",
    ),
    "format string": (
        body("return '{0.__class__}'.format(x)"),
        "line 2: format is allowed only on a text that is written out; use an f-string",
    ),
    "nested format string": (
        body("return '{0:{1.__class__}}'.format(x, x)"),
        "line 2: format is allowed only on a text that is written out; use an f-string",
    ),
    "format of a class": (
        body("return str.format('{0.__class__}', x)"),
        "line 2: format is allowed only on a text that is written out; use an f-string",
    ),
    "format by a pattern": (
        body("match '{0.__class__}':\n    case str(format=g): return g(x)"),
        "line 3: format is allowed only on a text that is written out; use an f-string",
    ),
    "format_map": (
        body("return '{x.__class__}'.format_map({'x': x})"),
        "line 2: the attribute format_map is not allowed",
    ),
    "f-string": (
        body("return f'{x.__class__}'"),
        "line 2: the attribute __class__ is not allowed",
    ),
    # Classes.
    "destructor": (
        "class C:\n    def __del__(self): pass\n",
        "line 2: the name __del__ is not allowed",
    ),
    "lying class": (
        "class C:\n    @property\n    def __class__(self): return int\n",
        "line 3: the name __class__ is not allowed",
    ),
    "own attributes": (
        "class C:\n    def __getattribute__(self, name): return 1\n",
        "line 2: the name __getattribute__ is not allowed",
    ),
    "metaclass": (
        "class C(metaclass=print): pass\n",
        "line 1: a class with keywords, such as a metaclass, is not allowed",
    ),
    "annotations": (
        "class C:\n    __annotations__ = {}\n",
        "line 2: the name __annotations__ is not allowed",
    ),
    # The parser.
    "asynchronous": ("async def f(x): pass\n", "line 1: asynchronous code is not allowed"),
    "no Python": ("def f(x:\n", "line 1: no Python: '(' was never closed"),
    "too long": ("#" * 20_001, "20001 characters; 20000 are allowed"),
    "null bytes": ("x = '\0'", None),
    "lone surrogate": ("x = '\ud800'", "the parser gave up: UnicodeEncodeError"),
    "many signs": ("-" * 19_000 + "1", None),
    "many brackets": ("[" * 1_000 + "]" * 1_000, None),
    "long sum": ("x = 1" + "+1" * 9_000, None),
    "many attributes": ("x = a" + ".b" * 9_000, None),
    "long number": ("x = " + "9" * 19_000, None),
}  # fmt: skip
"""Sources that the gate refuses, with the line; None where Python's version decides it."""


@pytest.mark.parametrize("name", REFUSED)
def test_the_gate_refuses(name):
    source, message = REFUSED[name]
    outcome = outcome_of(source)
    if message is None:
        assert outcome.status in {"refused", "raised", "missing", "crashed"}
    else:
        assert outcome == CallOutcome("refused", message=message)


RESOURCES = {
    # Time.
    "loop": ("while True: pass", "timeout", TIME),
    "loop in C": ("return sum(range(10**12))", "timeout", TIME),
    "loop at import": ("", "timeout", TIME),
    "power of powers": ("return 10**10**8", "timeout", TIME),
    "factorial": ("import math\nreturn math.factorial(10**7)", "timeout", TIME),
    "pattern": ("import re\nreturn re.match('(a+)+$', 'a' * 40 + 'b')", "timeout", TIME),
    "stubborn loop": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "timeout", TIME,
    ),
    "stubborn end": ("try: 1 / 0\nfinally:\n    while True: pass", "timeout", TIME),
    "equal hashes": (
        "m = 2**61 - 1\nreturn len({i * m for i in range(10**5)})", "timeout", TIME,
    ),
    "digits": (
        "import decimal\ndecimal.getcontext().prec = 10**7\nreturn str(decimal.Decimal(2).sqrt())",
        "timeout", TIME,
    ),
    "text of an error": (
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
        "timeout", TIME,
    ),
    # Memory.
    "long text": ("return 'a' * 10**10", "memory", MEMORY),
    "a gigabyte": ("return len('a' * 10**9)", "memory", MEMORY),
    "list": ("return [0] * 10**9", "memory", MEMORY),
    "growing text": ("t = 'a'\nwhile True: t += t", "memory", MEMORY),
    "endless iterator": (
        "import itertools\nreturn list(itertools.repeat(1))", "memory", MEMORY,
    ),
    "wide format": ("return f'{1:>{10**9}}'", "memory", MEMORY),
    "old format": ("return '%1000000000d' % 1", "memory", MEMORY),
    "bytes": ("return bytearray(10**9)", "memory", MEMORY),
    # Depth.
    "recursion": ("return f(x)", "raised", "RecursionError: maximum recursion depth exceeded"),
    "nested text": (
        "import json\nreturn json.loads('[' * 10**5)", "raised",
        "RecursionError: maximum recursion depth exceeded while decoding a JSON array from a "
        "unicode string",
    ),
    "long number as text": (
        "return str(10**5000)", "raised",
        "ValueError: Exceeds the limit (4300 digits) for integer string conversion; use "
        "sys.set_int_max_str_digits() to increase the limit",
    ),
    # Output.
    "endless print": (
        "while True:\n    try: print('a' * 1000)\n    except BaseException: pass",
        "output", "it printed more than 100000 characters",
    ),
    "long value": (
        "return 'a' * 10**6", "output", "it returned a value with more text than is allowed",
    ),
    "many texts": (
        "return ['a' * 1000] * 1000", "output",
        "it returned a value with more text than is allowed",
    ),
    "many items": (
        "return list(range(10_001))", "output", "it returned a value of more than 10000 items",
    ),
    "many items by reference": (
        "t = [0]\nfor _ in range(30): t = [t, t]\nreturn t",
        "output", "it returned a value of more than 10000 items",
    ),
    "deep value": (
        "t = []\nfor _ in range(10**5): t = [t]\nreturn t",
        "output", "it returned a value of more than 32 levels",
    ),
    "circle": (
        "t = []\nt.append(t)\nreturn t", "output", "it returned a value of more than 32 levels",
    ),
    "long number": (
        "return 2**20_000", "output", "it returned an integer of 20001 bits; 14000 are allowed",
    ),
    "long error": ("raise ValueError('a' * 10**7)", "raised", "ValueError: " + "a" * 188),
    "lines in an error": (
        "raise ValueError('a\\n\\x1b[31mb\\u202e')", "raised", "ValueError: a ?[31mb?",
    ),
    # Ways out.
    "exit": ("raise SystemExit(0)", "raised", "SystemExit: 0"),
    "interrupt": ("raise KeyboardInterrupt", "raised", "KeyboardInterrupt"),
    "forged memory error": ("raise MemoryError", "memory", MEMORY),
    "error without text": (
        "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E", "raised", "E",
    ),
}  # fmt: skip
"""Bodies of `f(x)` that use too much, with the outcome."""


@pytest.mark.parametrize("name", RESOURCES)
def test_limits_end_what_uses_too_much(name):
    text, status, message = RESOURCES[name]
    if status == "memory" and not isolation().holds("memory limit"):
        pytest.skip("no limit of memory on this system")
    source = body(text) if text else "while True: pass\ndef f(x): pass"
    assert outcome_of(source, status) == CallOutcome(status, message=message)


SLIPS = {
    # Past the gate's reading, stopped where they run.
    "joined name": (
        "return getattr(x, '__cl' + 'ass__')",
        "raised", "TypeError: the attribute __class__ is not allowed",
    ),
    "own getattr elsewhere": (
        "def g(getattr): pass\nreturn getattr(x, '__cl' + 'ass__')",
        "raised", "TypeError: the attribute __class__ is not allowed",
    ),
    "text that lies": (
        "class S(str):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
        "return getattr(x, S('__class__'))",
        "raised", "TypeError: the attribute's name must be a text",
    ),
    "set by name": (
        "setattr(f, '__co' + 'de__', 1)",
        "raised", "TypeError: the attribute __code__ is not allowed",
    ),
    "format by name": (
        "return getattr('{0.__class__}', 'for' + 'mat')(x)",
        "raised",
        "TypeError: format is allowed only on a text that is written out; use an f-string",
    ),
    "own exec elsewhere": (
        "def g(exec): pass\nreturn exec('1')", "raised", "NameError: name 'exec' is not defined",
    ),
    "class by type": (
        "return type('C', (), {'__match_args__': ()})",
        "raised", "TypeError: _type() takes 1 positional argument but 3 were given",
    ),
    "type of a type": (
        "return type(int)('C', (), {})",
        "raised", "TypeError: the type of a class cannot be had here",
    ),
    "module in a module": (
        "import re\nreturn re.enum.sys.modules",
        "raised", "AttributeError: module 're' has no attribute 'enum'",
    ),
    "modules of sys": (
        "import sys\nreturn sys.modules",
        "raised", "AttributeError: module 'sys' has no attribute 'modules'",
    ),
    "attrgetter of operator": (
        "import operator\nreturn operator.attrgetter('__class__')(x)",
        "raised", "AttributeError: module 'operator' has no attribute 'attrgetter'",
    ),
    "attributes by wraps": (
        "import functools\nreturn functools.wraps(f, ('__globals__',))",
        "raised", "TypeError: _wraps() takes 1 positional argument but 2 were given",
    ),
    "metaclass by typing": (
        "import typing\nclass Meta(typing.Type): pass\n"
        "return Meta('C', (), {'__match_args__': ('__globals__',)})",
        "raised", "TypeError: _Hint() takes no arguments",
    ),
    "class of a flag": (
        "import re\nreturn type(re.I)._convert_",
        "raised", "AttributeError: type object 'int' has no attribute '_convert_'",
    ),
    "code in a field's name": (
        "import collections\nreturn collections.namedtuple('C', ['a=exit()'])",
        "raised",
        "ValueError: Type names and field names must be valid identifiers: 'a=exit()'",
    ),
    "input": ("return input()", "raised", "NameError: name 'input' is not defined"),
    # Values that lie.
    "always equal": (
        "class E:\n    def __eq__(self, other): return True\nreturn E()",
        "refused", "it returned a value of type 'E', which is no plain data",
    ),
    "integer that lies": (
        "class I(int):\n    def __eq__(self, other): return True\nreturn [I(3)]",
        "refused", "it returned a value of type 'I', which is no plain data",
    ),
    "text that lies in a dict": (
        "class S(str):\n    def __eq__(self, other): return True\n"
        "    def __hash__(self): return hash('a')\nreturn {S('b'): 1}",
        "refused", "it returned a value of type 'S', which is no plain data",
    ),
    "list that lies": (
        "class L(list):\n    def __eq__(self, other): return True\n"
        "    def __len__(self): return 0\n    def __iter__(self): return iter(())\nreturn L([1])",
        "refused", "it returned a value of type 'L', which is no plain data",
    ),
    "function": (
        "return f", "refused", "it returned a value of type 'function', which is no plain data",
    ),
    "generator": (
        "return (i for i in (1,))",
        "refused", "it returned a value of type 'generator', which is no plain data",
    ),
    "bytes": (
        "return b'1'", "refused", "it returned a value of type 'bytes', which is no plain data",
    ),
    "no function": ("global f\nf = 3\nreturn f", "returned", ""),
}  # fmt: skip
"""Bodies of `f(x)` that the gate cannot judge."""


@pytest.mark.parametrize("name", SLIPS)
def test_what_the_gate_cannot_judge_is_stopped_where_it_runs(name):
    text, status, message = SLIPS[name]
    outcome = outcome_of(body(text))
    assert (outcome.status, outcome.message) == (status, message)


@pytest.mark.parametrize(
    "text", ["return f(x)", "class C:\n    def __repr__(self): return repr(self)\nrepr(C())"]
)
def test_a_raised_recursion_limit_harms_nobody(text):
    source = body("import sys\nsys.setrecursionlimit(10**9)\n" + text)
    assert outcome_of(source, "timeout").status != "returned"


NOTHING = "its process ended without an answer (code 0)"
NEGATIVE = "ZeroDivisionError: division by zero"
DENIED = "PermissionError: [Errno 1] Operation not permitted"
LIBC = "import ctypes\nlibc = ctypes.CDLL(None)\n"


def system_call(call: str) -> str:
    """A body that escapes where a call of the C library works, and raises where it does not."""
    return f"{LIBC}return 'escaped' if libc.{call} >= 0 else 1 / 0"


UNDER = {
    # Processes and signals.
    "fork": ("import os\nos.fork()", "raised", DENIED),
    "fork bomb": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "timeout", TIME,
    ),
    "program": ("import os\nos.execv('/bin/sh', ['sh'])", "raised", DENIED),
    "shell": (
        LIBC + "return 'escaped' if libc.system(b'true') == 0 else 1 / 0", "raised", NEGATIVE,
    ),
    "thread": (
        "import _thread\n_thread.start_new_thread(print, ())",
        "raised", "RuntimeError: can't start new thread",
    ),
    "kill the server": ("import os\nos.kill(1, 9)", "raised", DENIED),
    "kill all": ("import os\nos.kill(-1, 9)", "raised", DENIED),
    "stop itself": ("import os\nos.kill(0, 19)", "raised", DENIED),
    "ignored timers": (
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        "timeout", TIME,
    ),
    "timer off": ("import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)", "raised", None),
    "limits off": (
        "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9, 9))", "raised", None,
    ),
    "trace": (system_call("ptrace(16, 1, 0, 0)"), "raised", NEGATIVE),
    "memory of the server": (
        system_call("process_vm_readv(1, 0, 0, 0, 0, 0)"), "raised", NEGATIVE,
    ),
    "namespace": (system_call("unshare(0x10000000)"), "raised", NEGATIVE),
    "root": ("import os\nos.setuid(0)", "raised", DENIED),
    "code in memory": (
        LIBC + "libc.mmap.restype = ctypes.c_void_p\n"
        "got = libc.mmap(None, ctypes.c_size_t(4096), 7, 34, -1, ctypes.c_long(0))\n"
        "return 'escaped' if got != 2**64 - 1 else 1 / 0",
        "raised", NEGATIVE,
    ),
    # Files and network.
    "read a file": ("open('/etc/passwd')", "raised", DENIED + ": '/etc/passwd'"),
    "read memory": ("open('/proc/self/mem', 'rb')", "raised", DENIED + ": '/proc/self/mem'"),
    "list files": ("import os\nreturn os.listdir('/')", "raised", DENIED + ": '/'"),
    "write a file": ("open('a', 'w')", "raised", DENIED + ": 'a'"),
    "link": (
        "import os\nos.symlink('/etc/passwd', 'a')",
        "raised", DENIED + ": '/etc/passwd' -> 'a'",
    ),
    "folder": ("import os\nos.mkdir('a')", "raised", DENIED + ": 'a'"),
    "other root": ("import os\nos.chroot('..')", "raised", DENIED + ": '..'"),
    "socket": (system_call("socket(2, 1, 0)"), "raised", NEGATIVE),
    "local socket": (system_call("socket(1, 1, 0)"), "raised", NEGATIVE),
    "pipe": ("import os\nos.pipe()", "raised", DENIED),
    # The answer.
    "sudden end": ("import os\nos._exit(0)", "crashed", NOTHING),
    "crash": (
        "import ctypes\nctypes.string_at(0)",
        "crashed", "its process ended without an answer (code -11)",
    ),
    "garbage": (
        "import os\nos.write(3, b'garbage')\nos._exit(0)",
        "crashed", NOTHING,
    ),
    "answer before the answer": (
        "import os\nos.write(3, b'{}')", "crashed", NOTHING,
    ),
    "closed answer": ("import os\nos.close(3)", "raised", DENIED),
    "endless answer": (
        "import os\nwhile True: os.write(3, b'a' * 10**5)", "output", "its answer was too long",
    ),
    "deep answer": (
        "import os\nos.write(3, b'[' * 10**5)\nos._exit(0)",
        "crashed", NOTHING,
    ),
    "patched encoder": (
        "import sys\nsys.modules['caveat.environments.sandbox.guest'].encode = lambda *a: '[1]'",
        "crashed", NOTHING,
    ),
    "patched status": (
        "import sys\nsys.modules['caveat.environments.sandbox.guest']._fields = lambda *a: {"
        "'status': 'passed', 'message': '', 'value': '1'}",
        "crashed", NOTHING,
    ),
    # What others left.
    "environment": ("import os\nreturn dict(os.environ) or 1 / 0", "raised", NEGATIVE),
}  # fmt: skip
"""Bodies of `f(x)` that run without the gate; None for messages that depend on the system."""


@pytest.mark.parametrize("name", UNDER)
def test_layers_under_the_gate(name):
    if not isolation().holds("seccomp"):
        pytest.skip("no seccomp on this system")
    text, status, message = UNDER[name]
    outcome = outcome_of(body(text), status, gate=False)
    assert outcome.status == status
    assert message is None or outcome.message == message
