"""JSON from strangers: refused or read, at a cost that grows no faster than its length."""

import json
import time

import pytest

from frozenshop.kernel import strict_json


def test_of_a_repeated_key_the_last_counts_and_it_is_noted():
    value, notes = strict_json.load('{"a":1,"b":{"c":1,"c":2},"a":3}')
    assert value == {"a": 3, "b": {"c": 2}}
    assert notes == ("键 c 重复，取最后一个", "键 a 重复，取最后一个")


def test_many_repeated_keys_are_noted_briefly_and_quickly():
    text = "{" + ",".join(f'"k{n}":1,"k{n}":2' for n in range(20_000)) + "}"
    started = time.perf_counter()
    value, notes = strict_json.load(text)
    assert (len(value), len(notes)) == (20_000, strict_json.MAX_NOTES)
    assert time.perf_counter() - started < 10  # quadratic took a minute


@pytest.mark.parametrize("endless", ['\\"', '"\\', '\\"x', "\\"])
def test_a_string_without_an_end_is_refused_at_once(endless):
    started = time.perf_counter()
    with pytest.raises(json.JSONDecodeError):
        strict_json.load("{" + "[]" * 101 + '"' + endless * 200_000)
    assert time.perf_counter() - started < 5  # quadratic took hours


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_hundred_levels_are_read_and_more_are_not(opening):
    closing = "]" if opening == "[" else "}"
    assert strict_json.load(opening * 100 + "1" + closing * 100)
    with pytest.raises(ValueError, match="deeper"):
        strict_json.load(opening * 101 + "1" + closing * 101)


@pytest.mark.parametrize("text", ['"' + "[" * 200 + '"', '["\\"[[[[", "' + "{" * 200 + '"]', "[" + "[]," * 200 + "[]]"])
def test_brackets_in_strings_and_beside_each_other_are_not_depth(text):
    strict_json.load(text)


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[Infinity]", "{'a':1}", "[" * 100_000, "1" * 5000, "1e999", '"\ud800', "]" * 300]
)
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - any
        strict_json.load(text)
