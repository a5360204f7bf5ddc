"""日志: the same page over both stores; and a sentence instead of an error while the store is away."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice.tests.pages import page, text
from frozenshop.kernel import logstore
from frozenshop.kernel.logstore import Kind
from frozenshop.kernel.tests import logs
from frozenshop.kernel.tests.mongo import Hanging, Mongo
from logistics.tests.tracked import tracked
from orders.models import Order

PAGE = "/admin/logs/"
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    mongo = Mongo(tmp_path_factory.mktemp("mongo"))
    mongo.start()
    yield mongo
    mongo.kill()


@pytest.fixture(params=["database", "mongodb"])
def write(request, monkeypatch, settings, tmp_path):
    """Write entries; return at once with what can be found."""
    url = ""
    if request.param == "mongodb":
        server = request.getfixturevalue("server")
        with server.client() as client:
            client.drop_database("logs")
        url = server.url
    writer = logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=url, kinds=("call", "exchange"))

    def note(*subjects, kind=Kind.CALL, **fields):
        for subject in subjects:
            entry = {"service": "kdniao", "what": "query", "outcome": "ok", "subject": subject} | fields
            logstore.write(kind, **entry)
        writer.flush()

    yield note
    logs.close()


def subjects(response):
    return re.findall(r'href="\?subject=([^"]+)"', text(response))


def test_a_viewer_sees_what_the_filters_leave(viewer, write):
    write("SF1", "SF2")
    write("D9", kind=Kind.EXCHANGE, service="sms_aliyun", failed=True, outcome="isv.LIMIT", under="request-00000001")
    assert set(subjects(viewer.get(PAGE))) == {"SF1", "SF2", "D9"}
    assert subjects(viewer.get(PAGE, {"kind": "exchange"})) == ["D9"]
    assert subjects(viewer.get(PAGE, {"subject": " SF2 "})) == ["SF2"]
    assert subjects(viewer.get(PAGE, {"service": "sms_aliyun"})) == ["D9"]
    assert subjects(viewer.get(PAGE, {"request_id": "request-00000001"})) == ["D9"]
    assert subjects(viewer.get(PAGE, {"failed": "1"})) == ["D9"]
    assert subjects(viewer.get(PAGE, {"to": "2020-01-01T00:00"})) == []
    assert subjects(viewer.get(PAGE, {"from": "2999-01-01T00:00"})) == []


def test_pages_follow_each_other_by_their_links(viewer, write):
    wanted = {f"S{number}" for number in range(120)}
    write(*wanted)
    forth, address = [], PAGE
    while address:
        shown = viewer.get(address)
        forth.append(subjects(shown))
        address = shown.context["older"] and PAGE + shown.context["older"]
    assert [len(one) for one in forth] == [50, 50, 20]
    assert set().union(*forth) == wanted
    back = []
    while shown.context["newer"]:
        shown = viewer.get(PAGE + shown.context["newer"])
        back.append(subjects(shown))
    assert back == [forth[1], forth[0]]


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "gestern"},
        {"from": "0001-01-01T00:00+09:00"},
        {"kind": "?"},
        {"before": "\x00'"},
        {"after": "z" * 99},
        {"to": "9" * 40},
    ],
)
def test_what_makes_no_sense_is_no_error(viewer, write, asked):
    write("SF1")
    assert viewer.get(PAGE, asked).status_code == 200


def test_nothing_is_counted_and_nothing_is_passed_over(viewer, monkeypatch, settings, tmp_path):
    logs.use(monkeypatch, settings, var_dir=tmp_path)
    with CaptureQueriesContext(connection) as captured:
        viewer.get(PAGE, {"failed": "1", "service": "kdniao"})
    queries = [one["sql"] for one in captured if "kernel_logentry" in one["sql"]]
    assert len(queries) == 1
    assert "LIMIT 51" in queries[0]
    assert not re.search(r"COUNT\(|OFFSET", queries[0])


def test_who_may_not_see_logs_is_refused(login):
    assert login().get(PAGE).status_code == 403


@pytest.mark.parametrize("away", ["refused", "hanging"])
def test_while_mongodb_is_away_the_page_says_so(viewer, monkeypatch, settings, tmp_path, away):
    hanging = Hanging()
    url = hanging.url if away == "hanging" else "mongodb://127.0.0.1:1/logs"
    logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=url)
    assert "日志库现在没有回应" in text(viewer.get(PAGE))
    logs.close()
    hanging.close()


def test_an_orders_page_leads_to_the_logs_of_its_parcels_and_messages(viewer):
    shipment = tracked("SF0000000000001")
    order = Order.objects.get(shipments=shipment)
    shown = text(viewer.get(page(order)))
    for subject in ("SF0000000000001", order.order_no):
        assert f"{PAGE}?subject={subject}" in shown
