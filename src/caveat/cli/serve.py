"""Commands that let other programs use a study: `caveat serve`, `watch`, `adapters`."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from caveat.cli.app import Device, Folder, Version
from caveat.cli.console import warn
from caveat.errors import CaveatError


def serve(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of a study.", metavar="STUDY", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="In place of a study: a model alone, such as smollm2-135m.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Of --model; default float32.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="There is no password: another host opens it to others.")
    ] = "127.0.0.1",
    version: Version = None,
    device: Device = None,
    show: Annotated[
        str | None,
        typer.Option("--print", metavar="vllm", help="Print the command for vLLM, and end."),
    ] = None,
) -> None:
    """Serve a study's arms: a page to chat with two of them, and an OpenAI-compatible API."""
    from caveat.serve.adapter_folders import vllm_command
    from caveat.study.study import Study

    if (folder is None) == (model is None):
        raise CaveatError("caveat serve: name either a study's folder or --model NAME")
    for name, value in (("--version", version), ("--print", show)):
        if folder is None and value is not None:
            raise CaveatError(f"{name}: a model alone is no study; drop it")
    if folder is not None and dtype is not None:
        raise CaveatError("--dtype: a study has its own; drop it")
    if folder is None:
        _serve(model, host, port, device or "auto", dtype or "float32")
        return
    study = Study(folder, version, warn)
    if show is not None:
        if show != "vllm":
            raise CaveatError(f"--print {show}: only 'vllm' is known")
        typer.echo(vllm_command(study, port))
        return
    _serve(study, host, port, device or "auto")


def _serve(source: Any, host: str, port: int, device: str, dtype: str = "") -> None:
    """Serve a study, or a model by its name, until the process is stopped."""
    try:
        import uvicorn

        from caveat.serve.start import application, model_application
    except ImportError as error:
        raise CaveatError(
            f"caveat serve needs {error.name}; pip install 'caveat[serve]'"
        ) from error
    with _listen(host, port) as listening:
        if isinstance(source, str):
            app, models = model_application(source, dtype, device, host)
        else:
            app, models = application(source, device, host)
        address = f"http://{host}:{listening.getsockname()[1]}"
        typer.echo(
            f"serving {len(models)} models at {address}/v1 (page: {address}/); Ctrl-C ends it"
        )
        for name in models:
            typer.echo(f"  {name}")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        server.run(sockets=[listening])


def watch(
    folder: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8090,
) -> None:
    """Follow a running study in a browser: progress, time left, curves, rates, failures.

    The page is for this machine alone. It reads the study and never writes, so it may be opened and
    closed at any time.
    """
    from caveat.serve.watch import Watcher, watch_server

    watcher = Watcher(folder)
    watcher.state()
    with _listen("127.0.0.1", port) as listening:
        server = watch_server(watcher, listening)
        number = listening.getsockname()[1]
        typer.echo(f"watching {folder} at http://127.0.0.1:{number}/; Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _listen(host: str, port: int) -> socket.socket:
    """A socket on the port. Raises CaveatError where it is in use, before a model is loaded."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise CaveatError(
            f"port {port} of {host} cannot be used ({error.strerror or error}); name another with "
            "--port, or 0 for any free one"
        ) from error
    return listening


def adapters(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="A new folder.", show_default=False)],
    base: Annotated[
        str | None,
        typer.Option(help="What the folders name as their base model: a path or a hub name."),
    ] = None,
    with_base: Annotated[
        bool, typer.Option("--with-base", help="Write the base model there too.")
    ] = False,
    version: Version = None,
) -> None:
    """Write each trained arm and seed as a PEFT folder that transformers and vLLM load."""
    from caveat.serve.adapter_folders import write_adapters
    from caveat.study.study import Study

    written = write_adapters(Study(folder, version, warn), out, base, with_base)
    for one in written:
        typer.echo(f"{one.path}  rank {one.rank}  {one.model.id}")
