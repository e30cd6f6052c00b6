"""JSON that anybody may have written: its content, or a ValueError."""

import json

import pytest

from caveat.files.reading import parse_json


def test_json_is_read():
    assert parse_json('{"a": [1, null]}') == {"a": [1, None]} == parse_json(b'{"a": [1, null]}')


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100_000, '{"a":' * 100_000])
def test_all_else_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_what_is_not_json_is_told_with_its_place():
    with pytest.raises(json.JSONDecodeError, match="column 5"):
        parse_json("[1, x]")
