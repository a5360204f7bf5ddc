import base64
import os

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from frozenshop.bootstrap import make_secret
from frozenshop.kernel.checks import check_keys, refuse_unusable_keys

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


def test_a_web_process_does_not_start_with_an_unusable_key():
    with override_settings(AUDIT_KEY="short"), pytest.raises(ImproperlyConfigured, match="AUDIT_KEY"):
        refuse_unusable_keys()
