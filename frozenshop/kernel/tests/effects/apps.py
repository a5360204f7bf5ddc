import functools
import itertools
import os
import random
import signal
import threading
import time
from pathlib import Path

from django.apps import AppConfig

COUNTS: dict[str, itertools.count] = {}
RATE = float(os.environ.get("KILL_RATE", "0"))
TOKENS = Path(os.environ.get("KILL_TOKENS", "/nonexistent"))
PASSES_BEFORE_KILL = 5


def step(name: str) -> None:
    """Die here by SIGKILL: once per name and test, or with a rate."""
    passes = next(COUNTS.setdefault(name, itertools.count(1)))
    if random.random() < RATE or (passes == PASSES_BEFORE_KILL and _first(name)):
        os.kill(os.getpid(), signal.SIGKILL)


def _first(name: str) -> bool:
    try:
        (TOKENS / name).touch(exist_ok=False)
    except OSError:
        return False
    return True


class EffectsConfig(AppConfig):
    name = "frozenshop.kernel.tests.effects"
    label = "effects"

    def ready(self) -> None:
        from frozenshop.kernel.outbox import consuming, ledger, relay

        relay.claim = _then(functools.partial(relay.claim, batch=5), "relay-claimed")
        relay.Relay._publish = _then(relay.Relay._publish, "relay-published")
        relay.mark_sent = _then(relay.mark_sent, "relay-marked")
        consuming.deliver = _then(_before(consuming.deliver, "worker-received"), "worker-finished")
        relay.Relay.run_once = _rearming(relay.Relay.run_once, ledger.rearm)


def _then(function, name):
    def wrapped(*args, **kwargs):
        result = function(*args, **kwargs)
        step(name)
        return result

    return wrapped


def _before(function, name):
    def wrapped(*args, **kwargs):
        step(name)
        return function(*args, **kwargs)

    return wrapped


def _rearming(run_once, rearm):
    """Instead of beat and the job, which these tests leave out: rearm each second."""
    last = [time.monotonic()]
    lock = threading.Lock()

    def wrapped(self):
        with lock:
            if time.monotonic() - last[0] > 1:
                last[0] = time.monotonic()
                rearm()
        return run_once(self)

    return wrapped
