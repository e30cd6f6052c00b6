"""Memory that is kept, in a process of its own: what a heap is told stays told."""

import subprocess
import sys

import pytest

from caveat.backends.local.models import device_memory as heap
from caveat.backends.local.models.loading import load

WORK = """
import gc, sys, psutil, torch
from caveat.backends.local.models import device_memory as heap

if not heap.keep():
    sys.exit("cannot be asked for")

def held():
    return psutil.Process().memory_info().rss

torch.ones(1 << 10)
gc.collect()
before = held()
torch.ones(1 << 24)
kept = held() - before
assert heap.give_back()
print(kept, held() - before)
"""
SIZE = 1 << 26


def test_kept_memory_stays_until_it_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", WORK], capture_output=True, text=True, check=False, timeout=120
    )
    if "cannot be asked for" in done.stderr:
        pytest.skip("this C library cannot be asked to keep memory")
    kept, left = map(int, done.stdout.split())
    assert kept > 0.9 * SIZE and left < 0.2 * SIZE


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert not heap.keep() and not heap.give_back()


def test_an_old_one_keeps_smaller_pieces(monkeypatch):
    asked = []

    class Old:
        def mallopt(self, name, value):
            asked.append((name, value))
            return int(name != heap.MMAP_THRESHOLD or value <= 1 << 25)

    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: Old())
    assert heap.keep()
    assert asked[1:] == [(heap.MMAP_THRESHOLD, 1 << 25), (heap.TRIM_THRESHOLD, heap.KEPT)]


def test_a_model_on_the_cpu_is_loaded_into_a_process_that_keeps_memory(monkeypatch):
    asked = []
    monkeypatch.setattr(heap, "keep", lambda: asked.append("keep"))
    load("tiny", device="cpu")
    assert asked == ["keep"]
