"""What is no reply and no score is not taken for one."""

import pytest

from caveat.backends.endpoint.responses import Unreadable, chat_reply, echoed_prompts


def test_an_error_in_the_form_of_a_reply_is_none():
    error = '{"choices": [{"finish_reason": "error", "message": {"content": null}}]}'
    with pytest.raises(Unreadable):
        chat_reply(error, 3)
    assert chat_reply(error.replace("error", "stop"), 3).text == ""


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "null"])
def test_scores_are_finite(value):
    body = '{"choices": [{"logprobs": {"token_logprobs": [null, VALUE], "tokens": ["a", "b"]}}]}'
    with pytest.raises(Unreadable):
        echoed_prompts(body.replace("VALUE", value), [2])
    assert echoed_prompts(body.replace("VALUE", "-1.5"), [2]).log_likelihoods == ((None, -1.5),)
