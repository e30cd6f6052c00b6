"""What the sandbox's process and its forks may reach: namespaces, users, an empty root, limits.

`confine_server` runs once, in the process that forks for each call; `confine_call` in each fork.
Both say which layers of `requests.PURPOSES` took; each layer that does not is left out, and the
study's side decides whether that is enough.
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

NOBODY = 65534
_CLONE_USER, _CLONE_PROCESSES, _CLONE_NETWORK = 0x10000000, 0x20000000, 0x40000000
_CLONE_MOUNTS, _CLONE_HOST_NAME, _CLONE_MESSAGES = 0x00020000, 0x04000000, 0x08000000
_APART = _CLONE_PROCESSES | _CLONE_NETWORK | _CLONE_MOUNTS | _CLONE_HOST_NAME | _CLONE_MESSAGES
_PR_SET_PARENT_DEATH_SIGNAL, _PR_SET_DUMPABLE = 1, 4
_CAPABILITIES_VERSION = 0x20080522
_RESULT_FD = 3
_SPARE_SECONDS = 1.0
"""A fork's own timer is so much longer than the wall limit that the server enforces."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def confine_server(seccomp: Seccomp, wrapped: bool) -> list[str]:
    """Confine this process and what it forks: the layers that took.

    It may go on in a fork, the first process of its own process namespace. The process that called
    then waits for the fork's end and never returns.

    Args:
        wrapped: Whether bubblewrap started this process, in namespaces of its own.
    """
    layers = []
    if sys.platform == "linux":
        if not wrapped:
            _enter_namespaces()
        layers += _separate_namespaces()
    with suppress(OSError):
        os.chmod(".", 0o555)
        os.chroot(".")
        os.chdir("/")
        layers.append("empty root")
    if os.geteuid() == 0:
        with suppress(OSError):
            os.setgroups([])
        with suppress(OSError):
            os.setregid(NOBODY, NOBODY)
            os.setreuid(NOBODY, NOBODY)
            layers.append("user without rights")
    if sys.platform == "linux":
        _drop_capabilities()
        _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if os.getpid() == 1:
            _LIBC.prctl(_PR_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if seccomp.no_new_privileges():
        layers.append("no new privileges")
    return layers


def _enter_namespaces() -> None:
    """Leave the namespaces of the study, where the system allows, and go on in a fork."""
    user, group = os.geteuid(), os.getegid()
    own_user = user != 0 or _LIBC.unshare(_APART) != 0
    if own_user and _LIBC.unshare(_APART | _CLONE_USER) != 0:
        return
    if own_user:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    if child := os.fork():
        os.closerange(0, 64)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _separate_namespaces() -> list[str]:
    """The namespaces in which this process is alone, by what it sees."""
    layers = []
    with suppress(OSError):
        with open("/proc/self/net/dev", encoding="ascii") as file:
            interfaces = {line.split(":")[0].strip() for line in file if ":" in line}
        if interfaces <= {"lo"}:
            layers.append("network namespace")
    if os.getpid() == 1:
        layers.append("process namespace")
    if os.geteuid() != 0:
        with suppress(OSError), open("/proc/self/uid_map", encoding="ascii") as file:
            if len(lines := file.readlines()) == 1 and lines[0].split()[2] == "1":
                layers.append("user without rights")
    return layers


def _write(path: str, text: str) -> None:
    with suppress(OSError), open(path, "w", encoding="ascii") as file:
        file.write(text)


def _drop_capabilities() -> None:
    """Give up what a new user namespace gives its first process."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    _LIBC.capset(header, (ctypes.c_uint32 * 6)())


def confine_call(limits: Limits, seccomp: Seccomp, result_fd: int) -> tuple[list[str], int]:
    """Confine a fork before it sees guest code: the layers that took, and where its result goes."""
    os.setsid()
    os.dup2(result_fd, _RESULT_FD, inheritable=False)
    for fd in (0, 1, 2):
        with suppress(OSError):
            os.close(fd)
    os.closerange(_RESULT_FD + 1, 256)
    layers = ["process"]
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if _set_limits(limits):
        layers.append("limits")
    if _set_memory(limits.memory_bytes):
        layers.append("memory limit")
    if seccomp.install():
        layers.append("seccomp")
    return layers, _RESULT_FD


def _set_limits(limits: Limits) -> bool:
    """Limits of time, files and processes. The timers end the process without any code of it."""
    seconds = int(limits.cpu_seconds) + 1
    try:
        for kind, value in (
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NPROC, 0),
        ):
            _limit(kind, value)
        for name in (signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU):
            signal.signal(name, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds + _SPARE_SECONDS)
    except (OSError, ValueError):
        return False
    return True


def _limit(kind: int, value: int) -> None:
    """Set a limit for good, or keep a lower one that there is."""
    _, highest = resource.getrlimit(kind)
    if highest != resource.RLIM_INFINITY:
        value = min(value, highest)
    resource.setrlimit(kind, (value, value))


def _set_memory(memory_bytes: int) -> bool:
    """Limit the address space to what the server used and a number of bytes."""
    if not (used := address_space()):
        return False
    try:
        _limit(resource.RLIMIT_AS, used + memory_bytes)
    except (OSError, ValueError):
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
