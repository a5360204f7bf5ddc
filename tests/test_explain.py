"""What the database plans to do: no search, index page or order page reads a big table without an index, or counts one.

Each list is walked by `frozenshop/backoffice/tests/test_every_list.py`; `benchmarks/finding.py` asks the same of ten
million orders.
"""

import datetime as dt
import re
from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks import plans
from frozenshop.backoffice import audit_export
from frozenshop.backoffice.tests.crowd import BIG_TABLES, PADDING, make_crowd
from frozenshop.kernel.models import AuditEntry, AuditSeal, AuditSubject
from orders.models import Order
from orders.tests.factories import make_order
from tests.crawling import Page

BIG = frozenset({*BIG_TABLES, AuditSubject._meta.db_table, AuditSeal._meta.db_table})
SEARCHES = (
    *("C0000005", "C00000", "SF0000000007", "00000007", "13800000003", "0003", "0003 张三", "0003 2026-01-05"),
    *("张三", "张三 杭州", "杭州", "虾仁", "S7", "2026-01-05", "XQ998877665544", "欧阳不存在"),
)
AUDITED = (
    *(
        "",
        "actor=staff:7",
        "action=a7",
        "subject=s7",
        "subject=C0000005",
        "request_id=r7",
        "from=2026-01-05&to=2026-01-06",
    ),
    *(
        "actor=staff:7&action=a7&from=2026-01-05",
        "actor=staff:7&subject=C0000005&to=2026-03-01",
        "action=a7&subject=s7",
    ),
)
SCAN = "SELECT `orders_order`.`note` FROM `orders_order`"


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT COUNT(*) AS `__count` FROM `orders_order`", True),
        ("SELECT COUNT(*) FROM (SELECT 1 AS `a` FROM `orders_order` LIMIT 1001) subquery", False),
        ("SELECT COUNT(*) AS `__count` FROM `logistics_carrier`", False),
    ],
)
def test_a_count_is_at_fault_unless_what_it_counts_has_an_end(monkeypatch, sql, fault):
    monkeypatch.setattr(plans, "plan", lambda sql: [])
    assert bool(plans.faults([sql], BIG)) is fault


def test_walking_an_index_is_not_at_fault_where_a_limit_ends_it(monkeypatch):
    monkeypatch.setattr(plans, "plan", lambda sql: [("orders_order", "index", plans.MANY + 1)])
    assert plans.faults([SCAN], BIG)
    assert not plans.faults([f"{SCAN} LIMIT 51"], BIG)


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (("orders_order", "ALL", 50), True),
        (("U0", "ALL", 50), True),
        (("orders_order", "index", plans.MANY + 1), True),
        (("orders_order", "index", 51), False),
        (("orders_order", "range", 4000), False),
        (("logistics_carrier", "ALL", 100), False),
    ],
)
def test_reading_all_of_a_big_table_or_of_its_index_is_at_fault(monkeypatch, read, fault):
    monkeypatch.setattr(plans, "plan", lambda sql: [read])
    assert bool(plans.faults([f"{SCAN} U0"], BIG)) is fault


mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="needs MariaDB/MySQL: what its optimizer says")


@pytest.fixture
def crowd(transactional_db):
    make_crowd()


def faults(client, address):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return plans.faults([query["sql"] for query in captured.captured_queries], BIG)


@mariadb
@pytest.mark.slow
@pytest.mark.services
def test_a_scan_and_a_count_are_found_in_what_the_database_says(crowd):
    assert plans.faults([SCAN], BIG)
    assert plans.faults(["SELECT COUNT(*) FROM `orders_order`"], BIG)
    assert not plans.faults([f"{SCAN} WHERE `id` = 1"], BIG)


@pytest.mark.django_db
def test_a_search_is_part_of_the_lists_own_question(login):
    make_order("paid", name="张三", city="杭州市")
    with CaptureQueriesContext(connection) as captured:
        page = login(superuser=True).get(reverse("admin:orders_order_changelist"), {"q": "杭州", "carrier": "SF"})
    (asked,) = (query["sql"] for query in captured.captured_queries if "LIMIT 51" in query["sql"])
    assert page.status_code == 200
    assert "杭州市" in asked
    assert not re.search(r"\bid.? IN \(SELECT", asked)


@mariadb
@pytest.mark.slow
@pytest.mark.services
def test_no_search_scans_or_counts(crowd, login):
    client, found = login(superuser=True), []
    for text in SEARCHES:
        address = client.post(reverse("admin:orders_order_find"), {"q": text})["Location"]
        found += [f"{text}: {fault}" for fault in faults(client, address)]
    assert not found, "\n".join(found)


@mariadb
@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("page", ["index", "orders_order_change"])
def test_no_page_of_the_days_work_scans_or_counts(crowd, login, page):
    arguments = [Order.objects.order_by("-pk")[5].pk] if page.endswith("change") else []
    found = faults(login(superuser=True), reverse(f"admin:{page}", args=arguments))
    assert not found, "\n".join(found)


@pytest.fixture
def audited(crowd):
    """Acts of forty people, of many kinds, on orders one by one and on many at once."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    entries = AuditEntry.objects.bulk_create(
        AuditEntry(
            at=start + dt.timedelta(minutes=n * 50),
            actor=f"staff:{n % 40}",
            action=f"a{n % 60}",
            subject=f"C{n % 2000:07}" if n % 3 else "",
            request_id=f"r{n}",
            details={"x": PADDING},
        )
        for n in range(4000)
    )
    AuditSubject.objects.bulk_create(
        AuditSubject(subject=f"C{entry.pk % 2000:07}", at=entry.at, audit_id=entry.pk) for entry in entries
    )
    AuditSeal.objects.bulk_create(
        AuditSeal(position=n, audit_id=entry.pk, digest="x", sealed_at=entry.at) for n, entry in enumerate(entries, 1)
    )
    with connection.cursor() as cursor:
        tables = ", ".join(model._meta.db_table for model in (AuditEntry, AuditSubject, AuditSeal))
        cursor.execute(f"ANALYZE TABLE {tables}")
        cursor.fetchall()


@mariadb
@pytest.mark.slow
@pytest.mark.services
def test_no_page_of_the_audit_scans_or_counts(audited, login):
    client = login(superuser=True)
    pages = [f"/admin/audit/?{asked}" for asked in AUDITED]
    for page in tuple(pages):
        links = Page(client.get(page).content.decode()).links
        pages += [f"/admin/audit/{link}" for link in links if "after=" in link]
    pages += [
        "/admin/audit/order/C0000005/",
        "/admin/audit/person/staff:7/",
        "/admin/audit/person/staff:7/?from=2026-03-01",
    ]
    pages += ["/admin/kernel/auditentry/", "/admin/kernel/auditentry/?q=s7"]
    found = [f"{page}: {fault}" for page in pages for fault in faults(client, page)]
    assert not found, "\n".join(found)
    assert any("after=" in page for page in pages)


@mariadb
@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("asked", AUDITED)
def test_no_export_of_the_audit_scans_or_counts(audited, login, asked, monkeypatch):
    monkeypatch.setattr(audit_export, "AT_ONCE", 50)  # of 7,500 rows, as it is 1,000 of a million
    client = login(superuser=True)
    with CaptureQueriesContext(connection) as captured:
        answer = client.post("/admin/audit/export/", dict(parse_qsl(asked)))
        lines = b"".join(answer.streaming_content).splitlines()
    assert lines
    assert not plans.faults([query["sql"] for query in captured.captured_queries], BIG)
