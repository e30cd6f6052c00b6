"""Memory that is kept, in a process of its own: what a heap is told stays told."""

import subprocess
import sys

import pytest

from caveat.language import heap

WORK = """
import resource, sys, torch
from caveat.language import heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if not heap.keep():
    sys.exit("not glibc")
found = [faults() for _ in range(5)]
assert heap.give_back()
print(max(found[3:]), faults())
"""
PAGES = (1 << 26) // 4096


def test_kept_memory_is_not_asked_for_again_until_it_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", WORK], capture_output=True, text=True, check=False, timeout=120
    )
    if "not glibc" in done.stderr:
        pytest.skip("the C library is not glibc")
    kept, given_back = map(int, done.stdout.split())
    assert kept < PAGES / 10 and given_back > PAGES / 2


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert not heap.keep() and not heap.give_back()
