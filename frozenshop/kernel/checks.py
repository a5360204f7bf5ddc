"""System checks of the keys and of what production must have; and stopping a process that would run without them."""

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import ERROR, CheckMessage, Error, Info, Tags, Warning, register, run_checks

from frozenshop.kernel import integrations
from frozenshop.kernel.crypto import KeyMalformed, parse_keys

MIN_SECRET_LENGTH = 32
MIN_DISTINCT = 10
"""32 random bytes hold about 30 distinct values; a placeholder holds few."""
PLACEHOLDERS = ("changeme", "change-me", "change_me", "insecure", "placeholder", "your-", "example", "默认", "请修改")
# Read by the image's scripts and the Makefile, not by the settings.
OTHERS = {"PORT", "WEB_HOST", "WEB_WORKERS", "WEB_DRAIN_SECONDS", "WORKER_CONCURRENCY", "WORKER_QUEUES"}
ALIKE = 0.87


def refuse_unusable_settings() -> None:
    """Stop a process that runs no system checks of its own, such as a web server's: one line for each fault.

    What is only doubtful is said, and the process goes on.
    """
    found = sorted((one for one in run_checks() if one.level > Info("").level), key=lambda one: -one.level)
    lines = [" ".join(f"{one.msg}{one.hint or ''}".split()) for one in found]
    if any(one.level >= ERROR for one in found):
        sys.exit("\n".join(lines))
    for line in lines:
        print(line, file=sys.stderr)


@register(Tags.security)
def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors = (_error(number, *row) for number, row in enumerate(_KEY_SETTINGS, start=1))
    return [error for error in errors if error is not None]


@register(Tags.security)
def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse what no request, no link in a message and no callback could work with."""
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if not settings.ALLOWED_HOSTS:
        hint = "例如 ALLOWED_HOSTS=shop.example.com"
        found.append(Error("缺少设置 ALLOWED_HOSTS，任何请求都会被拒绝。", hint=hint, id="frozenshop.E030"))
    if not (settings.ALLOW_LOOPBACK_INTEGRATIONS or integrations.is_outside(settings.PUBLIC_URL)):
        hint = "例如 PUBLIC_URL=https://shop.example.com"
        found.append(Error("设置 PUBLIC_URL 必须是 https，且不能是本机地址。", hint=hint, id="frozenshop.E031"))
    if urlsplit(settings.PUBLIC_URL).path:
        hint = "例如 PUBLIC_URL=https://shop.example.com"
        found.append(Error("设置 PUBLIC_URL 只能到主机名为止，后面没有路径。", hint=hint, id="frozenshop.E032"))
    return found


@register(Tags.security)
def check_misspelt(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Name what is in the environment and looks like a setting of ours, but is none."""
    known = settings.KNOWN_SETTINGS | OTHERS
    given = {name.removesuffix("_FILE"): name for name in os.environ if name.isupper()}
    found: list[CheckMessage] = []
    for name in sorted(given.keys() - known):
        if alike := difflib.get_close_matches(name, known - given.keys(), n=1, cutoff=ALIKE):
            hint = f"也许是 {alike[0]}？"
            found.append(Warning(f"没有 {given[name]} 这个设置。", hint=hint, id="frozenshop.W033"))
    return found


@register(Tags.security, deploy=True)
def check_stores(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Say which stores are the embedded ones: well enough for one process of each kind, and for no more."""
    absent = [
        (
            settings.EMBEDDED,
            "没有配置 DATABASE_URL，使用 SQLite。",
            "mysql://user:password@host:3306/frozenshop",
            "database",
        ),
        (not settings.REDIS_URL, "没有配置 REDIS_URL，限流和缓存各进程自理。", "redis://host:6379/0", "redis"),
        (
            settings.CELERY_BROKER_URL.startswith("filesystem"),
            "没有配置 CELERY_BROKER_URL，任务经本机的文件传递。",
            "amqp://user:password@host:5672//",
            "broker",
        ),
        (
            not settings.MONGODB_URL,
            "没有配置 MONGODB_URL，日志写入数据库。",
            "mongodb://host:27017/frozenshop",
            "mongodb",
        ),
        ("replica" not in settings.DATABASES, "没有配置 REPLICA_DATABASE_URL，全部从主库读取。", "", "replica"),
    ]
    return [
        Info(sentence, hint=f"例如 {example}" if example else None, id=f"{name}.I001")
        for missing, sentence, example, name in absent
        if missing
    ]


@register(Tags.security, deploy=True)
def check_loopback(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.ALLOW_LOOPBACK_INTEGRATIONS:
        return []
    sentence = "ALLOW_LOOPBACK_INTEGRATIONS 只供测试：外部服务和 Webhook 可以指向本机和内网。"
    return [Warning(sentence, hint="生产环境去掉它。", id="frozenshop.W034")]


def _error(number: int, name: str, fault: Callable[[str], str], shape: str) -> Error | None:
    found = fault(getattr(settings, name, ""))
    if not found:
        return None
    hint = f"用 `python -m frozenshop.bootstrap {name}` 生成新值，例如 {name}={shape}"
    return Error(f"设置 {name} 不可用：{found}。", hint=hint, id=f"frozenshop.E{number:03}")


def _keys_fault(text: str) -> str:
    try:
        keys = parse_keys(text)
    except KeyMalformed as error:
        return str(error)
    weak = [key_id for key_id, key in keys.items() if len(set(key)) < MIN_DISTINCT]
    return f"密钥 {weak[0]} 不是随机值" if weak else ""


def _secret_fault(text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH:
        return f"只有 {len(text)} 个字符，至少需要 {MIN_SECRET_LENGTH} 个"
    if len(set(text)) < MIN_DISTINCT or any(word in text.lower() for word in PLACEHOLDERS):
        return "是示例或默认值，不是随机值"
    return ""


_KEY_SETTINGS: list[tuple[str, Callable[[str], str], str]] = [
    ("SECRET_KEY", _secret_fault, "<64 个随机字符>"),
    ("FIELD_ENCRYPTION_KEYS", _keys_fault, "k2:<32 字节的 base64>,k1:<旧密钥的 base64>"),
    ("BLIND_INDEX_KEYS", _keys_fault, "k2:<32 字节的 base64>,k1:<旧密钥的 base64>"),
    ("AUDIT_KEY", _secret_fault, "<64 个随机字符>"),
]
