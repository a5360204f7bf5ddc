"""What a person searched lately: sealed, theirs alone, ten at most, thirty days at most.

The text doesn't stand in addresses where it may name somebody: a token does.
"""

import datetime as dt
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from frozenshop.backoffice.finding.models import RecentSearch
from frozenshop.kernel import clock, crypto, purging
from frozenshop.kernel.errors import Invalid
from logistics.search.reading import KEY, TAIL, day_of, words_of
from orders import phones

MOST = 10
KEPT_FOR = dt.timedelta(days=30)
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Recent:
    token: str
    text: str
    searched_at: dt.datetime


def may_name_somebody(text: str) -> bool:
    """Say whether a text may be a phone, a part of one, or a name: all but what can only be a number or a day."""
    words = [word for word in words_of(text) if not day_of(word)]
    return any(not KEY.fullmatch(word) or TAIL.fullmatch(word) or _is_phone(word) for word in words) or any(
        not any(mark.isdigit() for mark in word) for word in words
    )


def _is_phone(word: str) -> bool:
    """Digits may be a phone with a slip; with dashes between them, where they begin as a phone does."""
    try:
        phones.normalise(word)
    except Invalid:
        digits = re.sub(r"[-._]", "", word)
        return digits.isdecimal() and len(digits) <= 13 and (digits == word or digits.startswith(("0", "1", "86")))
    return True


def remember(user_id: int, text: str) -> str:
    """Keep a text as this person's newest search and return its token; the oldest beyond MOST go."""
    text = text.strip()[:LONGEST]
    now, digest = clock.now(), crypto.blind_index(f"{user_id}|{text}", purpose="recent-search")
    with transaction.atomic():
        row, new = RecentSearch.objects.get_or_create(
            user_id=user_id,
            digest=digest,
            defaults={
                "token": (token := secrets.token_urlsafe(16)),
                "text_sealed": crypto.seal(text, purpose=purpose_of(token)),
                "searched_at": now,
            },
        )
        if not new:
            RecentSearch.objects.filter(pk=row.pk).update(searched_at=now)
        mine = RecentSearch.objects.filter(user_id=user_id).order_by("-searched_at", "-id")
        beyond = list(mine.values_list("pk", flat=True)[MOST : MOST + 100])
        RecentSearch.objects.filter(pk__in=beyond).delete()
    return row.token


def alive(user_id: int) -> QuerySet[RecentSearch]:
    return RecentSearch.objects.filter(user_id=user_id, searched_at__gt=clock.now() - KEPT_FOR)


def newest(rows: Iterable[RecentSearch]) -> list[Recent]:
    """Return searches opened, newest first."""
    return list(_opened(sorted(rows, key=lambda row: (row.searched_at, row.pk), reverse=True)[:MOST]))


def of(user_id: int) -> list[Recent]:
    """Return a person's searches, newest first."""
    return newest(alive(user_id))


def forget(user_id: int) -> None:
    RecentSearch.objects.filter(user_id=user_id).delete()


def purge() -> int:
    """Delete what is older than it may be kept; return how many."""
    return purging.delete(RecentSearch.objects.filter(searched_at__lte=clock.now() - KEPT_FOR).order_by("searched_at"))


def purpose_of(token: str) -> str:
    return f"recent-search:{token}"


def _opened(rows: list[RecentSearch]) -> Iterator[Recent]:
    for row in rows:
        try:
            yield Recent(row.token, crypto.open_sealed(row.text_sealed, purpose=purpose_of(row.token)), row.searched_at)
        except crypto.SealBroken:
            continue
