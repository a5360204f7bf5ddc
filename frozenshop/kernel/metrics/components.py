"""What the program leans on, and whether it answers: asked with each scrape, each in a thread of its own."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client.core import GaugeMetricFamily
from redis import Redis

from frozenshop.kernel.metrics.bounded import Bounded

CONNECT_SECONDS = 1
READ_SECONDS = 5
"""What hangs for longer is given up, so that the thread is free for the next scrape."""
REPLICA = "replica"


def of_web() -> list[str]:
    """Name what this deployment has and web uses. The broker is left out: web never talks to it."""
    return [
        "database",
        *([REPLICA] if REPLICA in settings.DATABASES else []),
        *(["redis"] if settings.REDIS_URL else []),
        *(["mongodb"] if getattr(settings, "MONGODB_URL", "") else []),
    ]


def of_relay() -> list[str]:
    return [] if settings.CELERY_BROKER_URL.startswith("filesystem") else ["broker"]


@contextmanager
def own_connection(alias: str = "default") -> Iterator[BaseDatabaseWrapper]:
    """Give this thread a connection that no hanging server holds for long, and close it afterwards."""
    connection = connections.create_connection(alias)
    if connection.vendor == "mysql":
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "write_timeout": READ_SECONDS}
        options = {**connection.settings_dict["OPTIONS"], **limits}
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
    connections[alias] = connection
    try:
        yield connection
    finally:
        connection.close()
        del connections[alias]


def family(answered: Mapping[str, bool]) -> GaugeMetricFamily:
    up = GaugeMetricFamily("frozenshop_component_up", "1 while it answers this process", labels=["component"])
    for name, up_now in answered.items():
        up.add_metric([name], int(up_now))
    return up


def probes(names: Iterable[str]) -> dict[str, Bounded[None]]:
    """Return what to start with each scrape. A probe that raises, or isn't done in time, says: it doesn't answer."""
    return {name: _probe(name) for name in names}


@functools.cache
def _probe(name: str) -> Bounded[None]:
    return Bounded(ASK[name], f"probe-{name}")


def _ask_database(alias: str) -> None:
    with own_connection(alias) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as store:
        store.ping()


def _ask_broker() -> None:
    from frozenshop.celery import app

    with app.connection_for_write(heartbeat=0, connect_timeout=CONNECT_SECONDS) as broker:
        broker.connect()


def _ask_mongodb() -> None:
    from pymongo import MongoClient

    limit = CONNECT_SECONDS * 1000
    store: MongoClient[dict[str, Any]] = MongoClient(
        settings.MONGODB_URL, serverSelectionTimeoutMS=limit, connectTimeoutMS=limit, socketTimeoutMS=limit
    )
    with store:
        store.admin.command("ping")


ASK: dict[str, Callable[[], None]] = {
    "database": functools.partial(_ask_database, "default"),
    REPLICA: functools.partial(_ask_database, REPLICA),
    "redis": _ask_redis,
    "broker": _ask_broker,
    "mongodb": _ask_mongodb,
}
