"""A trouble every half minute, in turns, each over before the next."""

import time
from collections.abc import Callable

from benchmarks.soak.stack import Stack

AWAY_SECONDS = 10


def killed(name: str) -> Callable[[Stack], None]:
    """`kill -9`, and started again at once, as Kubernetes would."""

    def fault(stack: Stack) -> None:
        stack.kill(name)
        stack.start(name)

    return fault


def redis_away(stack: Stack) -> None:
    stack.kill("redis")
    time.sleep(AWAY_SECONDS)
    stack.start("redis")


def broker_away(stack: Stack) -> None:
    stack.cut_gate()
    time.sleep(AWAY_SECONDS)
    stack.open_gate()


def provider_silent(stack: Stack) -> None:
    stack.sandbox("/faults", {"service": "kdniao", "kind": "timeout", "rate": 1, "seconds": AWAY_SECONDS})


def wechat_broken(stack: Stack) -> None:
    stack.sandbox("/faults", {"service": "wechat", "kind": "http_5xx", "rate": 1, "seconds": AWAY_SECONDS})


FAULTS: dict[str, Callable[[Stack], None]] = {
    "web killed": killed("web-b"),
    "worker killed": killed("worker-b"),
    "relay killed": killed("relay-b"),
    "beat killed": killed("beat-b"),
    "Redis killed, away 10 s": redis_away,
    "RabbitMQ cut off 10 s": broker_away,
    "快递鸟 silent 10 s": provider_silent,
    "WeChat broken 10 s": wechat_broken,
}
