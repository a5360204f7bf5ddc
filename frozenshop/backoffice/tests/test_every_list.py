"""One walk over every registered list: few queries, nothing counted, nothing scanned."""

import re

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from frozenshop.backoffice.tests.crowd import BIG_TABLES, make_crowd
from frozenshop.backoffice.worklists import WORKLISTS
from frozenshop.kernel import changelist
from frozenshop.kernel.changelist import BaseAdmin

CEILING = 15
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
SEARCHES = (
    *("C0000005", "SF0000000007", "13800000003", "0003", "0003 张三", "0003 2026-11-01", "张三", "C00000"),
    *(
        "000000007",
        "上海",
        "虾仁",
        "S7",
        "2026-11-01",
        "张三 浦东",
        "nothing-at-all",
        "没有此人",
        "138 0000 003",
        "c0000005",
    ),
)
EXTRA = {
    "backoffice.Batch": ({"state__exact": "running"},),
    "orders.Order": (
        *({"todo": key} for key in WORKLISTS), {"placed_within": "7"}, {"at": "2026-06-01"}, {"end": "1"},
        {"todo": "due_today", "status__exact": "shipped", "placed_within": "30"},
        {"status__exact": "delivered"},
        {"placed_from": "2026-01-01", "placed_to": "2026-12-31"},
        {"carrier": "SF"},
        {"alert": "stale"},
        {"category": "seafood"},
        *({"q": typed} for typed in SEARCHES),
    ),
    "orders.Alert": (
        {"due": "long_over"}, {"due": "soon"},
        {"state": "overdue"}, {"state": "resolved"}, {"state": "snoozed"}, {"owner": "me"}, {"kind": "stale"},
        {"severity": "2high"}, {"acts": "service"}, {"incident": "1"}, {"incident": "any"},
        {"q": "C0000005"},
    ),
    "logistics.Shipment": (
        {"delivered_from": "2026-01-01", "delivered_to": "2026-12-31"}, {"carrier": "SF"}, {"board": "arriving"},
        {"delivered_from": "2026-01-01", "carrier": "SF", "promise": "late", "lane": "浙江→上海"},
        {"board": "stale", "place": "上海"},
        {"at": "2026-06-01"}, {"end": "1"}, {"status__exact": "delivered"}, {"status__exact": "no_trace"},
        {"q": "SF0000000007"},
    ),
    "logistics.ProviderCall": ({"q": "SF0000000007"},),
    "logistics.ProviderMessage": ({"outcome__exact": "held"},),
    "notifications.Notice": (
        *({"fate": fate} for fate in ("waiting", "told", "untold", "failed", "unknown")),
        {"what": "delivered"}, {"whom": "staff"}, {"q": "C0000005"}, {"q": "SF0000000007"},
    ),
    "notifications.Delivery": (
        *({"sent": state} for state in ("unknown", "failed")), {"by": "sms_aliyun"}, {"q": "n5"}, {"q": "p7"},
    ),
    "notifications.MessageTemplate": ({"channel": "sms_aliyun"},),
    "kernel.OutboxMessage": ({"status__exact": "dead"}, {"q": "k"}),
    "kernel.AuditEntry": ({"q": "C0000005"},),
}  # fmt: skip
CASES = [(model, query) for model in MODELS for query in ({}, {"q": "x"}, *EXTRA.get(model._meta.label, ()))]


def run(client, model, query) -> list[str]:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url, query).status_code == 200
    return [one["sql"] for one in captured.captured_queries]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_keeps_to_the_one_rule(model):
    shown = admin.site._registry[model]
    assert isinstance(shown, BaseAdmin)
    assert shown.date_hierarchy is None
    assert all(name[0] in "=^" for name in shown.search_fields)
    keys = [model._meta.get_field(key.lstrip("-")) for key in shown.keyset]
    assert not any(key.null for key in keys)
    assert keys[-1].unique
    assert len({key.startswith("-") for key in shown.keyset}) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "query"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_every_list_asks_little_and_counts_nothing(root, model, query):
    queries = run(root, model, query)
    assert len(queries) <= CEILING
    for sql in queries:
        assert all(counted_no_further(sql)), sql
        assert not re.search(r"LIKE '%|LIKE BINARY '%|OFFSET [1-9]", sql, re.IGNORECASE), sql


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_joins_nothing_from_which_the_database_could_begin(root, model):
    """From the carriers MariaDB read ten million parcels, and sorted them."""
    pages = [sql for sql in run(root, model, {}) if sql.endswith(" LIMIT 51") and model._meta.db_table in sql]
    assert not any(" INNER JOIN " in sql for sql in pages)


def counted_no_further(sql: str) -> list[bool]:
    """Say of each COUNT of a statement whether it is of a question that ends with a LIMIT."""
    return [
        re.match(
            r"COUNT\(\*\) FROM \(SELECT (?:(?! FROM \(SELECT ).)* LIMIT \d+\) (bounded\d|subquery)", sql[one.start() :]
        )
        is not None
        for one in re.finditer(r"COUNT\(", sql, re.IGNORECASE)
    ]


@(pytest.mark.slow if connection.vendor == "sqlite" else pytest.mark.services)
@pytest.mark.django_db(transaction=True)
def test_no_list_scans_a_big_table(root, monkeypatch):
    monkeypatch.setattr(changelist, "LOOKED_AT", 500)  # of 4,000 rows, as it is 1,000 of millions
    make_crowd()
    scans = [
        f"{model._meta.label} {query}: {table} in {sql}"
        for model, query in CASES
        for sql in run(root, model, query)
        if sql.startswith("SELECT")
        for table in full_scans(sql)
    ]
    assert not scans, "\n".join(scans)


def full_scans(sql: str) -> list[str]:
    """Return the big tables that a statement reads without an index, as the database's optimizer says."""
    if connection.vendor == "sqlite":
        return _scans_of_sqlite(sql)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    aliases = dict(re.findall(r"`(\w+)` (U\d+|T\d+)\b", sql))
    tables = {name: table for table, name in aliases.items()}
    return [
        table
        for row in rows
        if (table := tables.get(row["table"], row["table"])) in BIG_TABLES and row["type"] == "ALL"
    ]


def _scans_of_sqlite(sql: str) -> list[str]:
    if re.search(r'FROM "(\w+)" ORDER BY "\1"."id" (ASC|DESC) LIMIT \d+$', sql):
        return []  # along the rows themselves, which lie in the order of their keys
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"))
        steps = [row[3].split() for row in cursor.fetchall()]
    tables = {name: table for table, name in re.findall(r'"(\w+)" ([A-Z]\d+)\b', sql)}
    read = [tables.get(step[1], step[1]) for step in steps if step[0] == "SCAN" and "INDEX" not in step]
    return [table for table in read if table in BIG_TABLES]
