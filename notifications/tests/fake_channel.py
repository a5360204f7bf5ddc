"""Channels that tell what they were given and answer as they are told."""

from collections import defaultdict
from collections.abc import Callable

from django.db import connection

from notifications.channels import base
from notifications.channels.base import ChannelError, Letter, Report, Taken
from notifications.models import MessageTemplate, Milestone

BUYER = ("wechat_subscribe", "sms_aliyun")
EVERY = (*BUYER, "wechat_official", "sms_tencent", "wecom_bot", "email")


class FakeChannel:
    """`answers`: what it says next, a value or an error; then it takes everything. `fate`: what it says when asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.letters: list[Letter] = []
        self.answers: list[Taken | ChannelError] = []
        self.always: ChannelError | None = None
        self.fate: Report | ChannelError | None = None
        self.asked: list[str] = []
        self.depth = 0
        self.before: Callable[[Letter], None] = lambda letter: None

    def configured(self) -> bool:
        return True

    def send(self, letter: Letter, *, timeout: float = 10.0) -> Taken:
        assert len(connection.savepoint_ids) <= self.depth, "called inside a transaction"
        self.before(letter)
        answer = self.always or (self.answers.pop(0) if self.answers else Taken(f"{self.name}-{len(self.letters)}"))
        if isinstance(answer, ChannelError):
            if answer.unknown:
                self.letters.append(letter)
            raise answer
        self.letters.append(letter)
        return answer

    def ask(self, letter: Letter, provider_id: str, sent_at: object) -> Report | None:
        self.asked.append(letter.reference)
        if isinstance(self.fate, ChannelError):
            raise self.fate
        return self.fate


class Post(dict[str, FakeChannel]):
    """The channels that are set up, by name."""

    @property
    def told(self) -> list[tuple[str, str]]:
        """(channel, template's title) of all letters, by channel."""
        return [(name, letter.title) for name, channel in self.items() for letter in channel.letters]

    def titles(self, name: str) -> list[str]:
        return [letter.title for letter in self[name].letters]

    def counted(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for name, channel in self.items():
            found[name] += len(channel.letters)
        return {name: count for name, count in found.items() if count}


def install(monkeypatch, *names: str) -> Post:
    """Put fakes in the place of all channels, with a template for every milestone."""
    post = Post({name: FakeChannel(name) for name in names})
    monkeypatch.setattr(base, "CHANNELS", dict.fromkeys(post, "fake"))
    monkeypatch.setattr(base, "get_channel", post.__getitem__)
    make_templates(*names)
    return post


def make_templates(*names: str) -> None:
    MessageTemplate.objects.bulk_create(
        MessageTemplate(
            channel=name,
            milestone=milestone,
            template_id=f"T-{milestone}",
            title=milestone,
            fields={"thing1": "{order_no} {status}"},
        )
        for name in names
        for milestone in Milestone.values
    )
