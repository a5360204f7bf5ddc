"""Stores for tests: a Redis of one's own that can be killed, or a corner of the shared one."""

import contextlib
import os
import secrets
import socket
import subprocess
import time

import pytest
import redis
from django.core.cache import cache

from frozenshop.kernel import nonces, redis_store, throttling


def use_shared_redis(monkeypatch, settings):
    """Let the kernel use a corner of the shared Redis that nobody has used before; return the store.

    Whoever uses a store calls `close_stores` at the end.
    """
    return use_redis(monkeypatch, settings, os.environ["REDIS_URL"])


_opened = []


def open_store(url, prefix):
    store = redis_store.RedisStore(url, prefix)
    _opened.append(store)
    return store


def close_stores():
    """Hang up, so that no socket is left to the garbage collector."""
    while _opened:
        hang_up(_opened.pop())


def hang_up(store):
    if connection := store.line._connection:
        connection.disconnect()
    store.client.close()


def use_redis(monkeypatch, settings, url):
    monkeypatch.setattr(redis_store, "TIMEOUT_SECONDS", 20)
    store = open_store(url, f"test-{secrets.token_hex(6)}")
    settings.REDIS_URL = url
    monkeypatch.setattr(redis_store, "_store", lambda url, prefix: store)
    monkeypatch.setattr(redis_store, "PAUSE_SECONDS", 0)
    return store


def take_cache_away(monkeypatch):
    """Let the cache fail, whichever it is."""

    def away(*args, **kwargs):
        raise redis_store.Away

    for name in ("get", "get_many", "set", "add", "delete"):
        monkeypatch.setattr(cache, name, away)
    for name in ("ask", "run_and_fetch"):
        monkeypatch.setattr(redis_store.RedisStore, name, away)


def make_old(store):
    """Let a Redis store have been born an hour ago."""
    run_id = store.client.info("server")["run_id"]
    seconds, microseconds = store.client.time()
    store.client.set(store.key("birth"), f"{run_id} {(seconds - 3600) * 1_000_000 + microseconds}")


def fresh_memory(monkeypatch):
    """Let the kernel use memory in which nothing has happened, as old as this process."""
    born = nonces.HERE._born
    memory = nonces.MemoryNonces()
    memory._born = born
    monkeypatch.setattr(nonces, "HERE", memory)
    monkeypatch.setattr(throttling, "HERE", throttling.LocalLimits())


class OwnRedis:
    """A Redis server on a port of its own."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = None

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self._process = subprocess.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
                client.ping()
                client.close()
                return
        pytest.fail("redis-server doesn't answer")

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def in_parallel(count, function, *, threads=32):
    """Call a function many times at once and return what came of each, exceptions included."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    def call(number):
        try:
            return function(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, range(count)))
