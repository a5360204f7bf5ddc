import base64
import os

import pytest
from django.test import override_settings

from frozenshop.bootstrap import make_secret
from frozenshop.kernel.checks import (
    check_keys,
    check_loopback,
    check_misspelt,
    check_production,
    refuse_unusable_settings,
)

NAMES = ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS", "AUDIT_KEY"]


def test_fresh_secrets_are_clean():
    with override_settings(**{name: make_secret(name) for name in NAMES}):
        assert check_keys(None) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["short", "x" * 64])
def test_a_default_or_short_key_is_refused_by_name_with_an_example(name, value):
    with override_settings(**{name: value}):
        (error,) = check_keys(None)
    assert f"设置 {name} 不可用" in error.msg
    assert f"{name}=" in error.hint


def test_a_placeholder_is_refused():
    with override_settings(AUDIT_KEY="change-me-0123456789-abcdefghijklmnopqrst"):
        assert "示例或默认值" in check_keys(None)[0].msg


def test_a_key_of_one_repeated_byte_is_refused():
    with override_settings(BLIND_INDEX_KEYS="k1:" + base64.b64encode(b"A" * 32).decode()):
        assert "k1 不是随机值" in check_keys(None)[0].msg


def test_an_error_never_quotes_the_key():
    secret = base64.b64encode(os.urandom(20)).decode()
    with override_settings(FIELD_ENCRYPTION_KEYS=f"k1:{secret}"):
        (error,) = check_keys(None)
    assert secret not in error.msg + error.hint


def test_a_process_does_not_start_with_an_unusable_key():
    with override_settings(AUDIT_KEY="short"), pytest.raises(SystemExit, match="AUDIT_KEY"):
        refuse_unusable_settings()


def test_a_process_names_each_fault_in_a_line_of_its_own():
    with override_settings(AUDIT_KEY="short", KDNIAO_API_KEY=""), pytest.raises(SystemExit) as ended:
        refuse_unusable_settings()
    faults = str(ended.value).splitlines()
    assert len(faults) == 2
    assert any("AUDIT_KEY" in fault for fault in faults)
    assert any("KDNIAO_API_KEY" in fault for fault in faults)


def test_a_process_goes_on_with_a_name_that_is_only_misspelt_and_says_so(monkeypatch, capsys):
    monkeypatch.delenv("KDNIAO_API_KEY")
    monkeypatch.setenv("KDNIAO_APIKEY", "x")
    refuse_unusable_settings()
    assert capsys.readouterr().err == "没有 KDNIAO_APIKEY 这个设置。也许是 KDNIAO_API_KEY？\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("SECRETKEY", "SECRET_KEY"), ("REDIS_URI_FILE", "REDIS_URL"), ("METRIC_TOKEN", "METRICS_TOKEN")],
)
def test_a_misspelt_name_is_told_with_the_right_one(monkeypatch, given, meant):
    monkeypatch.delenv(meant, raising=False)
    monkeypatch.setenv(given, "x")
    (warning,) = check_misspelt(None)
    assert given in warning.msg
    assert meant in warning.hint


@pytest.mark.parametrize("name", ["HOME", "REDIS_HOST", "WORKER_QUEUES", "PYTHONUNBUFFERED", "SECRET_KEY_FILE", "LANG"])
def test_what_others_read_is_not_called_misspelt(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    assert check_misspelt(None) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"ALLOWED_HOSTS": []}, "ALLOWED_HOSTS"),
        ({"PUBLIC_URL": "http://shop.example.com"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://127.0.0.1"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "https://shop.example.com/shop"}, "PUBLIC_URL"),
    ],
)
def test_production_needs_an_address_that_others_reach(changes, name):
    with override_settings(DEBUG=False, ALLOW_LOOPBACK_INTEGRATIONS=False, **changes):
        (error,) = check_production(None)
    assert name in error.msg
    assert f"{name}=" in error.hint


def test_what_is_only_for_tests_is_named_in_production():
    with override_settings(ALLOW_LOOPBACK_INTEGRATIONS=True):
        assert check_loopback(None)[0].id == "frozenshop.W034"
