"""What requests to an endpoint may take, in tokens, before any is sent."""

from __future__ import annotations

from collections.abc import Iterator

from caveat.backends.endpoint.connection import estimated, estimated_tokens
from caveat.errors import CaveatError
from caveat.study.planning.study_plan import AnswerRequest, StudyPlan
from caveat.study.storage.store import Store


def _most_tokens(request: AnswerRequest) -> int:
    """Tokens of a request at most, its prompt estimated by its length."""
    prompt = estimated_tokens(request.messages)
    if request.by_token:
        return prompt
    if request.options:
        return sum(prompt + estimated(option) for option in request.options)
    return prompt + request.sampling.max_tokens


def _missing(plan: StudyPlan, store: Store) -> Iterator[AnswerRequest]:
    for setting in plan.settings:
        for group in setting.requests:
            yield from (request for request in group if request.key not in store.answers)


def request_note(plan: StudyPlan, store: Store) -> Iterator[str]:
    """One line about the requests that are left; nothing where the arms are not at an endpoint."""
    endpoint = plan.recipe.endpoint
    if endpoint is None:
        return
    missing = list(_missing(plan, store))
    yield (
        f"{len(missing):,} requests to {endpoint.url}, at most about "
        f"{sum(map(_most_tokens, missing)):,} tokens; endpoint.token_cap is "
        f"{endpoint.token_cap:,}"
    )


def check_token_cap(plan: StudyPlan, store: Store) -> None:
    """Raise CaveatError where the cap is too small for the smallest cell that is left."""
    endpoint = plan.recipe.endpoint
    if endpoint is None:
        return
    by_chain: dict[tuple[str, ...], int] = {}
    for request in _missing(plan, store):
        by_chain[request.chain] = by_chain.get(request.chain, 0) + _most_tokens(request)
    if by_chain and min(by_chain.values()) > endpoint.token_cap:
        chain, tokens = min(by_chain.items(), key=lambda item: item[1])
        name = next(cell.name for cell in plan.cells if cell.chain == chain)
        raise CaveatError(
            f"endpoint.token_cap: {endpoint.token_cap:,} tokens, and the smallest cell, {name}, "
            f"may take {tokens:,}; raise it"
        )
