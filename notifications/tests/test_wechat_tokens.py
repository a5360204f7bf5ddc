import os
import subprocess
import sys
import threading

import pytest

from frozenshop.kernel.tests import stores
from notifications.tests.wechat_sim import Sim, sim
from notifications.wechat import accounts, client, tokens

__all__ = ["sim"]
STABLE = "/cgi-bin/stable_token"
WORKER = """
import django; django.setup()
from django.conf import settings
import threading, sys
settings.WECHAT_BASE_URL, settings.WECHAT_APPID, settings.WECHAT_APP_SECRET = sys.argv[1:4]
settings.CACHES["default"]["KEY_PREFIX"] = "tokens-test"
from notifications.wechat import client
failed = []
def work():
    try:
        client.authorised_get("/wxaapi/newtmpl/gettemplate")
    except Exception as error:
        failed.append(repr(error))
threads = [threading.Thread(target=work) for _ in range(25)]
[t.start() for t in threads]; [t.join() for t in threads]
print(failed)
"""


def everybody(count, act):
    barrier, failed = threading.Barrier(count), []

    def work():
        barrier.wait()
        try:
            act()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def asked(sim):
    return len(sim.asked_for(STABLE))


@pytest.mark.parametrize("end", ["expire_tokens", "revoke_tokens"])
def test_a_hundred_workers_on_an_expired_token_make_one_refresh(sim: Sim, end):
    tokens.access_token()
    getattr(sim.wechat, end)()
    before = asked(sim)
    assert everybody(100, lambda: client.authorised_get("/wxaapi/newtmpl/gettemplate")) == []
    assert asked(sim) - before == 1


def test_a_hundred_workers_without_a_token_make_one_refresh(sim: Sim):
    assert everybody(100, lambda: client.authorised_get("/wxaapi/newtmpl/gettemplate")) == []
    assert asked(sim) == 1


@pytest.mark.services("redis")
def test_a_hundred_workers_in_four_processes_make_one_refresh(sim: Sim, settings):
    first = tokens.access_token()
    sim.wechat.revoke_tokens()
    assert first
    argv = [sys.executable, "-c", WORKER, settings.WECHAT_BASE_URL, settings.WECHAT_APPID, settings.WECHAT_APP_SECRET]
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    workers = [subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [worker.communicate(timeout=60)[0].strip() for worker in workers] == ["[]"] * 4
    assert asked(sim) == 2


def test_the_two_accounts_have_a_token_each(sim: Sim):
    assert tokens.access_token() != tokens.access_token(accounts.official())
    assert tokens.access_token() == tokens.access_token()
    assert asked(sim) == 2


def test_while_the_cache_is_away_each_process_keeps_its_own_token(sim: Sim, monkeypatch):
    stores.take_cache_away(monkeypatch)
    assert tokens.access_token() == tokens.access_token()
    assert asked(sim) == 1


@pytest.mark.parametrize("seconds", [1, 299, 300])
def test_a_token_that_wechat_renews_late_is_not_asked_for_by_every_call(sim: Sim, monkeypatch, seconds):
    fetched = []

    def post(path, body, **_):
        fetched.append(path)
        return {"access_token": "T", "expires_in": seconds}

    monkeypatch.setattr(tokens.wire, "post", post)
    assert {tokens.access_token() for _ in range(10)} == {"T"}
    assert len(fetched) == 1


def test_no_secret_stands_in_the_account():
    assert "test-only-app-secret" not in repr(accounts.mini_program())
