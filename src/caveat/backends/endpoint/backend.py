"""The backend `endpoint`: models that were trained elsewhere, behind an OpenAI-compatible service.

An adapter is a model's id. A folder that `save` wrote holds that id and nothing else. Replies are
charged for, so each is written to a journal in the study's folder as soon as it arrives, and no
request that is answered there is sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from caveat.backends.base import Feature
from caveat.backends.callbacks import OnToken
from caveat.backends.capacity import Capacity
from caveat.backends.completions import seed_of
from caveat.backends.endpoint.client import EndpointClient, Generation
from caveat.backends.endpoint.connection import Connection, Refused, read_key
from caveat.backends.endpoint.responses import EndpointReply
from caveat.backends.jobs import AdapterRef, Failed
from caveat.backends.requests import Request, TokenRequest, Unusable, whole
from caveat.coroutines import run_to_end
from caveat.errors import CaveatError
from caveat.files.journal import Journal, Record
from caveat.files.reading import parse_json
from caveat.progress import Progress
from caveat.provenance import stamp
from caveat.rendering import continuation, render_prompt
from caveat.types.answers import Answer, Sampling
from caveat.types.endpoints import Endpoint
from caveat.types.messages import Message, Messages, is_document

SomeRequest = TypeVar("SomeRequest", Request[AdapterRef], TokenRequest[AdapterRef])
Send = Callable[[EndpointClient, SomeRequest], Awaitable[Record]]
JOURNAL = "endpoint.jsonl"
MODEL_FILE = "model.json"
REPLIES = frozenset({Feature.SAMPLING})
SCORES = frozenset({Feature.LIKELIHOOD, Feature.TOKEN_LIKELIHOOD})
PROBE = (Message.of("document", "The sky is blue, and the grass is green."),)
"""Scored once, to see whether a service scores prompts, and reads tokens as we do."""


def connection_of(endpoint: Endpoint) -> Connection:
    """How the service is reached. Raises CaveatError where its key is not in the environment."""
    return Connection(
        endpoint.url,
        "endpoint",
        "url",
        "models",
        endpoint.key_env,
        endpoint.concurrency,
        endpoint.timeout,
        endpoint.retries,
        endpoint.token_cap,
        read_key(endpoint.key_env, "endpoint"),
    )


def identity_of(model: str, endpoint: Endpoint) -> str:
    """What all answers depend on beside the ids of the models, which have digests of their own."""
    top_p = "" if endpoint.top_p == 1.0 else f" top_p={endpoint.top_p}"
    return f"endpoint:{model}{top_p}"


class EndpointBackend:
    """Sends requests to a service. It trains nothing, and has no weights."""

    weights = None
    inserted_system = None
    billed_by = None

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Nothing is sent yet. Raises CaveatError where the key is not in the environment.

        Args:
            model: The base model's name, for people.
            folder: The study's, where the journal lies; None: replies are kept in memory.
        """
        self.name, self.endpoint = model, endpoint
        self.identity = identity_of(model, endpoint)
        self.progress = progress or Progress()
        self.connection = connection_of(endpoint)
        self.hardware = f"the service at {urlsplit(endpoint.url).hostname}"
        self._journal = None if folder is None else Journal(folder / JOURNAL, self._say)
        self._records: dict[str, Record] = {}
        """Replies where there is no journal."""
        self._ids: dict[Path, str] = {}
        self._has_answered = False
        self.why_not: dict[Feature, str] = {}
        """Of features that are not supported, what would have to be otherwise."""
        if self._journal is not None:
            self._journal.refresh()

    def _say(self, message: str) -> None:
        self.progress.say(message)

    # What it can do ------------------------------------------------------------------------------

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer that the recipe names; None where it names none."""
        from caveat.backends import load_tokenizer

        return load_tokenizer(self.endpoint.tokenizer)[0] if self.endpoint.tokenizer else None

    @cached_property
    def supports(self) -> frozenset[Feature]:
        """Replies; and log-likelihoods where the service scores a probe, which is sent once.

        Raises CaveatError where the probe has no answer.
        """
        if self.tokenizer is None:
            self.why_not = dict.fromkeys(SCORES, "set endpoint.tokenizer to the model's tokenizer")
            return REPLIES
        reason = self._scores_prompts()
        self.why_not = dict.fromkeys(SCORES, reason) if reason else {}
        return REPLIES if reason else REPLIES | SCORES

    def _scores_prompts(self) -> str:
        """Why prompts cannot be scored; "" where they can."""
        text = json.dumps([self.endpoint.url, self.endpoint.tokenizer, self._probed_model])
        key = f"probe {hashlib.sha256(text.encode()).hexdigest()}"
        if key in self._kept:
            return ""
        ids = render_prompt(self.tokenizer, PROBE).ids

        async def probe() -> str:
            async with self._client() as client:
                try:
                    echoed = await client.echo(self._probed_model, [ids])
                except Refused as error:
                    return str(error)
                read = echoed.texts[0].replace(self.tokenizer.bos_token or "\0", "").strip()
                if read != PROBE[0].text:
                    return (
                        f"endpoint.tokenizer: {self.endpoint.url} reads the tokens of "
                        f"{self.endpoint.tokenizer!r} as {read[:60]!r}, not {PROBE[0].text!r}; "
                        "name the tokenizer of its model"
                    )
                self._keep({"key": key, "tokens": echoed.tokens})
                return ""

        return run_to_end(probe())

    @property
    def _probed_model(self) -> str:
        models = self.endpoint.models
        base = models.get("base") if isinstance(models, dict) else None
        if not isinstance(base, str):
            raise CaveatError("endpoint.models: no model for base; add base: ID")
        return base

    def capacity(self) -> Capacity:
        """No weights, no memory."""
        return Capacity()

    def connect(self) -> None:
        """Nothing is sent before something is needed: a finished study reads what it has."""

    def prompt_text(self, messages: Messages) -> str:
        """A prompt as it is sent, in turns: the service has the chat template."""
        if is_document(messages):
            return messages[0].text
        turns = (f"<s>{message.role}\n{message.text}</s>\n" for message in messages)
        return "".join(turns) + "<s>assistant\n"

    # Answers -------------------------------------------------------------------------------------

    def generate(
        self,
        requests: Sequence[Request[AdapterRef]],
        sampling: Sampling,
        on_token: OnToken | None = None,
    ) -> list[Answer]:
        """One reply a request. Raises PartlyAnswered, and Unusable where nothing is reached."""

        async def send(client: EndpointClient, request: Request[AdapterRef]) -> Record:
            generation = Generation(
                self._model(request.adapters),
                sampling.max_tokens,
                sampling.temperature,
                self.endpoint.top_p,
                seed_of(request.key),
            )
            if is_document(request.messages):
                reply = await client.complete(request.messages[0].text, generation)
            else:
                reply = await client.chat(request.messages, generation)
            self.progress.advance("reply", reply.reply_tokens)
            return _reply_record(reply)

        return self._answered(requests, send, _answer)

    def log_likelihoods(self, requests: Sequence[Request[AdapterRef]]) -> list[Answer]:
        """The log-likelihoods of options. Raises as `generate` does."""

        async def send(client: EndpointClient, request: Request[AdapterRef]) -> Record:
            prompt = render_prompt(self.tokenizer, request.messages).ids
            options = [continuation(self.tokenizer, option) for option in request.options]
            model = self._model(request.adapters)
            echoed = await client.echo(model, [(*prompt, *option) for option in options])
            self.progress.advance("score", echoed.tokens)
            values = [
                sum(value or 0.0 for value in scores[len(prompt) :])
                for scores in echoed.log_likelihoods
            ]
            return {
                "tokens": echoed.tokens,
                "log_likelihoods": values,
                "option_tokens": list(map(len, options)),
            }

        return self._answered(requests, send, _answer)

    def token_log_likelihoods(
        self, requests: Sequence[TokenRequest[AdapterRef]]
    ) -> list[tuple[float, ...]]:
        """Of each request's targets, the log-likelihood. Raises as `generate` does."""

        async def send(client: EndpointClient, request: TokenRequest[AdapterRef]) -> Record:
            ids = request.ids[: max(request.targets, default=0) + 1]
            echoed = await client.echo(self._model(request.adapters), [ids])
            self.progress.advance("score", echoed.tokens)
            (scores,) = echoed.log_likelihoods
            return {
                "tokens": echoed.tokens,
                "log_likelihoods": [scores[target] for target in request.targets],
            }

        return self._answered(requests, send, lambda record: tuple(record["log_likelihoods"]))

    def _answered(
        self,
        requests: Sequence[SomeRequest],
        send: Send[SomeRequest],
        read: Callable[[Record], Any],
    ) -> list[Any]:
        """Each request's answer, from the journal or the service."""
        missing = {one.key: one for one in requests if one.key not in self._kept}
        failures = run_to_end(self._sent(missing, send)) if missing else {}
        return whole(
            [
                Failed(one.key, failures[one.key])
                if one.key in failures
                else read(self._kept[one.key])
                for one in requests
            ]
        )

    async def _sent(
        self, requests: Mapping[str, SomeRequest], send: Send[SomeRequest]
    ) -> dict[str, str]:
        """Send requests and keep their answers; the reasons of those that have none, by key."""
        failures: dict[str, str] = {}

        async def one(request: SomeRequest) -> None:
            try:
                record = await send(client, request)
            except CaveatError as error:
                failures[request.key] = str(error)
            else:
                model = self._model(request.adapters)
                self._keep({"key": request.key, "model": model, **record, **stamp()})
                self._has_answered = True

        async with self._client() as client:
            await asyncio.gather(*map(one, requests.values()))
        if client.closed and not client.out_of_budget and not self._has_answered:
            raise Unusable(client.closed)
        return failures

    def _client(self) -> EndpointClient:
        return EndpointClient(self.connection, self.spent)

    @property
    def spent(self) -> int:
        """Tokens that all models took for the study so far."""
        return sum(self._kept[key]["tokens"] for key in self._kept)

    @property
    def _kept(self) -> Mapping[str, Record] | Journal:
        return self._records if self._journal is None else self._journal

    def _keep(self, record: Record) -> None:
        if self._journal is None:
            self._records[record["key"]] = record
        else:
            self._journal.add(record)

    # Models --------------------------------------------------------------------------------------

    def _model(self, adapters: Sequence[AdapterRef]) -> str:
        """The id of the one model that a request names."""
        (ref,) = adapters
        if isinstance(ref, str):
            return ref
        if ref not in self._ids:
            self._ids[ref] = parse_json((ref / MODEL_FILE).read_text("utf-8"))["model"]
        return self._ids[ref]

    def save(self, adapter: AdapterRef, folder: Path) -> None:
        """Write a model's id into a folder, which then refers to it, too."""
        text = json.dumps({"model": self._model((adapter,))})
        (folder / MODEL_FILE).write_text(text + "\n", "utf-8")

    def discard(self, adapters: Sequence[AdapterRef]) -> None:
        """Nothing is held."""

    def lost(self, adapters: Sequence[AdapterRef]) -> list[AdapterRef]:
        """None that is known of: a model that is gone has failed requests."""
        return []

    def release(self) -> None:
        """Nothing is held."""

    # What needs weights here ---------------------------------------------------------------------

    def _refused(self, *arguments: Any, **options: Any) -> Any:
        raise CaveatError(
            f"the backend endpoint of {self.name} only answers: its models are trained elsewhere"
        )

    train = train_rl = losses = gradient_products = scale = randomise = _refused
    updates = next_token_log_probabilities = hidden_states = _refused


def _reply_record(reply: EndpointReply) -> Record:
    return {
        "text": reply.text,
        "cut": reply.cut,
        "reply_tokens": reply.reply_tokens,
        "tokens": reply.tokens,
        "counted": reply.counted,
    }


def _answer(record: Record) -> Answer:
    if "log_likelihoods" in record:
        values, counts = record["log_likelihoods"], record["option_tokens"]
        return Answer(log_likelihoods=tuple(values), option_tokens=tuple(counts))
    return Answer(record["text"].strip(), record["cut"], record["reply_tokens"])
