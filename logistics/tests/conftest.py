"""What the tests of logistics share: a fake of the one HTTP seam, and limits that start anew."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from frozenshop.kernel import http, throttling
from logistics.tests.fake_http import FakeHttp


@pytest.fixture
def fake_http() -> Iterator[FakeHttp]:
    fake = FakeHttp()
    with patch.object(http, "call", fake.call):
        yield fake


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often a provider was asked in one test doesn't count in the next."""
    monkeypatch.setattr(throttling, "hit", throttling.LocalLimits().hit)
