"""What the schedule and the commands do with the archive, a while at a time."""

import datetime as dt
import itertools
import time

import structlog
from django.conf import settings

from frozenshop.kernel import clock
from logistics.archive import moving, overdue, places, retention
from logistics.archive.candidates import Rule
from logistics.archive.moving import Moved

logger = structlog.get_logger(__name__)

A_WHILE = 120.0
"""Seconds: well below the limit that ends a task."""


def move_for_a_while(seconds: float = A_WHILE) -> bool:
    """Move what may go by the schedule's rule; say whether the time was up before the end was reached."""
    if not settings.ARCHIVE_AFTER_DAYS:
        return False
    total, until = Moved(), time.monotonic() + seconds
    for moved in moving.archive(Rule.scheduled()):
        total = total + moved
        if time.monotonic() > until:
            break
    else:
        until = float("inf")
    logger.info("archive.moved", orders=total.orders, rows=total.rows, kept=total.kept)
    return until != float("inf")


def erase_for_a_while(seconds: float = A_WHILE) -> bool:
    """Erase what has had its term; say whether the time was up before the end was reached."""
    until = time.monotonic() + seconds
    for erased in itertools.chain(retention.erase_expired(), overdue.erase_overdue()):
        logger.info("archive.erased", what=erased.what, orders=erased.orders)
        if time.monotonic() > until:
            return True
    return False


def sweep_for_a_while(after: str = "", seconds: float = A_WHILE) -> str:
    """Delete bodies that no row names; return where to go on, empty at the end. Raises PlaceDown.

    No transaction lives for a day: what is as old as that and named by no row never will be.
    """
    until, before = time.monotonic() + seconds, clock.now() - dt.timedelta(days=1)
    strays = 0
    while True:
        after, found = places.configured().sweep(after, before)
        strays += found
        if not after or time.monotonic() > until:
            break
    logger.info("archive.swept", strays=strays)
    return after
