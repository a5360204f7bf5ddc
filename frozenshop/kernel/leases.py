"""Who may do what only one process may do at a time. Its holder's death ends a lease after its duration."""

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.db.models import Q

from frozenshop.kernel import clock
from frozenshop.kernel.models import Lease

NOBODY = ""


@contextmanager
def hold(name: str, duration: dt.timedelta) -> Iterator[bool]:
    """Yield whether the lease is ours; give it back at the end. The work must fit into `duration`."""
    holder = secrets.token_hex(8)
    held = _take(name, holder, duration)
    try:
        yield held
    finally:
        if held:
            Lease.objects.filter(name=name, holder=holder).update(holder=NOBODY, until=clock.now())


def _take(name: str, holder: str, duration: dt.timedelta) -> bool:
    now = clock.now()
    free = Q(until__lte=now) | Q(holder=NOBODY)
    if Lease.objects.filter(free, name=name).update(holder=holder, until=now + duration):
        return True
    if Lease.objects.filter(name=name).exists():
        return False
    try:
        with transaction.atomic():
            Lease.objects.create(name=name, holder=holder, until=now + duration)
    except IntegrityError:
        return False
    return True
