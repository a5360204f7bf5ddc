"""What the second witness saw, held against what the program's own records say, and against the tables as they are."""
# ruff: noqa: S608 - tables and columns are ours, and values are passed beside

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection

from frozenshop.kernel import clock, leases
from frozenshop.kernel.audit import triggers, witnessing
from frozenshop.kernel.audit.chain import LOOK_BACK, encode
from frozenshop.kernel.audit.recording import record
from frozenshop.kernel.audit.witnessing import KINDS, Witnessed
from frozenshop.kernel.models import AuditEntry

AT_ONCE = 10_000
SHOWN = 1000
SEALED = "witness.sealed"
HOUR = dt.timedelta(hours=1)
_BEGINNING = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - as the database keeps instants: naive, in UTC
INSTALLED = "SELECT tbl, named FROM {}.installed"
ACCOUNTS = "SELECT SUBSTRING_INDEX(account, '@', 1), COUNT(*) FROM {}.witness WHERE id > %s AND id <= %s GROUP BY 1"
_ROW = "w.id, w.tbl, w.row_key, w.kind, w.at, w.account"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A witnessed change that nothing explains, or a place where the witness and the tables don't agree."""

    witness_id: int | None
    what: str
    reason: str


@dataclass(slots=True)
class Report:
    """`missing`: triggers that are absent or, as far as this account sees, not as they should be; None: it sees none.

    `accounts`: who changed how many rows. `rewritable`: the program's own account could change what was witnessed.
    """

    missing: list[str] | None
    rewritable: bool
    accounts: Counter[str] = field(default_factory=Counter)
    suspects: list[Suspect] = field(default_factory=list)


def report(admin_url: str = "") -> Report | None:
    """Return what the witness tells; None where there is none. `admin_url`: an account that sees the triggers."""
    if not installed():
        return None
    found = Report(_missing(admin_url), may_write())
    known = {one.table: one for one in witnessing.tables()}
    watched = [_as_installed(table, named, known.get(table)) for table, named in _rows(_sql(INSTALLED))]
    for after, until in _stretches():
        found.accounts.update(dict(_rows(_sql(ACCOUNTS), after, until)))
        for suspect in _suspects(watched, after, until):
            if len(found.suspects) < SHOWN:
                found.suspects.append(suspect)
    found.suspects += _broken_hours()
    return found


def installed() -> bool:
    """Say whether there is a witness that this program may read."""
    if connection.vendor != "mysql":
        return False
    try:
        return bool(_rows(_sql("SELECT 1 FROM {}.installed LIMIT 1")))
    except DatabaseError:
        return False


def in_the_way() -> list[str]:
    """Return the columns, as `table.column`, that installed triggers name and this release no longer knows of."""
    if not installed():
        return []
    known = {one.table: one.columns for one in witnessing.tables()}
    return [
        f"{table}.{name}"
        for table, named in _rows(_sql(INSTALLED))
        for name in named.split(",")
        if name not in known.get(table, ())
    ]


def _missing(admin_url: str) -> list[str] | None:
    database, schema = _database(), witnessing.schema_of(_database())
    if admin_url:
        with triggers.administrator(admin_url) as cursor:
            seen = triggers.installed(cursor, database)
    else:
        with connection.cursor() as cursor:
            seen = triggers.installed(cursor, database)
        if not seen:
            return None
    with connection.cursor() as cursor:
        columns = {table: _columns(cursor, table) for table in (one.table for one in witnessing.tables())}
    wanted = [one.present(columns[one.table]) for one in witnessing.tables()]
    expected = {name: body for one in wanted if one.columns for name, (_k, body) in one.triggers(schema).items()}
    found = {name: body for name, (_table, body) in seen.items()}
    fine = {name: {body} if admin_url else {body, ""} for name, body in expected.items()}
    return sorted(name for name in expected if found.get(name) not in fine[name])


def may_write() -> bool:
    """Ask for a deletion of nothing: it is the right to it that answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_sql("DELETE FROM {}.witness WHERE id = 0"))
    except DatabaseError:
        return False
    return True


def _suspects(watched: Sequence[Witnessed], after: int, until: int) -> Iterator[Suspect]:
    for one in watched:
        for rule in one.rules:
            condition = f"AND FIND_IN_SET('{rule.changed}', w.changed)" if rule.changed else ""
            told = f"AND NOT ({rule.told})" if rule.told else ""
            kinds = ", ".join(f"'{kind}'" for kind in rule.kinds)
            where = f"w.tbl = '{one.table}' AND w.kind IN ({kinds}) {condition} {told}"
            yield from _found(where, rule.sentence, after, until)
        yield from _found(_now_otherwise(one), "表里现在的内容不是最后一次见证的内容：有改动绕过了触发器", after, until)
    yield from _found(_gap(), "改动前的内容不是上一次见证的内容：见证记录有缺失，或有改动绕过了触发器", after, until)


def _found(where: str, reason: str, after: int, until: int) -> Iterator[Suspect]:
    of = "{0}.witness w WHERE w.id > %s AND w.id <= %s"
    query = f"SELECT {_ROW} FROM {of} AND ({where}) ORDER BY w.id LIMIT {SHOWN}"
    for pk, table, key, kind, at, account in _rows(_sql(query), after, until):
        yield Suspect(pk, f"{KINDS[kind]} {table} #{key}（{at:%Y-%m-%d %H:%M:%S} UTC，账号 {account}）", reason)


def _gap() -> str:
    former = (
        "SELECT p.became FROM {0}.witness p WHERE p.tbl = w.tbl AND p.row_key = w.row_key AND p.id < w.id"
        " AND p.id > i.since AND p.version = w.version ORDER BY p.id DESC LIMIT 1"
    )
    return (
        "EXISTS (SELECT 1 FROM {0}.installed i WHERE i.tbl = w.tbl AND i.version = w.version AND w.id > i.since"
        f" AND COALESCE(({former}), w.was) <> w.was)"
    )


def _now_otherwise(one: Witnessed) -> str:
    later = "SELECT 1 FROM {0}.witness p WHERE p.tbl = w.tbl AND p.row_key = w.row_key AND p.id > w.id"
    now = f"SELECT {one.digest('t')} FROM `{one.table}` t WHERE t.id = CAST(w.row_key AS UNSIGNED)"
    return (
        f"w.tbl = '{one.table}' AND w.version = '{one.version}' AND NOT EXISTS ({later})"
        " AND w.id > (SELECT i.since FROM {0}.installed i WHERE i.tbl = w.tbl)"
        f" AND COALESCE(({now}), '') <> w.became"
    )


def _as_installed(table: str, named: str, known: Witnessed | None) -> Witnessed:
    """Return a table as its triggers were made, with the rules of today."""
    columns = tuple(named.split(","))
    state = known.state if known and known.state in columns else ""
    return Witnessed(table, columns, state, known.rules if known else ())


def _stretches() -> Iterator[tuple[int, int]]:
    (last,) = _rows(_sql("SELECT COALESCE(MAX(id), 0) FROM {}.witness"))[0]
    for after in range(0, int(last), AT_ONCE):
        yield after, min(after + AT_ONCE, int(last))


# --- the hours of the witness, tied into the audit's own chain -----------------------------------------


def seal_hours() -> int:
    """Put the digest of each hour in which nothing more can appear on record; return how many. Safe to repeat."""
    if not installed():
        return 0
    with leases.hold("witness_sealer", dt.timedelta(minutes=5)) as held:
        return sum(1 for _ in _seal_hours()) if held else 0


def _seal_hours() -> Iterator[AuditEntry]:
    last = AuditEntry.objects.filter(action=SEALED).order_by("-at", "-id").first()
    since = _hour_of(last) + HOUR if last else _BEGINNING
    closed = clock.now().astimezone(dt.UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0) - LOOK_BACK
    while (first := _first_since(since)) and first < closed:
        hour = first.replace(minute=0, second=0, microsecond=0)
        yield record("system", SEALED, f"witness:{hour:%Y-%m-%dT%H}", details=_digest(hour, hour + HOUR))
        since = hour + HOUR


def _broken_hours() -> Iterator[Suspect]:
    """What was sealed must still be so; and nothing may have appeared between the hours that were."""
    until = _BEGINNING
    for entry in AuditEntry.objects.filter(action=SEALED).order_by("at", "id").iterator(AT_ONCE):
        hour = _hour_of(entry)
        if (first := _first_since(until)) and first < hour:
            yield Suspect(None, f"{first:%Y-%m-%d %H:%M} UTC", "封存之后才出现的见证记录")
        if _digest(hour, hour + HOUR) != entry.details:
            yield Suspect(None, f"{hour:%Y-%m-%d %H} 时（UTC）", "这一小时的见证记录与封存时不同：有删除、插入或改动")
        until = hour + HOUR


def _digest(since: dt.datetime, until: dt.datetime) -> dict[str, Any]:
    digest, count, after = hashlib.sha256(), 0, 0
    query = _sql("SELECT * FROM {}.witness WHERE at >= %s AND at < %s AND id > %s ORDER BY id LIMIT 5000")
    while rows := _rows(query, since, until, after):
        for row in rows:
            digest.update(encode([str(value) for value in row]).encode() + b"\n")
        count, after = count + len(rows), rows[-1][0]
    return {"count": count, "digest": digest.hexdigest()}


def _first_since(since: dt.datetime) -> dt.datetime | None:
    found = _rows(_sql("SELECT at FROM {}.witness WHERE at >= %s ORDER BY at LIMIT 1"), since)
    return found[0][0] if found else None


def _hour_of(entry: AuditEntry) -> dt.datetime:
    return dt.datetime.strptime(entry.subject, "witness:%Y-%m-%dT%H")  # noqa: DTZ007 - likewise


# --- asking ---------------------------------------------------------------------------------------


def _database() -> str:
    return str(connection.settings_dict["NAME"])


def _sql(text: str) -> str:
    return text.format(witnessing.schema_of(_database()))


def _rows(query: str, *values: Any) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def _columns(cursor: Any, table: str) -> list[str]:
    return [column.name for column in connection.introspection.get_table_description(cursor, table)]
