"""What is written is found, by the same questions in both stores; and it lasts as long as its kind."""

import datetime as dt

import pytest
import time_machine
from django.db import connection

from frozenshop.kernel import clock, logstore, request_id
from frozenshop.kernel.logstore import database, spool, stores
from frozenshop.kernel.logstore.entries import Kind
from frozenshop.kernel.models import LogEntry
from frozenshop.kernel.tests import logs
from frozenshop.kernel.tests.mongo import Mongo

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    mongo = Mongo(tmp_path_factory.mktemp("mongo"))
    mongo.start()
    yield mongo
    mongo.kill()


@pytest.fixture(params=["database", "mongodb"])
def writer(request, monkeypatch, settings, tmp_path):
    url = ""
    if request.param == "mongodb":
        server = request.getfixturevalue("server")
        with server.client() as client:
            client.drop_database("logs")
        url = server.url
    yield logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=url)
    logs.close()


def note(kind=Kind.CALL, **fields):
    logstore.write(kind, **({"service": "kdniao", "what": "query", "outcome": "ok"} | fields))


def found(**question):
    return logstore.find(logstore.Query(**question))


def subjects(**question):
    return [entry.subject for entry in found(**question)]


def test_an_entry_comes_back_as_it_was_written(writer):
    with request_id.carrying("req-00000001"):
        note(subject="SF1", failed=True, outcome="refused", ms=12, who="staff:3", address="203.0.113.0/24",
             reference="r1", detail="没有权限", body="v1|k|xx")  # fmt: skip
    writer.flush()
    (entry,) = found()
    assert (entry.kind, entry.service, entry.what, entry.outcome, entry.failed) == (
        "call", "kdniao", "query", "refused", True,
    )  # fmt: skip
    assert (entry.request_id, entry.subject, entry.ms, entry.who) == ("req-00000001", "SF1", 12, "staff:3")
    assert (entry.address, entry.reference, entry.detail, entry.body) == (
        "203.0.113.0/24", "r1", "没有权限", "v1|k|xx",
    )  # fmt: skip
    assert abs(entry.at - clock.now()) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"kinds": (Kind.ACCESS,)}, ["b"]),
        ({"request_id": "req-00000002"}, ["d", "c"]),
        ({"subject": "a"}, ["a"]),
        ({"service": "sf"}, ["c"]),
        ({"failed": True}, ["d", "a"]),
        ({"service": "kdniao", "failed": True}, ["d", "a"]),
        ({"subject": "nobody"}, []),
    ],
    ids=str,
)
def test_each_question_has_its_answer_newest_first(writer, question, expected):
    with time_machine.travel(clock.now(), tick=False) as time:
        for subject, kind, extra in (
            ("a", Kind.CALL, {"failed": True}),
            ("b", Kind.ACCESS, {}),
            ("c", Kind.EXCHANGE, {"service": "sf", "under": "req-00000002"}),
            ("d", Kind.RAW, {"failed": True, "under": "req-00000002"}),
        ):
            note(kind, subject=subject, **extra)
            time.shift(1)
    writer.flush()
    assert subjects(**question) == expected


def test_a_range_of_time_takes_its_first_instant_and_not_its_last(writer):
    start = clock.now().replace(microsecond=0)
    for minutes in range(4):
        with time_machine.travel(start + dt.timedelta(minutes=minutes), tick=False):
            note(subject=str(minutes))
    writer.flush()
    minute = dt.timedelta(minutes=1)
    assert subjects(since=start + minute, until=start + 3 * minute) == ["2", "1"]


def test_pages_go_back_and_forth_without_a_gap(writer):
    for number in range(25):
        note([Kind.CALL, Kind.ACCESS][number % 2], subject=str(number))
    writer.flush()
    whole = [entry.id for entry in found()]
    assert len(set(whole)) == 25
    pages, before = [], ""
    while page := found(limit=10, before=before):
        pages.append([entry.id for entry in page])
        before = page[-1].id
    assert [one for page in pages for one in page] == whole
    assert [entry.id for entry in found(limit=10, after=pages[1][0])] == pages[0]
    assert [entry.id for entry in found(limit=5, after=pages[2][0])] == whole[15:20]


def test_what_is_written_twice_is_there_once(writer):
    note(subject="once")
    (entry,) = writer._queue
    writer.flush()
    stores.current().insert([entry])
    assert subjects() == ["once"]


def test_what_a_store_refuses_holds_up_nothing_else(writer, monkeypatch):
    note(subject="good")
    note(ms=2**70, subject="too much")  # MySQL takes it, and keeps what fits
    note(subject=["no text"])
    note(subject="good too")
    writer.flush()
    assert set(subjects()) - {"too much"} == {"good", "good too"}
    assert spool.drops_since(0) == 1 + ("too much" not in subjects())


def test_a_kind_that_is_not_kept_is_not_written(writer, settings):
    settings.LOG_KINDS = ["call"]
    note(Kind.ACCESS)
    note(Kind.CALL, subject="kept")
    writer.flush()
    assert subjects() == ["kept"]


def test_numbers_of_people_are_masked_and_found_masked(writer):
    note(subject="13812345678", detail="电话 138 1234 5678，zhang@example.com")
    writer.flush()
    (entry,) = found(subject="13812345678")
    assert (entry.subject, entry.detail) == ("138****5678", "电话 138****5678，****@example.com")


def test_a_body_that_is_too_large_is_left_out_and_says_so(writer):
    note(Kind.RAW, body="x" * (2 * 1024 * 1024 + 1))
    writer.flush()
    (entry,) = found()
    assert (entry.body, entry.detail) == ("", "原文过大，没有保存")


def test_in_the_database_each_kind_is_deleted_after_its_own_time(monkeypatch, settings, tmp_path):
    writer = logs.use(monkeypatch, settings, var_dir=tmp_path)
    settings.LOG_KEEP_DAYS = {"raw": 10, "call": 20, "access": 30, "exchange": 40}
    with time_machine.travel(clock.now() - dt.timedelta(days=25), tick=False):
        for kind in Kind:
            note(kind)
    writer.flush()
    assert logstore.purge() == 2
    assert set(LogEntry.objects.values_list("kind", flat=True)) == {"access", "exchange"}


def test_in_mongodb_each_kind_has_its_indexes_and_its_time(monkeypatch, settings, tmp_path, server):
    for access in (30, 7):  # a changed setting reaches collections that are there
        writer = logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=server.url)
        settings.LOG_KEEP_DAYS = {"raw": 35, "call": 90, "access": access, "exchange": 180}
        note()
        writer.flush()
        logs.close()
    with server.client() as client:
        for kind, days in settings.LOG_KEEP_DAYS.items():
            indexes = client.logs[f"log_{kind}"].index_information()
            assert indexes["ttl"] == indexes["ttl"] | {"key": [("at", 1)], "expireAfterSeconds": days * 86400}
            assert {"request", "subject", "service", "who", "failed"} < set(indexes)


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ({"request_id": "req-00000001"}, "request"),
        ({"subject": "SF1"}, "subject"),
        ({"service": "kdniao"}, "service"),
        ({"failed": True}, "failed"),
    ],
    ids=str,
)
def test_in_mongodb_each_question_goes_by_an_index(monkeypatch, settings, tmp_path, server, question, index):
    from frozenshop.kernel.logstore import mongo

    writer = logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=server.url)
    note()
    writer.flush()
    logs.close()
    with server.client() as client:
        asked = client.logs.log_call.find(mongo._filter(logstore.Query(**question))).sort("_id", -1).limit(50)
        assert f"'indexName': '{index}'" in str(asked.explain()["queryPlanner"]["winningPlan"])


def test_what_came_about_a_parcel_and_what_a_person_did_is_forgotten(writer):
    note(Kind.RAW, subject="SF1", reference="gone")
    note(Kind.RAW, subject="SF2", reference="of another parcel")
    note(Kind.CALL, subject="SF1", reference="no message")
    note(Kind.ACCESS, who="customer:7", reference="gone")
    note(Kind.EXCHANGE, who="phone:abc", reference="gone")
    note(Kind.ACCESS, who="customer:77", reference="of another person")
    writer.flush()
    assert logstore.forget(["SF1", "FD1"], ["customer:7", "phone:abc"]) == 3
    assert {entry.reference for entry in found()} == {"of another parcel", "no message", "of another person"}
    assert logstore.forget(["SF1"], []) == 0


@pytest.mark.services("mysql")
@pytest.mark.django_db(transaction=True)
def test_in_the_database_each_question_goes_by_an_index_and_sorts_nothing(monkeypatch, settings, tmp_path):
    logs.use(monkeypatch, settings, var_dir=tmp_path)
    now = clock.now()
    rows = [
        LogEntry(id=f"{number:024x}", kind=list(Kind)[number % 4], at=now, service=f"s{number % 40}", what="x" * 150,
                 outcome="ok", failed=number % 50 == 0, request_id=f"r{number}", subject=f"S{number % 500}", who="a")
        for number in range(6000)
    ]  # fmt: skip
    LogEntry.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE kernel_logentry")
        for question in ({"request_id": "r7"}, {"subject": "S7"}, {"service": "s7"}, {"failed": True},
                         {"kinds": (Kind.RAW,)}, {"before": f"{3000:024x}"}, {}):  # fmt: skip
            query = LogEntry.objects.filter(**database._conditions(logstore.Query(**question))).order_by("-id")[:51]
            sql, parameters = query.query.sql_with_params()
            cursor.execute(f"EXPLAIN {sql}", parameters)
            (plan,) = cursor.fetchall()
            assert plan[5], question  # key
            assert "filesort" not in plan[-1], (question, plan)
