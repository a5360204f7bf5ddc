"""The contract of a tracking provider: what it is asked, what it tells us, and how it fails.

A provider is one module with the functions of `TrackingProvider`, and one line in `PROVIDERS`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast

from django.db import models

from frozenshop.kernel.scrubbing import scrub
from logistics.models import ShipmentStatus

PROVIDERS: Mapping[str, str] = {
    "kdniao": "logistics.providers.kdniao",
    "cainiao": "logistics.providers.cainiao",
    "sf": "logistics.providers.sf",
    "kuaidi100": "logistics.providers.kuaidi100",
}

MAX_PUSH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """One waybill to ask about. `carrier_code` is the provider's; `phone_tail` the last four digits, where wanted.

    `origin` and `destination` are its lane (省市), empty where not known. `callback_url` is where pushes about this one
    waybill are to go, for providers that are told so with each subscription.
    """

    carrier_code: str
    waybill_no: str
    phone_tail: str = ""
    origin: str = ""
    destination: str = ""
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One scan. `code` is the provider's own, empty where it gives none (then `status` is unknown).

    `reason`: why, where the code says so (a value of `Reason`).
    """

    status: ShipmentStatus
    occurred_at: dt.datetime
    text: str
    location: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Overall:
    """What a provider says of the whole parcel beside the scans.

    `weak`: a coarse summary that yields to a coded scan of the same instant (快递鸟's State without StateEx).
    """

    status: ShipmentStatus
    code: str
    as_of: dt.datetime
    weak: bool = False
    location: str = ""


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """All that one answer or push says of one waybill, events oldest first.

    `found` is false where the provider knows nothing yet; `reason` is its own sentence. `unknown_codes` pairs each
    code that we have no word for with a sample text; `notes` says what could not be read; `raw` is the answer as it
    came, to be kept. `corrected_carrier_code`: the provider found that another carrier has this number.
    `pushes_ended`: it will push no more, for this reason. `arrival_at`: its own opinion of the arrival.
    """

    waybill_no: str
    carrier_code: str
    events: tuple[ProviderEvent, ...] = ()
    overall: Overall | None = None
    found: bool = True
    reason: str = ""
    unknown_codes: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    corrected_carrier_code: str = ""
    pushes_ended: str = ""
    arrival_at: dt.datetime | None = None
    raw: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A carrier that a waybill number may belong to, most likely first."""

    carrier_code: str
    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a push is answered with, exactly as its sender expects it."""

    status: int
    body: str
    content_type: str = "application/json"


class Concerns(models.TextChoices):
    """How far a permanent refusal reaches."""

    WAYBILL = "waybill", "运单"
    CARRIER = "carrier", "承运商"
    PLAN = "plan", "套餐"
    ACCOUNT = "account", "账号"


class ProviderError(Exception):
    """A question that got no answer.

    `permanent`: asking again can't help until a person changed something; `concerns` says what. Otherwise try later.
    `reason` is kept and shown to staff: telephone numbers in the provider's sentence are masked.
    """

    def __init__(self, reason: str, *, permanent: bool = False, concerns: Concerns = Concerns.WAYBILL) -> None:
        self.reason = scrub(reason)
        super().__init__(self.reason)
        self.permanent = permanent
        self.concerns = concerns


class Forged(Exception):
    """A push that its provider did not sign. Refuse it, keep nothing."""


class Unreadable(Exception):
    """A push that can't be understood. Refuse it; keep it if its signature was right."""


class TrackingProvider(Protocol):
    """The functions of a provider's module. What goes out may not be called inside a database transaction."""

    def configured(self) -> bool:
        """Return whether the settings hold this provider's keys; without them it is off."""

    def query(self, question: Question, *, timeout: float = 5.0) -> ProviderReport:
        """Ask now; `timeout` in seconds. Raises ProviderError."""

    def subscribe(self, question: Question, *, timeout: float = 5.0) -> None:
        """Ask to be told by push. Repeatable. Raises ProviderError."""

    def authenticate(self, body: bytes, secret: str = "") -> None:
        """Check a push's signature in constant time. Raises Forged, or Unreadable where nothing can be checked.

        `secret` is the last part of the callback's path, for providers that have one there.
        """

    def parse(self, body: bytes, received_at: dt.datetime | None = None) -> tuple[ProviderReport, ...]:
        """Return what an authentic push reports, one report per waybill; none for one of no interest.

        The same whenever it is read: what has no time of its own was said at `received_at` (None: now).
        Raises Unreadable. Does not look at the signature, so that a kept push stays readable after a change of keys.
        """

    def accepted(self, body: bytes) -> Reply:
        """Return the answer that stops the sender from repeating this push."""

    def refused(self, body: bytes, reason: str, *, status: int) -> Reply:
        """Return the answer to a forged (401), unreadable (400) or presently impossible (503) push."""


class BatchProvider(TrackingProvider, Protocol):
    """A provider that answers about several waybills in one call. `BATCH` is how many at most."""

    BATCH: int

    def query_many(
        self, questions: Sequence[Question], *, timeout: float = 5.0
    ) -> Mapping[str, "ProviderReport | ProviderError"]:
        """Ask about several waybills at once; return an outcome for each waybill_no. Raises ProviderError for all."""


def get_provider(name: str) -> TrackingProvider:
    """Import a provider by name. Raises KeyError for a name that is not registered."""
    return cast(TrackingProvider, import_module(PROVIDERS[name]))


def configured_providers() -> list[str]:
    """Return the names of the providers that have their keys, in order of preference."""
    return [name for name in PROVIDERS if get_provider(name).configured()]
