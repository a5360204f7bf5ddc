import sys

import pytest
from django.core.management import CommandError, call_command

from sandbox import server


@pytest.fixture
def served(monkeypatch):
    runs = []
    monkeypatch.setattr(server, "run", lambda config, *others: runs.append((config, others)))
    return runs


def test_the_sandbox_gets_the_credentials_that_the_program_uses(served, settings):
    call_command("sandbox")
    config, others = served[0]
    assert config.kdniao_api_key == settings.KDNIAO_API_KEY
    assert (config.public_url, others) == (settings.PUBLIC_URL, ())


def test_the_demo_shop_comes_only_when_asked_for(served):
    call_command("sandbox", demo=True)
    assert len(served[0][1]) == 1


def test_an_image_without_the_sandbox_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "sandbox", None)
    with pytest.raises(CommandError, match="没有安装沙箱"):
        call_command("sandbox")
