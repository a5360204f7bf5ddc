"""The watch: a sample of what providers said since the last look, compared with what our parsers know.

Bodies are opened in memory only; paths, types and codes leave. One row and one alert for each news, however often it
comes; unknown statuses are counted when they are recorded, and have their own alert.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F

from frozenshop.kernel import clock
from frozenshop.kernel.actor import SYSTEM
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.models import JobRun
from logistics import messages
from logistics.contracts import contract_of, known_of, shapes
from logistics.contracts.shapes import News
from logistics.models import ProviderMessage, ProviderNews
from logistics.providers.base import Forged, Unreadable
from orders import alerting
from orders.models import AlertKind

logger = structlog.get_logger(__name__)

JOB = "watch_contracts"
FIRST_LOOK = dt.timedelta(hours=1)
LOOKED_AT = 5_000
"""How many of the newest messages are sampled from."""
SAMPLE = 40
"""Of each provider, kind and outcome."""
MOST_TOLD = 10
"""New alerts in one look: a provider that changed everything is one piece of news, not hundreds."""
What = ProviderNews.What
known_of_provider = lru_cache(maxsize=32)(known_of)


def look(slot: dt.datetime) -> int:
    """Compare a sample of what came since the former look; return how many rows are new. Repeatable."""
    found: Counter[tuple[str, str, News]] = Counter()
    for message in _sample(_since(slot)):
        found.update((message.provider, message.kind, news) for news in news_in(message))
    fresh = [row for one, times in found.items() if (row := _note(*one, times))]
    for row in fresh[:MOST_TOLD]:
        _tell(row, beside=len(fresh) - MOST_TOLD)
    _settle_known()
    return len(fresh)


def news_in(message: ProviderMessage) -> set[News]:
    """Return what is new about a kept message."""
    contract = contract_of(message.provider)
    if contract is None:
        return set()
    try:
        value = contract.opened(messages.open_body(message), message.kind)
    except SealBroken:
        return set()
    except (ValueError, Unreadable, Forged):
        return {News("unreadable", "")}
    known = known_of_provider(message.provider, message.kind)
    codes = contract.codes.get(message.kind, {})
    return shapes.news_of(value, known, contract.must.get(message.kind, ()), codes)


def acknowledge(rows: Iterable[ProviderNews], by: str) -> int:
    """Make news known because a person (or the program) says so, and end its alert; return how many it was news of."""
    done = 0
    for row in rows:
        with transaction.atomic():
            known = ProviderNews.objects.filter(pk=row.pk, known_at=None)
            done += known.update(known_at=clock.now(), known_by=by[:150])
            alerting.resolve_alerts(
                subject(row), [AlertKind.PROVIDER_TROUBLE], resolution="接口变化已知晓", by=by or SYSTEM.name
            )
    return done


def subject(row: ProviderNews) -> str:
    return f"shape:{row.provider}:{row.pk}"


def _since(slot: dt.datetime) -> dt.datetime:
    former = JobRun.objects.filter(job=JOB, slot__lt=slot, finished_at__isnull=False).order_by("-slot").first()
    return former.slot if former else slot - FIRST_LOOK


def _sample(since: dt.datetime) -> Iterator[ProviderMessage]:
    """Yield messages spread over the time, of each provider, kind and outcome, so that what is rare is seen, too."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    recent = ProviderMessage.objects.filter(received_at__gte=since).order_by("-received_at", "-id")
    for pk, *group in recent.values_list("pk", "provider", "kind", "outcome")[:LOOKED_AT]:
        groups[tuple(group)].append(pk)
    chosen = iter(sorted(pk for ids in groups.values() for pk in _spread(ids)))
    while batch := list(islice(chosen, SAMPLE)):
        yield from ProviderMessage.objects.filter(pk__in=batch)


def _spread(ids: Sequence[int]) -> Sequence[int]:
    return ids[:: -(-len(ids) // SAMPLE)]


def _note(provider: str, kind: str, news: News, times: int) -> ProviderNews | None:
    """Count news; return its row if it was not there before."""
    now = clock.now()
    key = {"provider": provider, "kind": kind, "what": news.what, "path": news.path, "value": news.value}
    row = ProviderNews.objects.filter(**key)
    if row.update(count=F("count") + times, last_seen_at=now):
        return None
    try:
        with transaction.atomic():
            return ProviderNews.objects.create(**key, count=times, first_seen_at=now, last_seen_at=now)
    except IntegrityError:  # Another look was faster.
        return None


def _tell(row: ProviderNews, *, beside: int) -> None:
    more = f"；另有 {beside} 项" if beside > 0 else ""
    detail = f"{row}{more}。处理办法见 docs/runbooks/provider-news.md，在“服务商接口变化”里知晓"
    logger.warning("provider.news", provider=row.provider, kind=row.kind, what=row.what, path=row.path)
    alerting.open_alert(AlertKind.PROVIDER_TROUBLE, subject=subject(row), detail=detail)


def _settle_known() -> None:
    """End what the program has learnt since: a release brought the field, the type or the code."""
    for row in ProviderNews.objects.filter(known_at=None).order_by("pk")[:LOOKED_AT]:
        if _is_known(row):
            acknowledge([row], by="")


def _is_known(row: ProviderNews) -> bool:
    if (contract := contract_of(row.provider)) is None:
        return True
    if row.what in (What.FIELD, What.TYPE):
        return row.value in known_of_provider(row.provider, row.kind).get(row.path, ())
    if row.what == What.CODE:
        return row.value in contract.codes.get(row.kind, {}).get(row.path, (row.value,))
    return row.what == What.MISSING and row.path not in contract.must.get(row.kind, ())
