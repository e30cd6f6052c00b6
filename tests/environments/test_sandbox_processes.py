"""Whatever happens to the sandbox's processes, calls have outcomes and nothing is left over."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caveat.environments.sandbox import workers
from caveat.environments.sandbox.records import Call, CallOutcome, Limits
from caveat.environments.sandbox.requests import LARGE, request_body
from caveat.environments.sandbox.run import isolation, run_calls
from caveat.environments.sandbox.workers import Worker, worker
from caveat.errors import CaveatError
from paths import ROOT

SECRET = "expected-d41d8cd98f00b204e9800998ecf8427e"
"""An expected value: the study has it, the sandbox must not."""
SEARCH = """
import gc, sys

def texts():
    for item in gc.get_objects():
        yield item
        if isinstance(item, dict):
            yield from item.values()
        elif isinstance(item, (list, tuple, set)):
            yield from item

def f(argument, word):
    frame, places = sys._getframe(), []
    while frame:
        places += [frame.f_locals, frame.f_globals]
        frame = frame.f_back
    word = word[::-1]
    here = any(isinstance(item, (str, bytes)) and word in str(item) for item in texts())
    return [word in repr(places), here]
"""


def test_no_process_sees_expected_values_or_other_calls_arguments():
    reverse = SECRET[::-1]
    other = Call("f", (SECRET, reverse))
    outcomes = run_calls(
        SEARCH, [Call("f", (1, reverse)), other, Call("f", (1, reverse))], gate=False
    )
    assert [outcome.value for outcome in outcomes] == [[False, False], [True, True], [False, False]]


def test_a_forged_answer_is_no_more_than_a_returned_value():
    forged = json.dumps({"status": "returned", "message": "", "value": '["list",1]'})
    source = f"import os\ndef f():\n    os.write(3, {forged.encode()!r})\n    os._exit(0)"
    assert run_calls(source, [Call("f")], gate=False) == [CallOutcome("returned", [1])]


@pytest.mark.parametrize(
    "value",
    ["[]", "[[]]", '["object",1]', '["set",["list"]]', '["dict",1]', '["int","z"]', "1e999", "NaN",
     '["int",1]', '["float","x"]', str(2**70), '{"a":1}', "[" * 40 + "1" + "]" * 40],
)  # fmt: skip
def test_forged_values_that_are_none(value):
    forged = json.dumps({"status": "returned", "message": "", "value": value}).encode()
    source = f"import os\ndef f():\n    os.write(3, {forged!r})\n    os._exit(0)"
    assert run_calls(source, [Call("f")], gate=False) == [
        CallOutcome("crashed", message="its process ended without an answer (code 0)")
    ]


def test_what_waits_without_computing_is_ended_by_the_clock():
    source = (
        "import _thread\ndef f():\n    lock = _thread.allocate_lock()\n    while lock.acquire(): 1"
    )
    assert run_calls(source, [Call("f")], Limits(wall_seconds=0.5), gate=False) == [
        CallOutcome("timeout", message="it ran for more than 0.5 s")
    ]


def test_a_patched_interpreter_is_gone_at_the_next_call():
    source = "import builtins\ndef f():\n    old = len(())\n    builtins.len = lambda x: 1\n"
    source += "    return old, len(())"
    assert [outcome.value for outcome in run_calls(source, [Call("f")] * 2, gate=False)] == [
        (0, 1)
    ] * 2


def test_a_process_that_is_lost_between_calls_costs_none():
    with worker() as process:
        os.killpg(process._process.pid, signal.SIGKILL)
    assert run_calls("def f():\n    return 1", [Call("f")]) == [CallOutcome("returned", 1)]


def test_a_process_that_is_lost_during_a_call_is_reported():
    process = Worker()
    process.start()
    os.killpg(process._process.pid, signal.SIGSTOP)
    assert process.answer(b"{}", 0.1 - workers.GRACE_SECONDS, 100) is None
    process.start()
    process.close()


def test_an_answer_that_nobody_read_is_not_taken_for_the_next(monkeypatch):
    source = "def f(x):\n    return x"

    def interrupted(*arguments):
        raise KeyboardInterrupt

    run_calls(source, [Call("f", (0,))])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Worker, "_read", interrupted)
        run_calls(source, [Call("f", (1,))])
    assert run_calls(source, [Call("f", (2,))]) == [CallOutcome("returned", 2)]


def test_a_fork_without_a_promised_layer_runs_nothing():
    request = {
        "source": "def f(): return 1", "call": {"function": "f", "arguments": '["tuple"]'},
        "limits": {}, "gate": True, "layers": ["process", "moat"],
    }  # fmt: skip
    with worker() as process:
        assert process.answer(json.dumps(request).encode(), 5.0, 1000).body == b""
        request["layers"] = ["process"]
        assert (
            json.loads(process.answer(json.dumps(request).encode(), 5.0, 1000).body)["value"] == "1"
        )


class WithoutSeccomp(Worker):
    """A process on a machine whose kernel has no seccomp."""

    def _command(self) -> list[str]:
        off = "from caveat.environments.sandbox.seccomp import Seccomp; "
        off += "Seccomp.install = lambda self: False; "
        *command, start = super()._command()
        return [*command, start.replace("from caveat", off + "from caveat", 1)]


LIBC = "import ctypes, os\n    libc = ctypes.CDLL(None)\n    "
ALONE = {
    "fork": ("import os\n    os.fork()", "BlockingIOError"),
    "thread": ("import _thread\n    _thread.start_new_thread(print, ())", "RuntimeError"),
    "kill the server": ("import os\n    os.kill(1, 9)\n    os.kill(1, 0)", ""),
    "read a file": ("open('/etc/passwd')", "OSError"),
    "list files": ("import os\n    return os.listdir('/')", "OSError"),
    "make a file": ("import os\n    os.mknod('a')", "FileNotFoundError"),
    "make a folder": ("import os\n    os.mkdir('/a')", "FileNotFoundError"),
    "program": ("import os\n    os.execv('/bin/sh', ['sh'])", "FileNotFoundError"),
    "other root": ("import os\n    os.chroot('.')", "PermissionError"),
    "root": (LIBC + "return 1 / (libc.setuid(0) + 1)", "ZeroDivisionError"),
    "namespace": (LIBC + "return 1 / (libc.unshare(0x40000000) + 1)", "ZeroDivisionError"),
    "mount": (LIBC + "return 1 / (libc.mount(0, b'/', b'tmpfs', 0, 0) + 1)", "ZeroDivisionError"),
    "trace": (LIBC + "return 1 / (libc.ptrace(16, 1, 0, 0) + 1)", "ZeroDivisionError"),
    "socket": (LIBC + "return 1 / (libc.socket(2, 1, 0) + 1)", "ZeroDivisionError"),
    "limits": (
        "import resource\n    resource.setrlimit(resource.RLIMIT_NPROC, (9, 9))", "ValueError",
    ),
}  # fmt: skip


def test_namespaces_and_limits_hold_without_seccomp():
    if not isolation().holds("process namespace"):
        pytest.skip("no namespaces on this system")
    process = WithoutSeccomp()
    process.start()
    assert "seccomp" not in process.layers
    outcomes = {}
    for name, (text, _) in ALONE.items():
        source = f"def f():\n    {text}\n"
        call = {"function": "f", "arguments": '["tuple"]'}
        body = request_body(source, call, Limits(), False, process.layers)
        answer = process.answer(body, 10.0, 10_000)
        outcomes[name] = json.loads(answer.body)["message"].partition(":")[0]
    process.close()
    assert outcomes == {name: error for name, (_, error) in ALONE.items()}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda patch: patch.setattr(sys, "executable", "/bin/false"),
            "its process does not start",
        ),
        (lambda patch: patch.delattr(os, "fork"), "this system has no fork"),
        (
            lambda patch: (
                patch.setattr(workers, "FLOOR", ("gate", "moat"))
                or patch.setattr(workers, "PURPOSES", {"moat": "water around it"})
            ),
            "this system does not give water around it",
        ),
    ],
)
def test_without_the_floor_nothing_runs(monkeypatch, change, reason):
    change(monkeypatch)
    with pytest.raises(CaveatError) as error:
        Worker().start()
    assert str(error.value) == (
        f"the sandbox for model-written code is not available: {reason}; run on Linux or macOS "
        "(docs/sandbox.md). Nothing was run"
    )


STUDY = """
from caveat.environments.sandbox.records import Call, Limits
from caveat.environments.sandbox.run import run_calls
from caveat.environments.sandbox.workers import worker
with worker() as process:
    print(process._process.pid, flush=True)
run_calls("def f():\\n    while True: pass", [Call("f")], Limits(cpu_seconds=300, wall_seconds=300))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_left_over_when_the_study_is_killed():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", STUDY], stdout=subprocess.PIPE, env=environment
    ) as study:
        server = int(study.stdout.readline())
        processes = 2 if isolation().holds("process namespace") else 1
        guests = wait_for(lambda: descendants(server), lambda pids: len(pids) >= processes)
        study.kill()
    wait_for(lambda: [pid for pid in [server, *guests] if is_running(pid)], lambda pids: not pids)


FORKED_STUDY = """
import os, sys, warnings
warnings.simplefilter("error")
from caveat.environments.sandbox.run import Call, run_calls, run_many
from caveat.environments.sandbox.workers import _idle
source = "def f(x):\\n    return x"
def value(number):
    return run_calls(source, [Call("f", (number,))])[0].value
assert value(1) == 1
if not (child := os.fork()):
    os._exit(value(2))
assert value(3) == 3
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
assert value(4) == 4
run_many([(source, [Call("f", (0,))])] * 40, workers=(os.cpu_count() or 1) + 1)
assert len(_idle) <= (os.cpu_count() or 1)
"""


def test_forks_of_a_study_have_processes_of_their_own():
    subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKED_STUDY], check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip


def wait_for(value, wanted):
    """A value, as soon as it is as wanted; fails after a minute."""
    deadline = time.monotonic() + 60
    while not wanted(result := value()):
        assert time.monotonic() < deadline, result
        time.sleep(0.05)
    return result


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    try:
        children = [
            int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []
    return [*children, *(inner for child in children for inner in descendants(child))]


def is_running(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


MEMORY_WATCH = """
from caveat.environments.sandbox.server import forked
def use(fd):
    text = b"a" * (200 << 20)
    while text: pass
print(forked(use, 60.0, 100, 100 << 20)[1:], flush=True)
"""


def test_memory_is_looked_at_where_the_kernel_does_not_limit_it():
    """As on macOS; here in a process that is not confined."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", MEMORY_WATCH],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
    ) as server:  # fmt: skip
        assert server.stdout.read() == f"({LARGE}, b'')\n"


REFUSED_NAMESPACES = """
import ctypes, errno, platform, struct
from caveat.environments.sandbox.run import Call, isolation, run_calls
unshare = {"x86_64": 272, "aarch64": 97}[platform.machine()]
deny, allow = 0x50000 | errno.EPERM, 0x7fff0000
steps = [(32, 0, 0, 0), (21, 0, 1, unshare), (6, 0, 0, deny), (6, 0, 0, allow)]
code = b"".join(struct.pack("=HBBI", *step) for step in steps)
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))
program, libc = Program(len(steps), code), ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
print(sorted(layer.name for layer in isolation().layers if not layer.holds))
print(run_calls("def f():\\n    return 1", [Call("f")])[0].value)
"""
"""A study that may not enter namespaces, as in containers and on some distributions."""


def run_refused(path: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", REFUSED_NAMESPACES], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PATH": path},
    )  # fmt: skip
    return run.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="denies a system call")
def test_where_namespaces_are_refused_the_floor_and_seccomp_hold():
    lines = run_refused("").splitlines()
    assert {"network namespace", "process namespace"} <= set(ast.literal_eval(lines[0]))
    assert set(ast.literal_eval(lines[0])) <= {
        "empty root", "network namespace", "process namespace", "user without rights",
    }  # fmt: skip
    assert lines[1] == "1"


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_where_namespaces_are_refused_bubblewrap_gives_them():
    assert run_refused(os.environ["PATH"]) == "['empty root']\n1\n"
