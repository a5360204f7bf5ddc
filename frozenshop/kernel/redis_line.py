"""The short way to Redis for what every request asks: one command on a connection that belongs to the thread.

The client of redis-py takes a connection from a pool, measures, retries and gives it back, which costs more than the
answer itself. Here a thread keeps its connection, and a command that failed is never sent again.
"""

import os
import threading
from typing import Any

from redis import ConnectionPool
from redis.connection import AbstractConnection
from redis.exceptions import RedisError


class Line(threading.local):
    """Each thread's own connection to one Redis, opened when first needed."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: AbstractConnection | None = None
        self._owner = 0

    def ask(self, *command: str | int | bytes) -> Any:
        """Send one command and return its answer. Raises the errors of redis-py."""
        connection = self._ready()
        packed = connection.pack_command(*command)  # type: ignore[no-untyped-call]
        connection.send_packed_command(packed, check_health=False)  # type: ignore[no-untyped-call]
        return connection.read_response()

    def _ready(self) -> AbstractConnection:
        connection = self._connection
        if connection is None or self._owner != os.getpid():  # a fork must not use its parent's socket
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            self._connection, self._owner = connection, os.getpid()
        elif _hung_up(connection):
            connection.disconnect()  # type: ignore[no-untyped-call]
        return connection


def _hung_up(connection: AbstractConnection) -> bool:
    """Say whether the server closed the connection meanwhile: nothing else makes it readable between commands."""
    try:
        return bool(connection.can_read(timeout=0))
    except (RedisError, OSError):
        return True
