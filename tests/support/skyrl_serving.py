"""SkyRL 0.4.0, an independent implementation of the Tinker API, in an environment of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caveat.backends import load_backend, save_model
from caveat.files.hashing import cache_folder

VERSION = "0.4.0"
PYTHON_VARIABLE = "CAVEAT_SKYRL_PYTHON"
"""Names the Python of an environment that is there already."""
ENTRY = Path(__file__).with_name("skyrl_entry.py")
NEEDS = (
    "torch==2.13.0", "tinker>=0.25,<0.26", "transformers>=5.6.1,<=5.16.1", "peft==0.18.1", "jax<1",
    "flax", "optax", "sqlmodel", "sqlalchemy[asyncio]", "aiosqlite", "asyncpg", "psycopg2-binary",
    "fastapi[standard]", "aiohttp", "datasets>=4", "pillow", "rich", "hf_transfer",
    "cloudpathlib", "zstandard", "xxhash", "typer", "typing_extensions",
)  # fmt: skip
"""What SkyRL's extras `tinker` and `jax` name; it is installed without them, as its metadata ask
for Python 3.12."""
START = 300.0
"""Seconds that it may take to start."""


def python() -> Path:
    """The Python of SkyRL's environment, which is made at first use (some 5 minutes, 2.2 GB)."""
    if given := os.environ.get(PYTHON_VARIABLE):
        return Path(given)
    folder = cache_folder() / f"skyrl-{VERSION}"
    inside, done = folder / "bin" / "python", folder / "installed"
    if not done.is_file():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(inside), "-m", "pip", "install", "-q"]
        wheel = ["--no-deps", "--ignore-requires-python", f"skyrl=={VERSION}"]
        subprocess.run([*pip, *NEEDS], check=True)
        subprocess.run([*pip, *wheel], check=True)
        done.touch()
    return inside


@contextmanager
def skyrl(model: Path, work: Path) -> Iterator[str]:
    """The address of a server over a model's folder, started and ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    work.mkdir(parents=True, exist_ok=True)
    command = [str(python()), str(ENTRY), str(model), str(work), str(port)]
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = {**kept, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    with (work / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(process, address, work / "server.log")
        yield address
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{address}/api/v1/healthz", timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"SkyRL did not start: {log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    if not Path(sys.argv[1]).exists():
        save_model(load_backend("tiny"), Path(sys.argv[1]))
    with skyrl(Path(sys.argv[1]), Path(sys.argv[2])) as url:
        print(url, flush=True)
        input("enter ends it")
