"""The connection to a service that speaks the Tinker API: one key, one session, errors in one line.

The client of the package `tinker` retries what may pass, and waits where the service has no
capacity. What it does not do is here: an end to waiting, an end to requests that cannot succeed,
and a key that is shown nowhere.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from caveat.errors import CaveatError, closest

KEY_VARIABLE = "TINKER_API_KEY"
URL_VARIABLE = "TINKER_BASE_URL"
KEY_STARTS = ("tml-", "eyJ")
"""How a key begins, and how a token does that stands for one."""
PATIENCE = 900.0
"""Seconds without a result after which a service counts as gone, while the client retries."""
OPENING_PATIENCE = 60.0
"""The same for the first request."""
REFUSED = {
    401: f"refuses the key in {KEY_VARIABLE}; export a valid one",
    402: "has no credit left for this key; top it up, then run the same command again",
    403: f"refuses access to the key in {KEY_VARIABLE}; export one that may train and sample",
}
"""Statuses that every further request would get too, and what to do."""
GONE = (404, 410)
"""Statuses of what the service does not have, or not any more."""
Result = TypeVar("Result")


class Waited(Protocol):
    """What the client's futures have in common."""

    def result(self, timeout: float | None = None) -> Any:
        """The result, waited for."""


class Unavailable(CaveatError):
    """The service cannot be used any more in this run: no further request is sent."""


class Refused(CaveatError):
    """One request was refused, and the next one need not be."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """One service and one base model on it. Nothing is sent before `connect`."""

    def __init__(
        self,
        model: str,
        url: str | None = None,
        say: Callable[[str], None] = lambda message: None,
        patience: float = PATIENCE,
    ) -> None:
        """Remember where the service is.

        Args:
            model: The name by which the service knows the base model.
            url: Its address; None: what the environment says, else the client's own.
            say: Hears that work waits for capacity.
            patience: Seconds without a result after which no further request is sent.
        """
        self.model, self.say, self.patience = model, say, patience
        self.url = (url or os.environ.get(URL_VARIABLE, "")).strip().rstrip("/") or None
        self.closed = ""
        """Why no further request is sent; "" while they are."""
        self._key = ""
        self._client: Any = None
        self._rest: Any = None

    @property
    def label(self) -> str:
        """The service, for people and for checkpoints."""
        return self.url or "the Tinker service"

    @property
    def client(self) -> Any:
        """The client's `ServiceClient`, connected."""
        self.connect()
        return self._client

    def connect(self) -> None:
        """Check key, address and model. Raises CaveatError; free of charge."""
        if self._client is not None:
            return
        self._key = _key()
        os.environ.setdefault("TINKER_TELEMETRY", "0")  # it would send headers, the key among them
        import tinker

        _forward_pauses(self.say)
        patience = min(self.patience, OPENING_PATIENCE)
        self._check_address()
        names = self._offered(patience)
        if self.model not in names:
            listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise CaveatError(
                f"model '{self.model}': {self.label} does not have it; it has {listed or 'none'}"
                f"{closest(self.model, names)}"
            )
        client = tinker.ServiceClient(**self._address())
        self._opened(lambda: client.holder, patience)
        self._client = client

    def _check_address(self) -> None:
        """Raise CaveatError where nothing listens at an address of the user's.

        The client would try for five minutes, and hold up all others of this process meanwhile.
        """
        if self.url is None:
            return
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CaveatError(
                f"{URL_VARIABLE}: {self.url!r} is no address, such as http://127.0.0.1:8000"
            )
        if parts.scheme in getproxies() and not proxy_bypass(parts.hostname):
            return
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket.create_connection((parts.hostname, port), OPENING_PATIENCE).close()
        except (OSError, ValueError) as error:
            raise CaveatError(
                f"{self.url}: cannot be reached ({getattr(error, 'strerror', None) or error}); "
                f"check the address in {URL_VARIABLE} and the connection"
            ) from None

    def _offered(self, patience: float) -> list[str]:
        """Models that the service has, by the first requests that all versions of the API know."""
        import tinker

        try:
            self._rest = self._opened(lambda: tinker.RestClient(**self._address()), patience)
            offered = self.wait(self._rest.get_server_capabilities(), patience).supported_models
        except Unavailable:
            raise
        except CaveatError as error:
            raise self.mismatch(str(error)) from None
        return sorted(one.model_name for one in offered if one.model_name)

    def wait(self, future: Waited, seconds: float | None = None) -> Any:
        """A future's result.

        Raises Unavailable where no further request will succeed, and CaveatError in one line where
        this one failed.
        """
        if self.closed:
            raise Unavailable(self.closed)
        try:
            return future.result(self.patience if seconds is None else seconds)
        except Exception as error:
            failure = self._failure(error, self.patience if seconds is None else seconds)
        raise failure

    def checkpoints(self, run: str) -> set[tuple[str, str]]:
        """Kind and name of the checkpoints that a training run still has, as services write the
        rest of a handle in several ways; none for a run that is gone."""
        self.connect()
        try:
            listed = self.wait(self._rest.list_checkpoints(run))
        except Unavailable:
            raise
        except Refused as error:
            if error.status not in GONE:
                raise
            return set()
        return {
            (one.checkpoint_type, one.tinker_path.rpartition("/")[2]) for one in listed.checkpoints
        }

    def close(self) -> None:
        """Finish the session. A service that knows no end of sessions lets it expire."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close("success").result(OPENING_PATIENCE)
            except Exception:
                logging.getLogger(__name__).debug("the session was not finished", exc_info=True)

    def mismatch(self, what: str) -> Unavailable:
        """The error of a service that speaks another version; no further request is sent."""
        self.closed = (
            f"{self.label}: speaks another version of the Tinker API than the client tinker "
            f"{metadata.version('tinker')} ({self._scrubbed(what)}); use the version of the "
            "package that the service names"
        )
        return Unavailable(self.closed)

    def _address(self) -> dict[str, str | None]:
        return {"base_url": self.url, "api_key": self._key}

    def _opened(self, make: Callable[[], Result], seconds: float) -> Result:
        """What is made in a thread of its own, since the client's constructors wait for replies."""
        future: Future[Result] = Future()

        def work() -> None:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return self.wait(future, seconds)

    def _failure(self, error: Exception, seconds: float) -> CaveatError:
        """What to raise in place of the client's error."""
        import pydantic
        import tinker

        if isinstance(error, CaveatError):
            return error
        while isinstance(error, RuntimeError | ValueError) and isinstance(
            error.__cause__, Exception
        ):
            error = error.__cause__  # the client wraps what came from the service
        status = getattr(error, "status_code", None)
        if isinstance(error, TimeoutError) and self._client is None:
            self.closed = (
                f"{self.label}: no reply for {seconds:g} s; check the address in {URL_VARIABLE} "
                "and the connection"
            )
        elif isinstance(error, TimeoutError):
            self.closed = (
                f"{self.label}: no reply for {seconds:g} s (a rate limit, or no capacity); what is "
                "finished is kept: run the same command again later"
            )
        elif status in REFUSED:
            self.closed = f"{self.label}: {REFUSED[status]} (status {status})"
        elif status == 429:
            self.closed = (
                f"{self.label}: its rate limit stays (status 429); what is finished is kept: run "
                "the same command again later"
            )
        elif isinstance(error, tinker.APIConnectionError):
            self.closed = (
                f"{self.label}: cannot be reached ({self._scrubbed(error)}); check the address in "
                f"{URL_VARIABLE} and the connection"
            )
        elif status == 422 or isinstance(
            error,
            AssertionError | pydantic.ValidationError | tinker.APIResponseValidationError
            | AttributeError | KeyError | ValueError | TypeError,
        ):  # fmt: skip
            return self.mismatch(f"{type(error).__name__}: {error}")
        else:
            return Refused(f"{self.label}: {self._scrubbed(error)}", status)
        return Unavailable(self.closed)

    def _scrubbed(self, error: object) -> str:
        """An error's text in one line of 300 characters, without the key."""
        text = " ".join(str(error).split())
        return (text.replace(self._key, "***") if self._key else text)[:300]


def installed() -> None:
    """Raise CaveatError where the package `tinker` is not installed."""
    if find_spec("tinker") is None:
        raise CaveatError(
            "backend: 'tinker': the package 'tinker' is not installed; install it with "
            "pip install 'caveat[tinker]'"
        )


def _key() -> str:
    """The key. Raises CaveatError, which never shows it."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise CaveatError(
            f"backend: 'tinker': the environment variable {KEY_VARIABLE} is not set; export the "
            "key of your account"
        )
    if not (key.startswith(KEY_STARTS) and key.isascii() and key.isprintable() and " " not in key):
        raise CaveatError(
            f"backend: 'tinker': {KEY_VARIABLE} holds no key of the Tinker API, which begins with "
            f"{KEY_STARTS[0]!r}; export it again"
        )
    return key


class _Pauses(logging.Handler):
    """Passes on what the client logs about waiting; all else it logs is for its developers."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say a message about a pause."""
        if "paused" in record.getMessage():
            self.say(" ".join(record.getMessage().split())[:200])


def _forward_pauses(say: Callable[[str], None]) -> None:
    """Let the client's messages about pauses be heard, and nothing of it on standard error."""
    logger = logging.getLogger("tinker")
    for handler in [one for one in logger.handlers if isinstance(one, _Pauses)]:
        logger.removeHandler(handler)
    logger.addHandler(_Pauses(say))
