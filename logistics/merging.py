"""The same scan told by two providers, each in its own words: which reports repeat another one.

A pure function of the set of reports. Nothing is dropped: a repeat still counts as evidence of the status, it is only
not shown and not counted again.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from logistics.derivation import Report
from logistics.models import Provider, ShipmentStatus

S = ShipmentStatus

TOLERANCE = dt.timedelta(seconds=60)
"""Some providers round a scan's time to the minute."""
_A_SECOND = dt.timedelta(seconds=1)
ALIKE = 0.5
"""Texts that share this much of what they name tell of one scan, if their times and statuses allow it."""
_HARDLY = 0.25
"""Enough where time and status alone nearly say so."""
_NEARLY_ALL = 0.8
"""So alike that two providers' different codes for it must not make two scans of it."""

_RANK = {provider.value: rank for rank, provider in enumerate(Provider)}
# A parcel comes to these once in a while: two providers that say so within a minute mean the same.
_MOMENTS = frozenset(
    {S.PICKED_UP, S.OUT_FOR_DELIVERY, S.AWAITING_PICKUP, S.DELIVERED, S.DELIVERY_FAILED, S.RETURNED, S.FORWARDED}
)
_AWAY = re.compile(r"离开|发往|发出|发车|正发|送往|出港|起飞|装车|下一站(?!.*到达)|转运目的地|将发")
_HERE = re.compile(r"到达|已到|抵达|到【|卸车|收入|进港|到件|落地|到车|入库|入仓")
_COURTESY = re.compile(
    r"(?:感谢|如有疑问|期待|请保持|请耐心|投诉电话|风里来|疫情|已测体温|请放心|联系电话|电话|95720).*", re.S
)
_COMMON = re.compile(
    r"快件|货物|包裹|您的|您好|已经|正在|准备|进行|完成|扫描|分拣|顺利|在途中|路上|"
    r"到达|抵达|已到|离开|发往|发出|发车|正发|送往|装车|卸车|收入|下一站|上一站|转运|目的地|网点|很快|派送|"
    r"[已的在往从于将由被了是即]"
)
_NOT_WORDS = re.compile(r"[\W_]+|[0-9*]+")
_NUMBER = re.compile(r"(?<![0-9])[0-9*-]{3,}([0-9]{4})(?![0-9])")


class Told(Report, Protocol):
    """What is read of a tracking event to see whether another tells the same."""

    @property
    def provider(self) -> str: ...
    @property
    def text(self) -> str: ...


def repeats(reports: Iterable[Told]) -> frozenset[str]:
    """Return the keys of the scans that another report tells already. Depends on nothing but the set of them.

    The likeliest pairs are joined first, and no two scans of one provider are ever joined: what it tells twice happened
    twice. But for one: what it told with a code (in a push) and without (in an answer). Of those that are joined the
    one with a known status is shown, else with a code, else with more than 在途, else of the first provider.
    """
    scans = sorted({report.key: report for report in reports if not report.overall}.values(), key=_when)
    twins = _without_code(scans)
    if len({scan.provider for scan in scans}) < 2:
        return twins
    groups = _joined([scan for scan in scans if scan.key not in twins])
    return twins | {scan.key for group in groups for scan in group if scan is not min(group, key=_shown_first)}


def likeness(one: Told, other: Told) -> float:
    """Return how sure it is that both tell of one scan: 0 it is not, up to 1."""
    if abs(one.occurred_at - other.occurred_at) > TOLERANCE:
        return 0.0
    first, second = _read(one.text, one.location), _read(other.text, other.location)
    named, worded, at_once = first.names_like(second), first.words_like(second), _same_instant(one, other)
    if one.status != other.status and S.UNKNOWN not in (one.status, other.status):
        enough, alike = _NEARLY_ALL, worded
    elif first.moves * second.moves < 0:
        return 0.0
    else:
        moment = one.status == other.status and one.status in _MOMENTS
        enough, alike = _enough(first, second, moment=moment, at_once=at_once), named
    return max((named + worded + at_once) / 3, 0.01) if alike >= enough else 0.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """`moves`: -1 reached a place, 1 left one, 0 neither or both. `names`: pairs of letters of what it names."""

    moves: int
    letters: frozenset[str]
    names: frozenset[str]
    numbers: frozenset[str]

    def names_like(self, other: "_Reading") -> float:
        """Return how much of what the shorter one names stands in the other; of all words where one names nothing."""
        if self.names and other.names:
            shared = len(self.names & other.names) / min(len(self.names), len(other.names))
        else:
            shared = len(self.letters & other.letters) / (min(len(self.letters), len(other.letters)) or 1)
        return max(shared, ALIKE) if self.numbers & other.numbers else shared

    def words_like(self, other: "_Reading") -> float:
        """Return how much of both stands in both."""
        return 2 * len(self.letters & other.letters) / (len(self.letters) + len(other.letters) or 1)


def _enough(first: _Reading, second: _Reading, *, moment: bool, at_once: bool) -> float:
    """Return how alike two texts must be whose statuses don't speak against it."""
    if moment:
        return 0.0 if at_once else _HARDLY
    if first.moves == second.moves != 0 and at_once:
        return _HARDLY if first.names and second.names else 0.0
    return ALIKE


@lru_cache(maxsize=2048)
def _read(text: str, location: str) -> _Reading:
    told = _COURTESY.sub("", text) or text
    words = _NOT_WORDS.sub("", told)
    away, here = bool(_AWAY.search(told)), bool(_HERE.search(told))
    names = [_NOT_WORDS.sub("", part) for part in _COMMON.sub(" ", told).split()] + [_NOT_WORDS.sub("", location)]
    return _Reading(away - here, _pairs(words), frozenset().union(*map(_pairs, names)), _numbers(text))


def _pairs(words: str) -> frozenset[str]:
    return frozenset(map("".join, pairwise(words)))


def _numbers(text: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(text))


def _same_instant(one: Told, other: Told) -> bool:
    """Return whether the times are the same, or would be if the finer one were cut to the minute."""
    early, late = sorted((one.occurred_at, other.occurred_at))
    return early == late or (early.second == 0 and late.replace(second=0, microsecond=0) == early)


def _without_code(scans: Sequence[Told]) -> frozenset[str]:
    """Return the scans that their own provider told with and without a code: of both, the one that says less."""
    pairs = []
    for one, other in _neighbours(scans):
        if one.provider == other.provider and bool(one.code) != bool(other.code):
            bare, coded = (other, one) if one.code else (one, other)
            apart = other.occurred_at - one.occurred_at
            if _told_alike(bare, coded, apart):
                pairs.append(((bare.text != coded.text, apart, bare.key, coded.key), bare, coded))
    paired: set[str] = set()
    less: set[str] = set()
    for _, bare, coded in sorted(pairs, key=lambda pair: pair[0]):
        if paired.isdisjoint((bare.key, coded.key)):
            paired |= {bare.key, coded.key}
            less.add((coded if coded.status == S.UNKNOWN != bare.status else bare).key)
    return frozenset(less)


def _told_alike(bare: Told, coded: Told, apart: dt.timedelta) -> bool:
    """Words must be nearly the same, or at one instant (milliseconds, some leave out) as of two providers."""
    first, second = _read(bare.text, bare.location), _read(coded.text, coded.location)
    if bare.text == coded.text or (first.moves == second.moves and first.words_like(second) >= _NEARLY_ALL):
        return True
    return apart < _A_SECOND and likeness(bare, coded) > 0


def _joined(scans: Sequence[Told]) -> list[list[Told]]:
    """Return the scans in groups of one scan each, the likeliest pairs joined first."""
    group_of = {scan.key: [scan] for scan in scans}
    for _, one, other in sorted(_candidates(scans), key=lambda pair: pair[0]):
        first, second = group_of[one.key], group_of[other.key]
        if first is second or {scan.provider for scan in first} & {scan.provider for scan in second}:
            continue
        first += second
        for scan in second:
            group_of[scan.key] = first
    return list({id(group): group for group in group_of.values()}.values())


def _candidates(scans: Sequence[Told]) -> Iterator[tuple[tuple[float, dt.timedelta, str, str], Told, Told]]:
    for one, other in _neighbours(scans):
        if one.provider != other.provider and (sure := likeness(one, other)):
            yield (-sure, other.occurred_at - one.occurred_at, one.key, other.key), one, other


def _neighbours(scans: Sequence[Told]) -> Iterator[tuple[Told, Told]]:
    """Yield the pairs that are near enough in time, each once and the earlier one first."""
    for position, one in enumerate(scans):
        for other in scans[position + 1 :]:
            if other.occurred_at - one.occurred_at > TOLERANCE:
                break
            yield one, other


def _when(scan: Told) -> tuple[dt.datetime, str]:
    return scan.occurred_at, scan.key


def _shown_first(scan: Told) -> tuple[bool, bool, bool, int, str]:
    rank = _RANK.get(scan.provider, len(_RANK))
    return scan.status == S.UNKNOWN, not scan.code, scan.status == S.IN_TRANSIT, rank, scan.key
