"""A seccomp filter: of all system calls, guest code has those that computing needs.

No file can be opened, no process or thread started, no signal sent, no socket made, no timer set:
all those fail with EPERM. Numbers are those of the kernel's tables for x86_64 and aarch64. The
program is built by hand (struct sock_filter of linux/filter.h): pyseccomp needs libseccomp, which
is no Python package.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

_CALLS = {
    "x86_64": {
        "write": 1, "munmap": 11, "brk": 12, "rt_sigprocmask": 14, "rt_sigreturn": 15,
        "sched_yield": 24, "mremap": 25, "madvise": 28, "exit": 60, "gettimeofday": 96, "time": 201,
        "futex": 202, "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231,
        "getrandom": 318,
    },
    "aarch64": {
        "write": 64, "munmap": 215, "brk": 214, "rt_sigprocmask": 135, "rt_sigreturn": 139,
        "sched_yield": 124, "mremap": 216, "madvise": 233, "exit": 93, "gettimeofday": 169,
        "futex": 98, "restart_syscall": 128, "clock_gettime": 113, "exit_group": 94,
        "getrandom": 278,
    },
}  # fmt: skip
"""System calls that are allowed."""
_MAPPING_CALLS = {"x86_64": (9, 10), "aarch64": (222, 226)}
"""mmap and mprotect, which are allowed for memory that cannot be executed."""
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH of linux/audit.h."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _DENY = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER_AT, _ARCHITECTURE_AT, _PROTECTION_AT = 0, 4, 16 + 2 * 8
"""Offsets in struct seccomp_data: call, architecture, third argument."""
_PROT_EXEC = 4
_X32_BIT = 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER_MODE = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class Seccomp:
    """The filter of this machine. It is built once and installed in each fork."""

    def __init__(self) -> None:
        machine = os.uname().machine
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.known = sys.platform == "linux" and machine in _CALLS and sys.maxsize > 2**32
        """Whether there is a filter for this machine."""
        if self.known:
            code = _code(machine)
            self._program = _Program(len(code) // 8, code)

    def no_new_privileges(self) -> bool:
        """Keep this process and its children from gaining privileges. Whether that worked."""
        return sys.platform == "linux" and self._libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0

    def install(self) -> bool:
        """Install the filter for this process. Whether that worked."""
        if not self.known:
            return False
        program = ctypes.byref(self._program)
        return self._libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, program, 0, 0) == 0


def _code(machine: str) -> bytes:
    """The filter's instructions, 8 bytes each: code, jump if true, jump if false, operand."""
    calls = sorted(_CALLS[machine].values())
    head = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    allowed = [step for call in calls for step in ((_EQUAL, 0, 1, call), (_RETURN, 0, 0, _ALLOW))]
    mapping = [
        step
        for call in _MAPPING_CALLS[machine]
        for step in (
            (_EQUAL, 0, 4, call),
            (_LOAD, 0, 0, _PROTECTION_AT),
            (_ANY_BIT, 1, 0, _PROT_EXEC),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _DENY),
        )
    ]
    return b"".join(
        struct.pack("=HBBI", *step) for step in [*head, *allowed, *mapping, (_RETURN, 0, 0, _DENY)]
    )
