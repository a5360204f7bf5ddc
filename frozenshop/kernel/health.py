"""Alive, ready, and what is wrong: one list of checks for `/readyz` and for `manage.py doctor`."""

import datetime as dt
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask
from redis import Redis, RedisError

from frozenshop.kernel import clock, heartbeat, jobs
from frozenshop.kernel.draining import draining
from frozenshop.kernel.models import OutboxMessage

Status = OutboxMessage.Status
LATE = dt.timedelta(seconds=60)
SLOTS_MISSED = 3
ANSWER_SECONDS = 1.0
DEGRADED_SECONDS = 5.0
RUNBOOKS = {
    "database": "database",
    "migrations": "database",
    "replica": "replica",
    "redis": "redis",
    "broker": "broker",
    "outbox": "outbox",
    "worker": "worker",
    "dead_messages": "dead-messages",
    "beat": "beat",
    "provider": "provider",
    "webhook": "webhook",
    "settlement": "settlement",
    "messages": "messages",
    "wechat": "wechat-token",
    "logstore": "mongodb",
    "backup": "backup",
    "audit": "audit",
    "sandbox": "demo",
    "demo_orders": "demo",
    "demo_file": "demo",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong: its stable name and a sentence."""

    name: str
    sentence: str

    @property
    def page(self) -> str:
        """The page that helps."""
        return f"docs/runbooks/{RUNBOOKS[self.name]}.md"


def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: the process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """503 while requests can't be served, or soon won't be; else 200 with what is degraded."""
    unready = ["draining"] if draining() else not_ready()
    if unready:
        return JsonResponse({"status": "unavailable", "reasons": unready}, status=503)
    degraded = _degraded()
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded})


def not_ready() -> list[str]:
    """Name what keeps every request from being served."""
    if not _database_answers():
        return ["database"]
    if not _migrated():
        return ["migrations"]
    return list(_demo_gaps()) if settings.LOCAL_DEMO else []


def findings() -> Iterator[Finding]:
    """Name all that is wrong while requests are served."""
    for check in (_replica, _redis, _outbox, _dead, _jobs, *map(import_string, settings.HEALTH_CHECKS)):
        try:
            yield from check()
        except DatabaseError as error:
            yield Finding("database", f"数据库无法读取：{type(error).__name__}")


def oldest_due() -> OutboxMessage | None:
    return OutboxMessage.objects.filter(status=Status.PENDING).order_by("due_at", "id").first()


def port_answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return False
    return True


_seen_migrated = False


def _migrated() -> bool:
    """Ask until the answer is yes: no migration is undone under a running process."""
    global _seen_migrated
    if not _seen_migrated:
        try:
            executor = MigrationExecutor(connection)
            _seen_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError:
            return False
    return _seen_migrated


def _demo_gaps() -> Iterator[str]:
    if not port_answers("127.0.0.1", settings.SANDBOX_PORT):
        yield "sandbox"
    # The kernel may not import an app above it; the demo is the one time it must know that there are orders.
    if not apps.get_model("orders", "Order").objects.exists():
        yield "demo_orders"
    try:
        json.loads((settings.VAR_DIR / "demo.json").read_bytes())
    except (OSError, ValueError):
        yield "demo_file"


_known: tuple[float, list[str]] = (0.0, [])


def _degraded() -> list[str]:
    """Name what is wrong, asked at most every few seconds: probes come often and from several sides."""
    global _known
    if time.monotonic() - _known[0] > DEGRADED_SECONDS:
        _known = time.monotonic(), sorted({finding.name for finding in findings()})
    return _known[1]


def _replica() -> Iterator[Finding]:
    if not heartbeat.configured():
        return
    sight = heartbeat.watch().first_sight()
    if sight is None or sight.seen is None:
        yield Finding("replica", "只读副本没有回应：全部从主库读取")
    elif (lag := sight.lag()) > settings.REPLICA_MAX_LAG_SECONDS:
        yield Finding("replica", f"只读副本落后 {_words(dt.timedelta(seconds=lag))}：全部从主库读取")


def _redis() -> Iterator[Finding]:
    if not settings.REDIS_URL:
        return
    try:
        with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as store:
            store.ping()
    except RedisError:
        yield Finding("redis", "Redis 没有回应：随机串改记数据库，缓存停用")


def _outbox() -> Iterator[Finding]:
    message = oldest_due()
    if message and (late := clock.now() - message.due_at) > LATE:
        yield Finding("outbox", f"最早的待发消息（{message.topic}）已晚 {_words(late)}：检查 relay 和消息队列")
    sent = OutboxMessage.objects.filter(status=Status.SENT).order_by("due_at", "id").first()
    if sent and sent.sent_at and (waiting := clock.now() - sent.sent_at) > LATE:
        yield Finding("worker", f"最早的已发消息（{sent.topic}）{_words(waiting)} 没有完成：检查 worker")


def _dead() -> Iterator[Finding]:
    dead = OutboxMessage.objects.filter(status=Status.DEAD)[:100].count()
    if dead:
        yield Finding("dead_messages", f"{dead if dead < 100 else '100+'} 条消息等待人工处理（后台“待办消息”）")


def _jobs() -> Iterator[Finding]:
    enabled = set(PeriodicTask.objects.filter(enabled=True).values_list("name", flat=True))
    now = clock.now()
    late = [job for job in jobs.load() if job.name in enabled and _is_late(job, now)]
    if late:
        yield Finding("beat", f"定时任务没有按时启动：{'、'.join(job.title for job in late)}")


def _is_late(job: jobs.Job, now: dt.datetime) -> bool:
    run = jobs.last_run(job)
    return run is not None and now - run.slot > SLOTS_MISSED * job.period


def _words(duration: dt.timedelta) -> str:
    seconds = int(duration.total_seconds())
    return f"{seconds} 秒" if seconds < 120 else f"{seconds // 60} 分钟"
