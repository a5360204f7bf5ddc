"""What the tests of logistics share: a fake of the one HTTP seam, and limits that start anew."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from frozenshop.kernel import http, throttling
from logistics.tests.fake_http import FakeHttp

if TYPE_CHECKING:
    from logistics.tests.sandboxed import Wire


@pytest.fixture
def fake_http(monkeypatch: pytest.MonkeyPatch) -> FakeHttp:
    """By monkeypatch, as the tests' own replacements: two ways to undo one attribute leave it replaced."""
    fake = FakeHttp()
    monkeypatch.setattr(http, "call", fake.call)
    return fake


@pytest.fixture
def frozen() -> Iterator[time_machine.Traveller]:
    """It is noon in Shanghai, until the test moves the clock."""
    with time_machine.travel("2026-11-22T12:00:00+08:00", tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often a provider was asked in one test doesn't count in the next."""
    monkeypatch.setattr(throttling, "hit", throttling.LocalLimits().hit)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch, settings: Any, frozen: time_machine.Traveller) -> "Wire":
    """The sandbox at the other end of every call, on the frozen clock."""
    from logistics.tests.sandboxed import Wire  # Only these tests need the sandbox.

    found = Wire(settings)
    monkeypatch.setattr(http, "call", found.call)
    return found
