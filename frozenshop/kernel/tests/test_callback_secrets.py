"""Secrets in a callback's path: strong, two at most, and none of them opens by half."""

import pytest

from frozenshop.kernel import callback_secrets

NEW, OLD = "0f1e2d3c4b5a69788796a5b4c3d2e19a", "Vb3kQ9-xT7_pLm2RzW8cYd"
SETTING = "SF_CALLBACK_SECRETS"


@pytest.fixture
def written(settings):
    def write(text: str) -> None:
        setattr(settings, SETTING, text)

    return write


def test_both_live_secrets_open_and_nothing_else_does(written):
    written(f"{NEW}, {OLD}")
    assert callback_secrets.opens(NEW, SETTING)
    assert callback_secrets.opens(OLD, SETTING)
    for given in ("", NEW[:-1], NEW + "0", NEW.upper(), f"{NEW}, {OLD}", "中", "\ud800"):
        assert not callback_secrets.opens(given, SETTING)


def test_without_secrets_nothing_opens(written):
    written("")
    assert not callback_secrets.opens("", SETTING)
    assert callback_secrets.check(SETTING, prefix="sf") == []


@pytest.mark.parametrize("weak", ["short", NEW[:31], OLD[:21], "a" * 64, "with/slash-and-enough-letters"])
def test_a_weak_secret_is_an_error_and_opens_nothing(written, weak):
    written(weak)
    assert [error.id for error in callback_secrets.check(SETTING, prefix="sf")] == ["sf.E003"]
    assert not callback_secrets.opens(weak, SETTING)


def test_a_third_secret_is_an_error_and_opens_nothing(written):
    third = NEW[::-1]
    written(f"{NEW},{OLD},{third}")
    assert [error.id for error in callback_secrets.check(SETTING, prefix="sf")] == ["sf.E004"]
    assert not callback_secrets.opens(third, SETTING)


def test_two_strong_secrets_are_in_order(written):
    written(f"{NEW},{OLD}")
    assert callback_secrets.check(SETTING, prefix="sf") == []
