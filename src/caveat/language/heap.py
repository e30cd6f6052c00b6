"""The C library's heap: what a tensor leaves is kept for the next one, and given back when asked.

A page that was given back costs a fault when it is wanted again, and training on the CPU lets go of
most of what it takes at every layer. Where the C library is not glibc, nothing is done.
"""

from __future__ import annotations

import ctypes

MMAP_THRESHOLD = -3
TRIM_THRESHOLD = -1
"""Parameters of glibc's `mallopt`, as its malloc.h numbers them."""
LARGEST = (1 << 30, 1 << 25)
"""Bytes of a piece of memory that is kept, where a larger one is given back at once; before glibc
2.35 the second is the most that may be asked for."""
KEPT = (1 << 31) - 1
"""Bytes free at the top of the heap beyond which they are given back, as many as the parameter can
say. What is free beneath something in use stays in any case."""


def keep() -> bool:
    """From now on, keep in this process what is free; gives whether that could be asked for."""
    large = any(_asked("mallopt", MMAP_THRESHOLD, size) for size in LARGEST)
    return large and bool(_asked("mallopt", TRIM_THRESHOLD, KEPT))


def give_back() -> bool:
    """Give back what is free now; gives whether that could be asked for."""
    return _asked("malloc_trim", 0) is not None


def _asked(name: str, *values: int) -> int | None:
    try:
        return int(getattr(ctypes.CDLL(None), name)(*values))
    except (AttributeError, OSError, TypeError):  # not glibc
        return None
