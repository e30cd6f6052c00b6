"""Run in SkyRL's own environment: its Tinker server on the loopback, on the CPU.

    python skyrl_entry.py MODEL_FOLDER WORK_FOLDER PORT

Two things are added to SkyRL 0.4.0. Its engine is started by this Python, where the wheel starts it
by a tool that would build another environment. And replies to `/asample` get the ids of sequences,
which clients since 0.27 expect.
"""

from __future__ import annotations

import json
import runpy
import sys
import typing

import typing_extensions

typing.TypedDict = typing_extensions.TypedDict  # pydantic refuses the other one before Python 3.12
ADAPTERS, RANK = 64, 16
ENGINE = "engine"


def serve(model: str, work: str, port: int) -> None:
    import uvicorn
    from fastapi import Request, Response
    from skyrl.tinker import api
    from skyrl.tinker.config import EngineConfig, config_to_argv

    api._build_uv_run_cmd_engine = lambda parent, config: [
        sys.executable, __file__, ENGINE, *config_to_argv(config)
    ]  # fmt: skip
    api.app.state.engine_config = EngineConfig(
        base_model=model,
        backend="jax",
        backend_config={
            "max_lora_adapters": ADAPTERS, "max_lora_rank": RANK, "loss_chunk_size": 0,
        },
        checkpoints_base=f"{work}/checkpoints",
        database_url=f"sqlite:///{work}/tinker.db",
    )  # fmt: skip

    @api.app.middleware("http")
    async def with_sequence_ids(request: Request, go_on: typing.Any) -> Response:
        if request.url.path != "/api/v1/asample":
            return await go_on(request)
        count = (await request.json()).get("num_samples", 1)
        response = await go_on(request)
        content = b"".join([part async for part in response.body_iterator])
        if response.status_code == 200:
            reply = json.loads(content)
            reply["sample_sequence_ids"] = [f"{reply['request_id']}-{n}" for n in range(count)]
            content = json.dumps(reply).encode()
        return Response(content, response.status_code, media_type="application/json")

    uvicorn.run(api.app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1] == ENGINE:
        del sys.argv[1]
        runpy.run_module("skyrl.tinker.engine", run_name="__main__", alter_sys=True)
    else:
        serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
