"""The short way to Redis for what every request asks: on a connection that belongs to the thread, in one round trip.

The client of redis-py takes a connection from a pool, measures, retries and gives it back, which costs more than the
answer itself. Here a thread keeps its connection, and a command that failed is never sent again.
"""

import os
import threading
import time
from typing import Any

from redis import ConnectionPool
from redis.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

IDLE_SECONDS = 0.05
"""After this long without use it is worth looking whether the server has hung up."""


class Line(threading.local):
    """Each thread's own connection to one Redis, opened when first needed."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: AbstractConnection | None = None
        self._owner = 0
        self._used_at = 0.0

    def ask(self, *commands: tuple[str | int | bytes, ...]) -> list[Any]:
        """Send commands at once and return each one's answer. Raises the first error, of redis-py's kinds."""
        connection = self._ready()
        # Given back when all is read: who is interrupted before (by a task's time limit) leaves answers on it.
        self._connection = None
        packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]
        connection.send_packed_command(packed, check_health=False)  # type: ignore[no-untyped-call]
        answers = [_answer(connection) for _ in commands]
        self._connection, self._used_at = connection, time.monotonic()
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers

    def _ready(self) -> AbstractConnection:
        connection = self._connection
        if connection is None or self._owner != os.getpid():  # a fork must not use its parent's socket
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            self._owner = os.getpid()
        elif time.monotonic() - self._used_at > IDLE_SECONDS and _hung_up(connection):
            connection.disconnect()  # type: ignore[no-untyped-call]
        return connection


def _answer(connection: AbstractConnection) -> Any:
    """Read one answer. What the server refused is returned, so that the answers after it are read too."""
    try:
        return connection.read_response()
    except ResponseError as refused:
        return refused


def _hung_up(connection: AbstractConnection) -> bool:
    """Say whether the server closed the connection meanwhile: nothing else makes it readable between commands."""
    try:
        return bool(connection.can_read(timeout=0))
    except (RedisError, OSError):
        return True
