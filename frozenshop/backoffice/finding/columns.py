"""Which columns of a list a person sees, and in which order."""

from collections.abc import Iterable, Mapping, Sequence

from frozenshop.backoffice.finding.models import ListColumns


def chosen(user_id: int, list_name: str, offered: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return what a person chose of what is offered, or the usual where they chose nothing (any more)."""
    return valid(kept(user_id, list_name), offered) or list(usual)


def kept(user_id: int, list_name: str) -> list[str]:
    """Return what a person chose, as it was kept; empty where they chose nothing."""
    rows = ListColumns.objects.filter(user_id=user_id, list_name=list_name)
    return rows.values_list("columns", flat=True).first() or []


def valid(columns: object, offered: Sequence[str]) -> list[str]:
    """Return what a list still offers of columns kept some time ago, each once; the first offered one always."""
    kept = [name for name in dict.fromkeys(columns) if name in offered] if isinstance(columns, list) else []
    return [offered[0], *(name for name in kept if name != offered[0])] if kept else []


def choose(user_id: int, list_name: str, columns: Sequence[str]) -> None:
    ListColumns.objects.update_or_create(user_id=user_id, list_name=list_name, defaults={"columns": list(columns)})


def reset(user_id: int, list_name: str) -> None:
    ListColumns.objects.filter(user_id=user_id, list_name=list_name).delete()


def in_order(places: Mapping[str, str], shown: Iterable[str]) -> list[str]:
    """Return the shown columns by the places that were typed beside them; what is no number stands last."""

    def place(name: str) -> int:
        typed = places.get(name, "")
        return int(typed) if typed.isdecimal() and len(typed) < 4 else 1000

    return sorted(shown, key=place)
