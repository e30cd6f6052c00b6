"""What the sandbox's process and its forks may reach: namespaces, users, an empty root, limits.

`confine_server` runs once, in the process that forks for each call; `confine_call` in each fork.
Both say which layers took, by the names in `PURPOSES`. Without `FLOOR` nothing runs.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress

from caveat.environments.sandbox.records import Limits
from caveat.environments.sandbox.seccomp import Seccomp

PURPOSES = {
    "gate": "ordinary Python only: no imports beyond a list, no way from values to the interpreter",
    "process": "a process of its own for each call, with its own session and no open files",
    "limits": "limits of time, files and processes that the kernel enforces",
    "memory limit": "a limit of memory that the kernel enforces",
    "no new privileges": "no program can give more rights",
    "user namespace": "no rights over anything outside; root becomes nobody",
    "network namespace": "no network",
    "process namespace": "no other process can be seen; what is left over is ended",
    "empty root": "no file of this system can be seen",
    "seccomp": "system calls for computing only: no files, sockets, processes, threads, signals",
}
"""The layers, and what each keeps away."""
FLOOR = ("gate", "process", "limits")
"""Layers without which nothing runs."""
NOBODY = 65534
_CLONE_USER, _CLONE_PROCESSES, _CLONE_NETWORK = 0x10000000, 0x20000000, 0x40000000
_CLONE_MOUNTS, _CLONE_HOST_NAME, _CLONE_MESSAGES = 0x00020000, 0x04000000, 0x08000000
_ALL = _CLONE_PROCESSES | _CLONE_NETWORK | _CLONE_MOUNTS | _CLONE_HOST_NAME | _CLONE_MESSAGES
_PR_SET_PARENT_DEATH_SIGNAL, _PR_SET_DUMPABLE = 1, 4
_CAPABILITIES_VERSION = 0x20080522
_SPARE_SECONDS = 1.0


def confine_server(seccomp: Seccomp) -> list[str]:
    """Confine this process and what it forks. The layers that took.

    It may go on in a fork, the first process of its own process namespace. The process that called
    then waits for the fork's end and never returns.
    """
    layers = []
    if sys.platform == "linux":
        layers += _enter_namespaces()
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        _drop_capabilities()
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if seccomp.no_new_privileges():
        layers.append("no new privileges")
    return layers


def _enter_namespaces() -> list[str]:
    """Leave the namespaces of the study, where the system allows; go on in a fork."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    flags = _ALL if user == 0 else _ALL | _CLONE_USER
    if libc.unshare(flags) != 0:
        return []
    layers = ["network namespace", "process namespace", "user namespace"]
    if user != 0:
        with suppress(OSError):
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
            _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    with suppress(OSError):
        os.chmod(".", 0o555)
        os.chroot(".")
        os.chdir("/")
        layers.append("empty root")
    if child := os.fork():
        os.closerange(0, 64)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    return layers


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _drop_capabilities() -> None:
    """Give up what a new user namespace gives its first process."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, nothing)


def confine_call(limits: Limits, seccomp: Seccomp, result_fd: int) -> tuple[list[str], int]:
    """Confine a fork before it sees guest code: the layers that took, and where its result goes."""
    os.setsid()
    kept = 3
    os.dup2(result_fd, kept, inheritable=False)
    for fd in (0, 1, 2):
        with suppress(OSError):
            os.close(fd)
    os.closerange(kept + 1, 256)
    layers = ["process"]
    if _set_limits(limits):
        layers.append("limits")
    if _set_memory(limits.memory_bytes):
        layers.append("memory limit")
    if seccomp.install():
        layers.append("seccomp")
    return layers, kept


def _set_limits(limits: Limits) -> bool:
    """Limits of time, files and processes. Timers end the process without any code of it."""
    seconds = int(limits.cpu_seconds) + 1
    try:
        for kind, value in (
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NPROC, 0),
        ):
            resource.setrlimit(kind, (value, value))
        for name in (signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU):
            signal.signal(name, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds + _SPARE_SECONDS)
    except (OSError, ValueError):
        return False
    return True


def _set_memory(memory_bytes: int) -> bool:
    """Limit the address space to what is used now and a number of bytes."""
    try:
        limit = address_space() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (OSError, ValueError, AttributeError):
        return False
    return True


def address_space() -> int:
    """Bytes of address space that the server used when this was called first; 0 if not known."""
    if not _ADDRESS_SPACE:
        pages = 0
        with suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        _ADDRESS_SPACE.append(pages * resource.getpagesize())
    return _ADDRESS_SPACE[0]


_ADDRESS_SPACE: list[int] = []
