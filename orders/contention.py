"""Doing a transaction again when another one got in its way."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 5
# MySQL and MariaDB: lock wait timeout, deadlock, row changed since the snapshot.
CONTENDED = {1205, 1213, 1020}


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run again, up to five times, what lost to a concurrent transaction.

    Only where `function` is the outermost transaction: inside another one a deadlock has already undone that one,
    and its owner must decide. A unique key taken meanwhile is retried in both cases.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES):
            try:
                return function(*args, **kwargs)
            except IntegrityError:
                pass
            except OperationalError as error:
                if connection.in_atomic_block or error.args[:1] == () or error.args[0] not in CONTENDED:
                    raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
        return function(*args, **kwargs)

    return run
