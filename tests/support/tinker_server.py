"""A server that speaks the Tinker API over real weights: the wire is the client's own protobuf.

It runs in a thread of the test's process, counts what it is sent, and can misbehave.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from tinker.proto import tinker_public_pb2 as wire

from caveat.backends.local.lora.adapter import Adapter, TrainingState
from caveat.backends.local.models.loading import LanguageModel, load
from caveat.types.answers import Sampling
from tinker_models import Datum, TrainingRun, scored, written

KEY = "tml-a-key-for-tests"


class Refused(Exception):
    """A request that fails, by its status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Waiting:
    """A request to a model that is not worked on yet."""

    kind: tuple[str | None, int, float, bool]
    """Model, most tokens, temperature, and whether the prompt is scored."""
    prompt: tuple[str, tuple[int, ...]]
    """The key that its randomness comes from, and its tokens."""
    future: Future[Any] = field(default_factory=Future)


@dataclass
class TinkerServer:
    """Holds runs, checkpoints and results."""

    model: str = "tiny"
    fault: str = ""
    """`rate limit`, `old wire`, `no ids`: how it misbehaves; "" where it does not."""
    calls: Counter[str] = field(default_factory=Counter)
    """Requests by the end of their path."""
    runs: dict[str, TrainingRun] = field(default_factory=dict)
    checkpoints: dict[str, Adapter | TrainingState] = field(default_factory=dict)
    optimizers: list[dict[str, float]] = field(default_factory=list)
    """The settings of every optimizer step."""
    keys: dict[int, str] = field(default_factory=dict)
    """By seed, the key that the backend `local` samples the same reply by."""
    fail: Callable[[str], str] = lambda path: ""
    """Given a request's path: why it fails where it is worked on; "" where it does not."""

    def __post_init__(self) -> None:
        self.language_model: LanguageModel = load(self.model)
        self._samplers: dict[str, str | None] = {}
        self._results: dict[str, Future[Any]] = {}
        self._waiting: deque[Waiting] = deque()
        self._worker = ThreadPoolExecutor(1)
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(_application(self), log_level="critical", lifespan="off")
        self._http = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._http.run, kwargs={"sockets": [listening]}, daemon=True
        )
        self._thread.start()
        self._listening = listening
        while not self._http.started:
            time.sleep(0.01)

    def close(self) -> None:
        self._http.should_exit = self._http.force_exit = True
        self._thread.join(20)
        self._listening.close()
        self._worker.shutdown(cancel_futures=True)

    def restart_counts(self) -> None:
        self.calls.clear()

    def later(self, path: str, work: Callable[[], Any], **more: Any) -> dict[str, Any]:
        """Work on a request in turn; its result is fetched by the id that is returned."""
        number = f"request-{len(self._results)}"

        def guarded() -> Any:
            if reason := self.fail(path):
                return {"error": reason, "category": "user"}
            return work()

        self._results[number] = self._worker.submit(guarded)
        return {"request_id": number, **more}

    async def fetched(self, number: str) -> Any:
        try:
            return await asyncio.wrap_future(self._results[number])
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}", "category": "server"}

    # Requests ------------------------------------------------------------------------------------

    def create_model(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["base_model"] != self.model:
            raise Refused(400, f"base_model {body['base_model']} is not supported")
        lora = body["lora_config"]
        assert not lora["train_unembed"]
        name = f"run-{len(self.runs)}"
        self.runs[name] = TrainingRun(self.language_model, lora["rank"], lora["seed"])
        return self.later("create_model", lambda: {"type": "create_model", "model_id": name})

    def load_weights(self, body: dict[str, Any]) -> dict[str, Any]:
        """A run that goes on where a checkpoint stood, with the optimizer's state."""
        state = self.checkpoints.get(body["path"])
        if not isinstance(state, TrainingState):
            raise Refused(404, f"checkpoint {body['path']} was not found")
        assert body["optimizer"]
        name = f"{body['session_id']}:train:{body['model_seq_id']}"
        run = self.runs[name] = TrainingRun(self.language_model, state.adapter.rank, 0)
        run.group.put(0, state)
        return self.later("load_weights", lambda: {"type": "load_weights", "path": body["path"]})

    def get_info(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"model_id": body["model_id"], "model_data": {"model_name": self.model}}

    def forward_backward(self, content: bytes) -> dict[str, Any]:
        request = wire.ForwardBackwardRequest.FromString(content)
        run, data = self.runs[request.model_id], [_datum(one) for one in request.data]

        def work() -> Any:
            config = dict(request.loss_fn_config)
            values, loss = run.passed(data, request.loss_fn, config, request.forward_only)
            if self.fault == "old wire":
                return {"loss_fn_output_type": "x", "loss_fn_outputs": [], "metrics": {}}
            return _output(values, loss)

        return self.later("forward_backward", work)

    def optim_step(self, body: dict[str, Any]) -> dict[str, Any]:
        run, adam = self.runs[body["model_id"]], body["adam_params"]
        self.optimizers.append(adam)
        assert (adam["beta1"], adam["beta2"], adam["eps"]) == (0.9, 0.999, 1e-8)
        assert adam["weight_decay"] == 0

        def work() -> Any:
            norm = run.step(adam["learning_rate"], adam["grad_clip_norm"])
            return {"metrics": {"grad_norm": norm}}

        return self.later("optim_step", work)

    def save(self, body: dict[str, Any], kind: str, weights: bool) -> dict[str, Any]:
        name = body.get("path") or f"sampler-{len(self._samplers)}"
        path = f"tinker://{body['model_id']}/{kind}/{name}"
        run = self.runs[body["model_id"]]
        session = None
        if not body.get("path"):  # to sample from at once, without a name
            session = self.create_sampling_session({"model_path": None})["sampling_session_id"]
            self._samplers[session] = path

        def work() -> Any:
            self.checkpoints[path] = run.state().adapter if weights else run.state()
            return {"path": path, "sampling_session_id": session}

        return self.later(kind, work)

    def create_sampling_session(self, body: dict[str, Any]) -> dict[str, Any]:
        path = body.get("model_path")
        if path is not None and path not in self.checkpoints:
            raise Refused(404, f"checkpoint {path} was not found")
        name = f"sampler-{len(self._samplers)}"
        self._samplers[name] = path
        return {"sampling_session_id": name}

    def sampler(self, name: str) -> dict[str, Any]:
        return {
            "sampler_id": name, "base_model": self.model, "model_path": self._samplers[name]
        }  # fmt: skip

    def sample(self, body: dict[str, Any]) -> dict[str, Any]:
        """Samples and scores of a prompt; those that wait for the same model share a pass."""
        assert body["num_samples"] == 1
        path = self._samplers[body["sampling_session_id"]]
        ids = tuple(token for chunk in body["prompt"]["chunks"] for token in chunk["tokens"])
        settings, number = body["sampling_params"], f"request-{len(self._results)}"
        seed = settings.get("seed")
        waiting = Waiting(
            (path, settings["max_tokens"], settings["temperature"], bool(body["prompt_logprobs"])),
            (self.keys.get(seed, f"{seed}"), ids),
        )
        self._results[number] = waiting.future
        self._waiting.append(waiting)
        self._worker.submit(self._answer_waiting)
        more = {} if self.fault == "no ids" else {"sample_sequence_ids": ["sequence"]}
        return {"request_id": number, **more}

    def _answer_waiting(self) -> None:
        """Answer all requests that wait by now, those of a kind together."""
        waiting = []
        while self._waiting:
            waiting.append(self._waiting.popleft())
        for kind in dict.fromkeys(one.kind for one in waiting):
            some = [one for one in waiting if one.kind == kind]
            try:
                replies = self._replies(*kind, [one.prompt for one in some])
            except Exception as error:
                replies = [{"error": f"{type(error).__name__}: {error}", "category": "server"}]
                replies *= len(some)
            for one, reply in zip(some, replies, strict=True):
                one.future.set_result(reply)

    def _replies(
        self,
        path: str | None,
        max_tokens: int,
        temperature: float,
        is_scored: bool,
        prompts: list[tuple[str, tuple[int, ...]]],
    ) -> list[Any]:
        if path is not None and path not in self.checkpoints:
            lost = {"error": f"checkpoint {path} was not found", "category": "user"}
            return [lost] * len(prompts)
        adapter = None if path is None else self.checkpoints[path]
        assert not isinstance(adapter, TrainingState)
        sampling = Sampling(max_tokens, temperature)
        samples = written(self.language_model, adapter, prompts, sampling)
        texts = [ids for _, ids in prompts]
        scores = scored(self.language_model, adapter, texts) if is_scored else [None] * len(texts)
        replies = []
        for (tokens, ended), values in zip(samples, scores, strict=True):
            reply = wire.SampleResponse()
            one = reply.sequences.add()
            one.tokens = np.array(tokens, np.int32).tobytes()
            one.stop_reason = wire.STOP_REASON_STOP if ended else wire.STOP_REASON_LENGTH
            if values is not None:
                reply.prompt_logprobs = values.tobytes()
            replies.append(reply.SerializeToString())
        return replies

    def listed(self, run: str) -> dict[str, Any]:
        if run not in self.runs:
            raise Refused(404, f"no training run {run}")
        return {
            "checkpoints": [
                {
                    "checkpoint_id": path.partition(f"{run}/")[2],
                    "checkpoint_type": "sampler" if "sampler_weights" in path else "training",
                    "time": datetime.now(UTC).isoformat(),
                    "tinker_path": path,
                }
                for path in self.checkpoints
                if path.startswith(f"tinker://{run}/")
            ]
        }


def _datum(message: Any) -> Datum:
    read = [np.frombuffer(chunk.encoded_text.tokens, np.int32) for chunk in message.model_input]
    inputs = {
        name: np.frombuffer(
            tensor.dense, np.int64 if tensor.dtype == wire.DTYPE_INT64 else np.float32
        )
        for name, tensor in message.loss_fn_inputs.items()
    }
    ids, targets = np.concatenate(read).tolist(), inputs.pop("target_tokens").tolist()
    assert ids[1:] == targets[:-1]
    return Datum((*ids, targets[-1]), inputs)


def _output(values: list[np.ndarray], loss: float) -> bytes:
    reply = wire.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord")
    reply.metrics["loss:sum"] = loss
    record = reply.loss_fn_outputs.add()
    record.num_datums = len(values)
    tensor = record.fields["logprobs"]
    tensor.dtype = wire.DTYPE_FLOAT32
    tensor.data = np.concatenate(values).tobytes()
    tensor.offsets = np.cumsum([0, *(one.nbytes for one in values)]).astype(np.int64).tobytes()
    return reply.SerializeToString()


def _application(server: TinkerServer) -> FastAPI:
    """The routes of the API that Caveat's backend and the client's own start need."""
    app = FastAPI()

    @app.middleware("http")
    async def guard(request: Request, go_on: Any) -> Response:
        name = request.url.path.removeprefix("/api/v1/")
        if name not in ("session_heartbeat", "client/dynamic_config"):  # in the background
            server.calls[name] += 1
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"detail": "unknown key"}, 401)
        if server.fault == "no lists" and name.endswith("/checkpoints"):
            return JSONResponse({"detail": "not now"}, 400)
        if server.fault == "rate limit" and name in ("asample", "forward_backward"):
            return JSONResponse({"detail": "too many requests"}, 429)
        try:
            return await go_on(request)
        except Refused as refusal:
            return JSONResponse({"detail": refusal.reason}, refusal.status)

    @app.post("/api/v1/{name}")
    async def post(name: str, request: Request) -> Any:
        content = await request.body()
        if name == "forward_backward":
            return server.forward_backward(content)
        body = await request.json() if content else {}
        match name:
            case "create_session":
                return {"type": "create_session", "session_id": "session"}
            case "session_heartbeat" | "telemetry":
                return {"type": name, "status": "accepted"}
            case "retrieve_future":
                result = await server.fetched(body["request_id"])
                if isinstance(result, bytes):
                    return Response(result, media_type="application/x-protobuf")
                return JSONResponse(result)
            case "asample":
                return server.sample(body)
            case "save_weights":
                return server.save(body, "weights", weights=False)
            case "save_weights_for_sampler":
                return server.save(body, "sampler_weights", weights=True)
            case "create_model" | "load_weights" | "get_info" | "optim_step":
                return getattr(server, name)(body)
            case "create_sampling_session":
                return getattr(server, name)(body)
        return JSONResponse({"detail": "Not Found"}, 404)

    @app.post("/api/v1/client/config")
    async def config() -> Any:
        return {}

    @app.get("/api/v1/get_server_capabilities")
    async def capabilities() -> Any:
        return {"supported_models": [{"model_name": server.model}]}

    @app.get("/api/v1/samplers/{name}")
    async def sampler(name: str) -> Any:
        return server.sampler(name)

    @app.get("/api/v1/training_runs/{run}/checkpoints")
    async def checkpoints(run: str) -> Any:
        return server.listed(run)

    @app.post("/api/v1/sessions/{name}/finish")
    async def finish(name: str) -> Any:
        return {}

    return app


__all__ = ["KEY", "TinkerServer"]
