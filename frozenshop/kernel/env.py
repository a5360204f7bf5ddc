"""Settings from the environment, typed: what can't be read is refused by name, with what is wrong and an example."""

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T", int, float)
# The methods below are named after what they return, which hides the types' own names there.
Text: TypeAlias = str
Whole: TypeAlias = int
Number: TypeAlias = float
Truth: TypeAlias = bool
Texts: TypeAlias = list[str]
Days: TypeAlias = dict[str, int]
YES, NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def refusal(name: str, fault: str, example: object) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"设置 {name} 不可用：{fault}。例如 {name}={example}")


class Env:
    """Each name that was asked for is in `names`. An empty value counts as none, a mounted `NAME_FILE` before `NAME`.

    A value is quoted in a refusal only where it can't be secret.
    """

    def __init__(self, values: Mapping[Text, Text] | None = None) -> None:
        self.values = os.environ if values is None else values
        self.names: set[Text] = set()

    def read_file(self, path: Path) -> None:
        """Take the values of an env file that the environment doesn't have."""
        if path.is_file():
            environ.Env.read_env(str(path))

    def given(self, name: Text) -> Text:
        """Return what stands under a name, or nothing."""
        self.names.add(name)
        file = self.values.get(f"{name}_FILE", "")
        if not file:
            return self.values.get(name, "").strip()
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            fault = f"{file} 读不到（{type(error).__name__}）"
            raise refusal(f"{name}_FILE", fault, f"/run/secrets/{name}") from None

    def str(self, name: Text, default: Text = "") -> Text:
        return self.given(name) or default

    def bool(self, name: Text, default: Truth) -> Truth:
        text = self.given(name).lower()
        if text and text not in YES | NO:
            raise refusal(name, f"{text!r} 不是 true 或 false", "true")
        return text in YES if text else default

    def int(self, name: Text, default: Whole, *, at_least: Whole | None = None, at_most: Whole | None = None) -> Whole:
        return self._number(name, Whole, default, "整数", at_least, at_most)

    def float(
        self, name: Text, default: Number, *, at_least: Number | None = None, at_most: Number | None = None
    ) -> Number:
        return self._number(name, Number, default, "数", at_least, at_most)

    def list(self, name: Text, default: Sequence[Text]) -> Texts:
        text = self.given(name)
        return [part.strip() for part in text.split(",") if part.strip()] if text else [*default]

    def dict(self, name: Text, default: Mapping[Text, Whole]) -> Days:
        """Read `key=number,…` over the defaults, whose keys are all that there are."""
        example = ",".join(f"{key}={value}" for key, value in default.items())
        found = {**default}
        for pair in self.list(name, []):
            key, _, number = (part.strip() for part in pair.partition("="))
            if key not in default or not number.isdecimal() or not Whole(number):
                raise refusal(name, f"{pair!r} 不是“{'、'.join(default)}”之一等于一个正整数", example)
            found[key] = Whole(number)
        return found

    def choice(self, name: Text, choices: Sequence[Text], default: Text) -> Text:
        text = self.given(name) or default
        if text not in choices:
            raise refusal(name, f"只能是 {'、'.join(choices)}", default or choices[0])
        return text

    def url(self, name: Text, example: Text, *, default: Text = "", hostless: Sequence[Text] = ()) -> Text:
        """Return an address with the scheme of the example or another that needs no host. It is never quoted: it may
        hold a password."""
        text = self.given(name) or default
        parts = _split(text)
        first = urlsplit(example).scheme
        schemes = {"https": ("https", "http"), "amqp": ("amqp", "amqps"), "redis": ("redis", "rediss")}.get(
            first, (first,)
        )
        if not text or (parts and (parts.scheme in hostless or (parts.scheme in schemes and parts.hostname))):
            return text
        known = "、".join(f"{scheme}://" for scheme in (*schemes, *hostless))
        raise refusal(name, f"应当以 {known} 开头，主机和端口要有效", example)

    def word(self, name: Text, default: Text) -> Text:
        """Return a name that others' programs take as well: queues, prefixes of keys."""
        text = self.given(name) or default
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", text):
            raise refusal(name, "只能由 1 至 100 个字母、数字和 _ . : - 组成", default)
        return text

    def folder(self, name: Text, default: Path) -> Path:
        """Return a folder that is there and can be written, made where there was none."""
        path = Path(self.given(name) or default)
        try:
            path.mkdir(parents=True, exist_ok=True)
            writable = os.access(path, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        if not writable:
            raise refusal(name, f"{path} 不是可以写入的文件夹", "/var/lib/frozenshop")
        return path

    def networks(self, name: Text, default: Sequence[Text]) -> Texts:
        found = self.list(name, default)
        for network in found:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise refusal(name, f"{network!r} 不是网段", "10.0.0.0/8,192.168.1.0/24") from None
        return found

    def _number(
        self, name: Text, read: Callable[[Text], T], default: T, kind: Text, at_least: T | None, at_most: T | None
    ) -> T:
        text = self.given(name)
        try:
            value = read(text) if text else default
        except ValueError:
            raise refusal(name, f"{text!r} 不是{kind}", default) from None
        if not math.isfinite(value):
            raise refusal(name, f"{text!r} 不是有限的数", default)
        if at_least is not None and value < at_least:
            raise refusal(name, f"{value} 小于 {at_least}", default)
        if at_most is not None and value > at_most:
            raise refusal(name, f"{value} 大于 {at_most}", default)
        return value


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts
