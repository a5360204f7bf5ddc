"""What a service is to the server: which calls are its own, how it answers, how it pushes, and its manners."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.pushing import Voice
from sandbox.world import World


@dataclasses.dataclass(frozen=True)
class Asked:
    """A call. `body`: the form, or the parsed JSON, or nothing; `text`: as it came; `headers`: by lower-case name."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: Any
    text: str
    headers: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Answered:
    """An answer with another status than 200, or with headers."""

    status: int
    value: Any
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Service:
    """`serves` tells the service's calls from others'; `answer` returns a value for JSON, text sent as it is, or
    Answered.

    `manners`: the dataclass of what can be set under `PUT /_sim/<service>`; the world keeps one (`World.own`). A
    field's metadata may hold `choices` (of a set) or `least` and `most` (of a number).
    `sample`: what a captured payload (`payloads/<service>_*.json`) says of a parcel: (captured, waybill, carrier code).
    `content_types`: of answers that are not sent as JSON, by path.
    """

    serves: Callable[[Asked], bool]
    answer: Callable[[World, Asked], Any]
    voice: Voice | None = None
    manners: type[Any] | None = None
    sample: Callable[[Mapping[str, Any], str, str], Any] | None = None
    content_types: Mapping[str, str] = dataclasses.field(default_factory=dict)
