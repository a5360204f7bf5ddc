from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from frozenshop.kernel.env import Env


def read(method, value, *arguments, **keywords):
    return getattr(Env({"NAME": value}), method)("NAME", *arguments, **keywords)


REFUSED = [
    ("bool", "ture", (True,), {}),
    ("bool", "2", (False,), {}),
    ("int", "8.5", (8,), {}),
    ("int", "many", (8,), {}),
    ("int", "0", (8,), {"at_least": 1}),
    ("int", "70000", (8,), {"at_most": 65535}),
    ("float", "soon", (5,), {}),
    ("float", "nan", (5,), {}),
    ("float", "inf", (5,), {"at_least": 0}),
    ("choice", "foo", (["acs3", "rpc"], "acs3"), {}),
    ("dict", "raw=ten", ({"raw": 35},), {}),
    ("dict", "other=10", ({"raw": 35},), {}),
    ("dict", "raw", ({"raw": 35},), {}),
    ("networks", "abc", ([],), {}),
    ("networks", "10.0.0.1/8", ([],), {}),
    ("word", "a queue", ("frozenshop",), {}),
    ("url", "foo", ("https://shop.example.com",), {}),
    ("url", "shop.example.com", ("https://shop.example.com",), {}),
    ("url", "https://", ("https://shop.example.com",), {}),
    ("url", "https://shop:port", ("https://shop.example.com",), {}),
    ("url", "https://[::1", ("https://shop.example.com",), {}),
    ("url", "ftp://shop.example.com", ("https://shop.example.com",), {}),
    ("url", "http://host", ("amqp://host:5672//",), {}),
    ("url", "redis:6379", ("redis://host:6379/0",), {"hostless": ["unix"]}),
]


@pytest.mark.parametrize(("method", "value", "arguments", "keywords"), REFUSED)
def test_nonsense_is_refused_by_name_with_an_example(method, value, arguments, keywords):
    with pytest.raises(ImproperlyConfigured, match=r"^设置 NAME 不可用：.+。例如 NAME=") as refused:
        read(method, value, *arguments, **keywords)
    assert "\n" not in str(refused.value)


TAKEN = [
    ("bool", "Yes", (False,), {}, True),
    ("bool", "0", (True,), {}, False),
    ("int", " 12 ", (8,), {"at_least": 1}, 12),
    ("float", "2.5", (5,), {}, 2.5),
    ("list", "a, b,,", ([],), {}, ["a", "b"]),
    ("dict", "raw=10", ({"raw": 35, "call": 90},), {}, {"raw": 10, "call": 90}),
    ("networks", "10.0.0.0/8, ::1/128", ([],), {}, ["10.0.0.0/8", "::1/128"]),
    ("url", "rediss://:p%40ss@host:6379/0", ("redis://host:6379/0",), {}, "rediss://:p%40ss@host:6379/0"),
    ("url", "unix:///run/redis.sock", ("redis://host",), {"hostless": ["unix"]}, "unix:///run/redis.sock"),
    ("str", "$5 off", (), {}, "$5 off"),
]


@pytest.mark.parametrize(("method", "value", "arguments", "keywords", "wanted"), TAKEN)
def test_a_right_value_is_taken(method, value, arguments, keywords, wanted):
    assert read(method, value, *arguments, **keywords) == wanted


def test_an_empty_value_is_as_none_was_given():
    env = Env({"NAME": "", "OTHER": "  "})
    assert env.int("NAME", 8) == 8
    assert env.str("OTHER", "x") == "x"
    assert env.bool("ABSENT", True) is True
    assert env.url("NAME", "https://shop.example.com") == ""


def test_an_address_with_a_password_is_never_quoted():
    with pytest.raises(ImproperlyConfigured) as refused:
        read("url", "mysq://shop:pass-word@host/shop", "mysql://user:password@host:3306/frozenshop")
    assert "pass-word" not in str(refused.value)


def test_a_mounted_file_counts_before_the_value(tmp_path):
    (tmp_path / "secret").write_text("from the file\n")
    assert Env({"NAME": "x", "NAME_FILE": str(tmp_path / "secret")}).str("NAME") == "from the file"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=r"^设置 NAME_FILE 不可用：.+secret 读不到"):
        Env({"NAME_FILE": str(file)}).str("NAME")


def test_a_folder_is_made_or_refused_by_name(tmp_path):
    assert read("folder", str(tmp_path / "a/b"), Path("x")).is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match="设置 NAME 不可用"):
        read("folder", str(tmp_path / "file"), Path("x"))
