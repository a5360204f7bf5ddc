"""The contract of a channel: one letter, sent once, and how it can fail.

A channel is one module with the functions of `MessageChannel`, and one line in `CHANNELS`.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast, runtime_checkable

from django.db import models

from frozenshop.kernel.scrubbing import scrub

CHANNELS: Mapping[str, str] = {
    "wechat_subscribe": "notifications.channels.wechat_subscribe",
    "wechat_official": "notifications.channels.wechat_official",
    "sms_aliyun": "notifications.channels.sms_aliyun",
    "sms_tencent": "notifications.channels.sms_tencent",
    "wecom_bot": "notifications.channels.wecom_bot",
    "email": "notifications.channels.email",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent. `address` is the channel's own (openid, phone, e-mail) and is never kept or logged.

    `reference` is ours (`Delivery.reference`), for channels that carry one along. `fields` are filled in
    already, `text` is the whole in words for channels without templates.
    """

    address: str = field(repr=False)
    reference: str
    template_id: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    page: str = ""
    title: str = ""
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """A channel took the letter, which is not yet that somebody has it. `provider_id` is what reports will name."""

    provider_id: str = ""


class Fate(models.TextChoices):
    """What a channel says became of a letter."""

    DELIVERED = "delivered", "已送达"
    FAILED = "failed", "失败"
    UNDERWAY = "underway", "发送中"
    NEVER_TAKEN = "never_taken", "没有收到"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a letter, named by our `reference` or by the channel's `provider_id`."""

    fate: Fate
    code: str = ""
    said: str = ""
    reference: str = ""
    provider_id: str = ""


class ChannelError(Exception):
    """A letter that was not taken.

    `permanent`: this letter can't go this way (the next channel may); otherwise try again after `retry_after`.
    `unknown`: nobody knows whether it was taken, so it must be asked about before any second try.
    `trouble`: nothing goes this way until a person acted (keys, template, balance); names it. `code` is the channel's.
    `channel_is_well`: the refusal is an answer about this letter or its person, and says nothing against the channel.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "",
        permanent: bool = False,
        unknown: bool = False,
        trouble: str = "",
        retry_after: dt.timedelta | None = None,
        channel_is_well: bool = False,
    ) -> None:
        self.reason = scrub(reason)[:300]
        super().__init__(self.reason)
        self.code, self.permanent, self.unknown = code, permanent, unknown
        self.trouble, self.retry_after = trouble, retry_after
        self.channel_is_well = permanent or channel_is_well


class MessageChannel(Protocol):
    """The functions of a channel's module. None may be called inside a database transaction."""

    def configured(self) -> bool:
        """Return whether the settings hold this channel's keys; without them it is off."""

    def send(self, letter: Letter, *, timeout: float = 10.0) -> Taken:
        """Send now. Raises ChannelError."""

    def ask(self, letter: Letter, provider_id: str, sent_at: dt.datetime) -> Report | None:
        """Return what became of a letter; None where the channel can't be asked. Raises ChannelError."""


@runtime_checkable
class Ledger(Protocol):
    """What a channel's module has besides, where a ledger says who allows a letter: so it is read for many at once."""

    def allowed(self, letters: Collection[Letter]) -> Collection[str]:
        """Return the references of the letters that may be sent. Raises DatabaseError."""

    def send_if(self, consent: bool, letter: Letter, *, timeout: float = 10.0) -> Taken:
        """Do as `send` without the ledger. Raises ChannelError."""

    def note_taken(self, letters: Collection[Letter]) -> None:
        """Note in the ledger what was taken; a second time is harmless."""


def get_channel(name: str) -> MessageChannel:
    """Import a channel by name. Raises KeyError for a name that is not registered."""
    return cast(MessageChannel, import_module(CHANNELS[name]))


def configured_channels() -> frozenset[str]:
    """Return the names of the channels that have their keys."""
    return frozenset(name for name in CHANNELS if get_channel(name).configured())
