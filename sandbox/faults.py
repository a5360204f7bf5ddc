"""Faults on demand, for a service, at a rate, for a while."""

import dataclasses
import random

from sandbox.instants import Clock

ANSWER_FAULTS = {
    "latency": "应答变慢",
    "http_5xx": "应答 5xx，请求没有处理",
    "cut": "处理后连接被切断",
    "timeout": "处理后一直不应答",
    "bad_json": "应答残缺",
    "changed": "应答多出一个字段",
}
PUSH_FAULTS = {
    "duplicate": "推送重复",
    "reordered": "推送乱序",
    "late": "推送迟到",
    "forged": "夹带伪造签名的推送",
    "twice_encoded": "推送内容多编码一次",
    "raw_json": "推送用 JSON 正文而不是表单",
    "batched": "几个运单并成一个推送",
}
KINDS = ANSWER_FAULTS | PUSH_FAULTS


@dataclasses.dataclass
class Fault:
    service: str
    kind: str
    rate: float
    until: float
    latency_seconds: float = 2.0


class Faults:
    """Those under way; callers hold the world's lock."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock, self._rng, self._active = clock, rng, list[Fault]()

    def add(self, fault: Fault) -> None:
        self._active = [f for f in self.active() if (f.service, f.kind) != (fault.service, fault.kind)]
        self._active.append(fault)

    def clear(self) -> None:
        self._active = []

    def active(self) -> list[Fault]:
        return [fault for fault in self._active if fault.until > self._clock()]

    def draw(self, service: str, kinds: dict[str, str]) -> list[Fault]:
        """Return the faults that hit this time."""
        mine = [fault for fault in self.active() if fault.service == service and fault.kind in kinds]
        return [fault for fault in mine if self._rng.random() < fault.rate]
