"""System checks of the log store's settings."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from frozenshop.kernel.logstore.entries import Kind

EXAMPLE = "MONGODB_URL=mongodb://user:password@mongo.example.com:27017/frozenshop?authSource=admin"
KINDS = ",".join(Kind.values)


@register(Tags.security)
def check_log_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return list(_faults())


def _faults() -> Iterator[CheckMessage]:
    if settings.MONGODB_URL:
        yield from _mongodb(settings.MONGODB_URL)
    keep = settings.LOG_KEEP_DAYS
    if set(keep) != set(Kind.values) or not all(1 <= days <= 3650 for days in keep.values()):
        fault, example = "每类日志都要有保留天数（1 至 3650）", "LOG_KEEP_DAYS=raw=35,call=90,access=30,exchange=180"
        yield Error(f"设置 LOG_KEEP_DAYS 不可用：{fault}。", hint=f"例如 {example}", id="frozenshop.E052")
    if settings.LOG_SPOOL_MB < 1:
        yield Error("设置 LOG_SPOOL_MB 不可用：至少 1。", hint="例如 LOG_SPOOL_MB=64", id="frozenshop.E053")
    if unknown := set(settings.LOG_KINDS) - set(Kind.values):
        names = "、".join(sorted(unknown))
        yield Error(f"设置 LOG_KINDS 里有未知的日志：{names}。", hint=f"例如 LOG_KINDS={KINDS}", id="frozenshop.E054")


def _mongodb(url: str) -> Iterator[CheckMessage]:
    """Never quote the address: it holds a password."""
    if fault := _fault(url):
        yield Error(f"设置 MONGODB_URL 不可用：{fault}。", hint=f"例如 {EXAMPLE}", id="frozenshop.E050")
    if find_spec("pymongo") is None:
        hint = "安装 requirements.txt 里的 pymongo，或留空 MONGODB_URL（日志写入数据库）"
        yield Error("设置了 MONGODB_URL，但没有安装 pymongo。", hint=hint, id="frozenshop.E051")


def _fault(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "不是一个地址"
    if parts.scheme not in ("mongodb", "mongodb+srv"):
        return "不以 mongodb:// 或 mongodb+srv:// 开头"
    if not parts.netloc.rpartition("@")[2]:
        return "没有主机"
    name = parts.path.removeprefix("/")
    if not name:
        return "没有数据库名（主机之后的 /frozenshop）"
    if set(name) & set('/\\. "$'):
        return "数据库名含有不能用的字符"
    return "" if find_spec("pymongo") is None else _refused_by_the_driver(url)


def _refused_by_the_driver(url: str) -> str:
    """Ask no name server: an address of `mongodb+srv` is read as if it named its host itself."""
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    try:
        parse_uri(url.replace("mongodb+srv://", "mongodb://", 1))
    except (PyMongoError, ValueError):
        return "驱动不认识（密码里的 @、:、/、% 等要写成 %40、%3A、%2F、%25，端口是 1 至 65535，选项要有）"
    return ""
