"""What the tests of messages share: channels that are fakes, and the noon of one day."""

from collections.abc import Iterator

import pytest
import time_machine

from notifications import dispatch
from notifications.tests import fake_channel
from notifications.tests.fake_channel import Post


@pytest.fixture(autouse=True)
def _awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off for seconds waits for the next minute: the clock of these tests stands still."""
    monkeypatch.setattr(dispatch, "MAY_SLEEP_SECONDS", 0.0)


@pytest.fixture
def frozen() -> Iterator[time_machine.Traveller]:
    """It is noon in Shanghai, until the test moves the clock."""
    with time_machine.travel("2026-11-22T12:00:00+08:00", tick=False) as traveller:
        yield traveller


@pytest.fixture
def post(db: None, frozen: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> Post:
    return fake_channel.install(monkeypatch, *fake_channel.BUYER)


@pytest.fixture
def every_post(db: None, frozen: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> Post:
    return fake_channel.install(monkeypatch, *fake_channel.EVERY)
