"""A tracking provider is entered wherever docs/adding-a-provider.md says; a forgotten place would lose its pushes."""

from pathlib import Path

import pytest
from django.conf import settings

from frozenshop.api.urls import urlpatterns
from logistics import checks
from logistics.carriers import CODE_FIELDS, OWN_WAYBILLS
from logistics.contracts import CONTRACTS
from logistics.models import Provider
from logistics.providers.base import PROVIDERS
from sandbox.services import VOICES

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", PROVIDERS)
class TestEachProvider:
    def test_its_reports_can_be_recorded(self, name):
        assert name in Provider.values

    def test_it_knows_carriers(self, name):
        assert name in OWN_WAYBILLS or f"{name}_code" in CODE_FIELDS

    def test_its_pushes_have_an_address(self, name):
        assert any(route.default_args == {"provider": name} for route in urlpatterns)

    def test_its_settings_have_a_cap_and_a_check(self, name):
        assert hasattr(settings, f"{name.upper()}_DAILY_BUDGET")
        assert hasattr(checks, f"check_{name}")

    def test_it_has_its_page_and_its_tests(self, name):
        assert (ROOT / f"docs/providers/{name}.md").exists()
        assert (ROOT / f"logistics/tests/test_{name}.py").exists()

    def test_its_messages_are_watched_for_changes(self, name):
        assert name in CONTRACTS

    def test_the_sandbox_stands_in_for_it(self, name):
        assert name in VOICES
