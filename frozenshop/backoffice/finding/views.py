"""Views of the order list: those that are there for everybody, and those that people saved."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.http import urlencode

from frozenshop.backoffice.filters import RECENT, all_names, bounds
from frozenshop.backoffice.finding.models import SavedView
from frozenshop.backoffice.worklists import WORKLISTS
from frozenshop.kernel.errors import Invalid, NotPossible
from orders.models import AlertKind, OrderStatus

MOST = 30
"""So many views one person may keep, and so many shared ones are shown."""
LONGEST = 30
_MANY_DIGITS = re.compile(r"[0-9]([ -]?[0-9]){6,}")
FILTERS = {
    "todo": "工作清单",
    "placed_within": "下单日期",
    "placed_from": "下单日期",
    "placed_to": "下单日期",
    "status__exact": "状态",
    "alert": "预警",
    "carrier": "承运商",
    "category": "商品类目",
}
"""What a view may hold: never what was typed to search, which may name somebody."""
KNOWN = {
    "todo": frozenset(WORKLISTS),
    "placed_within": frozenset(RECENT),
    "status__exact": frozenset(OrderStatus.values),
    "alert": frozenset(AlertKind.values),
}
NAMED = frozenset({"carrier", "category"})
DAYS = ("placed_from", "placed_to")


@dataclass(frozen=True, slots=True)
class View:
    """One tab over the list. `pk` is None of those that are there for everybody."""

    name: str
    filters: Mapping[str, str]
    remark: str = ""
    pk: int | None = None
    shared: bool = False

    @property
    def query(self) -> str:
        kept = dict(self.filters) if self.pk is None else {**self.filters, "view": str(self.pk)}
        return f"?{urlencode(sorted(kept.items()))}"


BUILT_IN = (
    View("今天该到没到", {"todo": "due_today"}, "预计最晚今天送达，还没有签收"),
    View("冷库直发未揽收", {"todo": "uncollected"}, "已发货的冷冻、冷藏件，快递还没有第一次扫描"),
    View("今日待发货", {"todo": "to_ship"}, "应在今天之内发出，含已超时的"),
    View("超过承诺时效", {"todo": "late"}, "过了承诺时间还没签收"),
    View("驿站待取", {"todo": "lockers"}, "在驿站或柜里等着取"),
    View("派送异常", {"todo": "problems"}, "问题件、派送未成功、拒收、破损、地址有误"),
    View("轨迹停滞", {"todo": "stale"}, "超过时限没有新轨迹"),
)


def shown(row: SavedView) -> View:
    return View(row.name, allowed(row.filters), "共享" if row.shared else "", row.pk, row.shared)


def visible(user_id: int) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(owner_id=user_id) | Q(shared_name__isnull=False))


def allowed(filters: object) -> dict[str, str]:
    """Return of parameters what a view may hold."""
    given = filters if isinstance(filters, dict) else {}
    return {name: str(value)[:100] for name, value in sorted(given.items()) if name in FILTERS and value}


def misfits(
    filters: Mapping[str, str], names: Callable[[], Iterable[tuple[str, str, str]]] = all_names
) -> dict[str, str]:
    """Return a sentence for each filter to which the value given is nothing, or is nothing any more.

    `names` gives code, name and filter of what is there now; it is asked only if it matters.
    """
    known = dict(KNOWN)
    if not NAMED.isdisjoint(filters):
        there = list(names())
        known |= {of: frozenset(code for code, _, kind in there if kind == of) for of in NAMED}
    found = {
        name: f"筛选“{FILTERS[name]}”没有“{value}”这一项（可能已停用或删除），没有按它筛选"
        for name, value in filters.items()
        if name in known and value not in known[name]
    }
    return found | _wrong_days(filters)


def _wrong_days(filters: Mapping[str, str]) -> dict[str, str]:
    given = {name: filters[name] for name in DAYS if name in filters}
    no_days = {
        name: f"筛选“{FILTERS[name]}”里的“{day}”不是日期，没有按它筛选"
        for name, day in given.items()
        if bounds(day, day) == (None, None)
    }
    first, last = DAYS
    since, until = bounds(given.get(first, ""), given.get(last, ""))
    if since and until and since >= until:
        return {last: f"筛选“{FILTERS[last]}”从 {given[first]} 到 {given[last]} 前后颠倒，没有订单会符合"}
    return no_days


def save(
    user: AbstractBaseUser, name: str, filters: Mapping[str, str], columns: Sequence[str], *, shared: bool
) -> SavedView:
    """Keep a view. Raises Invalid (no name, a name too long, no filters, one that fits nothing) or NotPossible (name
    taken, too many).
    """
    name, kept = checked(name), allowed(dict(filters))
    if wrong := misfits(kept):
        raise Invalid("视图没有保存", fields=wrong)
    if not kept:
        raise Invalid("没有可以保存的筛选：先选好筛选条件，再保存为视图（查找内容不会保存）", fields={})
    if SavedView.objects.filter(owner_id=user.pk).count() >= MOST:
        raise NotPossible(f"每人最多保存 {MOST} 个视图，请先删除不用的", fields={})
    key = key_of(name)
    try:
        with transaction.atomic():
            return SavedView.objects.create(
                owner_id=user.pk,
                name=name,
                name_key=key,
                shared_name=key if shared else None,
                filters=kept,
                columns=list(columns),
            )
    except IntegrityError:
        raise NotPossible(_taken(name), fields={}) from None


def change(user: AbstractBaseUser, view_id: int, name: str, *, shared: bool) -> SavedView:
    """Rename one's own view, share it or take it back. Raises Invalid or NotPossible."""
    name = checked(name)
    key = key_of(name)
    try:
        with transaction.atomic():
            mine = SavedView.objects.filter(pk=view_id, owner_id=user.pk)
            if not mine.update(name=name, name_key=key, shared_name=key if shared else None):
                raise NotPossible(GONE, fields={})
            return mine.get()
    except IntegrityError:
        raise NotPossible(_taken(name), fields={}) from None


def delete(user: AbstractBaseUser, view_id: int) -> str:
    """Delete a view of one's own, or a shared one if one may share; return its name. Raises NotPossible."""
    mine = Q(owner_id=user.pk)
    if user.has_perm("backoffice.share_savedview"):  # type: ignore[attr-defined]
        mine |= Q(shared_name__isnull=False)
    row = SavedView.objects.filter(mine, pk=view_id).first()
    if row is None or not SavedView.objects.filter(mine, pk=view_id).delete()[0]:
        raise NotPossible(GONE, fields={})
    return row.name


GONE = "没有这个视图：可能已被删除，或属于别人"


def checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST:
        raise Invalid(f"视图名称要填 1–{LONGEST} 个字", fields={"name": f"1–{LONGEST} 个字"})
    if _MANY_DIGITS.search(unicodedata.normalize("NFKC", name)):
        raise Invalid("视图名称里不要写电话或单号", fields={"name": "不能有连续 7 位以上的数字"})
    return name


def key_of(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()[:LONGEST]


def _taken(name: str) -> str:
    return f"已经有名为“{name}”的视图，请换一个名称"
