"""Whatever is given for an order number, wherever one is taken: the right answer, and never another's order."""

import unicodedata
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command

from frozenshop.api.tests.client import code_of, log_in
from frozenshop.backoffice.tests.pages import BATCH, ORDERS, listed
from frozenshop.kernel import clock
from logistics.tests.factories import make_carrier
from orders.importing import COLUMNS
from orders.models import Order
from orders.tests.factories import make_customer, make_order, order_payload
from orders.tests.test_importing import ROW, as_csv

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_stores")]

LONGEST = "A" * 64
GOOD = ["1", "Zz", "a.b_c-1", "123", "0123", LONGEST, "1e5", "null", "COUNTS"]
STRANGE = [
    "", " ", "A" * 65, "A" * 10_000, "9" * 10_000, "😀", "𠮷", "😀𠮷" * 32, "'", '"', "' OR 1=1 --", "a'b\"c", "\0",
    "A\0", "A\0B", "%", "%41", "%2e%2e", "A%00", "_", "A ", " A", "A\t", "A\n", "A\u3000", "A\u00a0", "A\u200b",
    "１２３", "Ａ", "À", "A\u0300", "ａ", "-A", ".", "..", "../A", "A/B", "A//", "A\\", "A;b", "A?b", "A#b", "订单1",
    "ß", "İ", "\u202eA", "\uffff",
]  # fmt: skip
# What a collation that isn't byte-wise would take for the same.
ALIKE = {"Abc": ["abc", "ABC", "Abc ", "Ａbc", "Àbc", "Abc\0"], "123": ["１２３", "123 ", "0123", "123.0", "1２3"]}
IDS = {"ids": lambda text: f"{ascii(text)[:20]}-{len(text)}"}


def body_of(answer) -> str:
    assert answer.status_code < 500, answer.content[:300]
    return answer.content.decode()


def meant(typed: str) -> str:
    """Return what staff mean: a full-width form is its narrow one, and what can't be seen isn't there."""
    return "".join(mark for mark in unicodedata.normalize("NFKC", typed) if unicodedata.category(mark) != "Cf").strip()


@pytest.fixture
def mine(customer) -> list[Order]:
    """Orders that something strange could be mistaken for."""
    numbers = ["A", "123", "Abc", LONGEST, "B"]
    return [make_order("paid", order_no=number, buyer_openid=customer.openid) for number in numbers]


# --- where one is given for a new order -----------------------------------------------------------


@pytest.mark.parametrize("number", GOOD, **IDS)
def test_a_good_number_is_taken_as_it_is(merchant, buyer, customer, number):
    sent = merchant.post("/merchant/orders", order_payload(order_no=number, buyer_openid=customer.openid))
    assert (sent.status_code, sent.json()["order_no"]) == (201, number)
    assert Order.objects.get(order_no=number).order_no == number
    assert buyer.get(f"/api/orders/{number}").json()["order_no"] == number
    assert [row["order_no"] for row in buyer.get(f"/api/orders?q={number}").json()["results"]] == [number]


@pytest.mark.parametrize("number", [*STRANGE, "counts", "statuses"], **IDS)
def test_a_strange_number_is_refused_by_the_field(merchant, mine, number):
    answer = merchant.post("/merchant/orders", order_payload(order_no=number))
    assert code_of(answer) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == ["order_no"]
    (row,) = merchant.post("/merchant/orders", [order_payload(order_no=number)]).json()["results"]
    assert (row["result"], list(row["errors"])) == ("refused", ["order_no"])
    assert Order.objects.count() == len(mine)


@pytest.mark.parametrize("given", [None, 1, 1.5, True, [], {}, ["A"], "\ud800"], ids=ascii)
def test_what_is_no_text_is_refused(merchant, given):
    assert code_of(merchant.post("/merchant/orders", order_payload(order_no=given))) == (400, "invalid")


def test_an_import_refuses_every_strange_number_by_row_and_column(tmp_path, capsys):
    make_carrier("SF")
    blank = " \t\n\u3000\u00a0"
    of_a_cell = [number for number in STRANGE if "\0" not in number and len(number) < 5000]
    numbers = [number for number in of_a_cell if number.strip(blank) not in ("", "A")]
    file = tmp_path / "orders.csv"
    rows = [ROW | {"order_no": number, "sku": f"S{place}"} for place, number in enumerate(numbers)]
    text = as_csv([list(COLUMNS), *([row[column] for column in COLUMNS] for row in rows)])
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CommandError) as refusal:
        call_command("import_orders", file)
    printed = capsys.readouterr().out
    assert refusal.value.returncode == 1
    assert Order.objects.count() == 0
    assert "订单号" in printed


def test_an_import_keeps_numbers_apart_that_look_alike(tmp_path):
    numbers = ["Abc", "abc", "ABC", "123", "0123", LONGEST]
    file = tmp_path / "orders.csv"
    rows = [ROW | {"order_no": number} for number in numbers]
    file.write_text(as_csv([list(COLUMNS), *([row[column] for column in COLUMNS] for row in rows)]))
    call_command("import_orders", file)
    assert set(Order.objects.values_list("order_no", flat=True)) == set(numbers)


# --- where one is looked for ----------------------------------------------------------------------


@pytest.mark.parametrize("number", STRANGE, **IDS)
def test_a_buyer_finds_nothing_under_a_strange_number(buyer, mine, number):
    written = quote(number, safe="")
    for method, verb in (("GET", ""), ("POST", "/refresh"), ("POST", "/confirm")):
        answer = buyer.send(method, f"/api/orders/{written}{verb}")
        assert code_of(answer) == (404, "order_not_found"), (method, verb)
    if number:
        assert buyer.get(f"/api/orders?q={written}").json() == {"results": [], "next": None}


def test_statuses_of_strange_numbers_are_missing_and_no_other_is_found(buyer, mine):
    for asked in (STRANGE[:25], STRANGE[25:]):
        told = buyer.post("/api/orders/statuses", {"order_nos": [*asked, "123"]}).json()
        assert [row["order_no"] for row in told["results"]] == ["123"]
        assert told["missing"] == asked


@pytest.mark.parametrize("number", STRANGE, **IDS)
def test_a_shop_finds_nothing_under_a_strange_number(merchant, mine, number):
    if not number:
        return  # then the address is another one, tested below
    base = f"/merchant/orders/{quote(number, safe='')}"
    at = clock.now().isoformat()
    fact = {"type": "cancelled", "occurred_at": at, "reference": "x"}
    box = {"carrier_code": make_carrier("SF").code, "waybill_no": "SF0000000001", "shipped_at": at}
    for answer in (
        merchant.get(base),
        merchant.post(f"{base}/events", fact),
        merchant.post(f"{base}/shipments", box),
        merchant.post(f"{base}/shipments/SF0000000001/void", {"reason": "x"}),
    ):
        assert code_of(answer) == (404, "order_not_found")
    assert set(Order.objects.values_list("status", flat=True)) == {"paid"}


def test_no_number_at_all_is_no_crash(merchant, buyer):
    for url in ("/merchant/orders/", "/merchant/orders//events", "/merchant/orders//shipments"):
        assert merchant.get(url).status_code in (404, 405)
    for url in ("/api/orders/", "/api/orders//refresh"):
        assert buyer.get(url).status_code in (404, 405)


@pytest.mark.long
def test_staffs_search_box_finds_only_what_was_meant(login, mine):
    viewer = login("查看")
    for number in STRANGE:
        answer = viewer.get(ORDERS, {"q": number})
        body_of(answer)
        # Of a zero byte Django says that it can't be searched for, and shows the list as it is.
        if "\0" not in number and meant(number):
            assert set(listed(answer)) <= {meant(number)}, ascii(number)


@pytest.mark.long
def test_the_batch_view_finds_only_what_is_written(login, mine):
    viewer = login("查看")
    for number in STRANGE:
        answer = viewer.post(BATCH, {"numbers": f"{number}\n123"})
        body_of(answer)
        found = [row.order.order_no for row in answer.context["rows"]]
        assert "123" in found, ascii(number)
        assert set(found) <= {"123", "A", "B"} | set(number.split()), ascii(number)  # "A/B" is two numbers there


@pytest.mark.parametrize(("number", "other"), [(n, other) for n, others in ALIKE.items() for other in others])
def test_numbers_compare_byte_by_byte_everywhere(buyer, merchant, login, customer, number, other):
    make_order("paid", order_no=number, buyer_openid=customer.openid)
    written, viewer = quote(other, safe=""), login("查看")
    assert buyer.get(f"/api/orders/{written}").status_code == 404
    assert buyer.get(f"/api/orders?q={written}").json()["results"] == []
    assert buyer.post("/api/orders/statuses", {"order_nos": [other]}).json()["missing"] == [other]
    assert merchant.get(f"/merchant/orders/{written}").status_code == 404
    if meant(other.strip("\0")) != number:
        assert listed(viewer.get(ORDERS, {"q": other})) == []
    if other.strip(" \0") != number:  # people's blanks are taken away before anything is looked for
        assert viewer.post(BATCH, {"numbers": other}).context["rows"] == []


def test_the_longest_number_goes_everywhere(buyer, merchant, login, mine):
    assert buyer.get(f"/api/orders/{LONGEST}").status_code == 200
    assert merchant.get(f"/merchant/orders/{LONGEST}").status_code == 200
    staff = login("主管")
    assert listed(staff.get(ORDERS, {"q": LONGEST})) == [LONGEST]
    (row,) = staff.post(BATCH, {"numbers": LONGEST}).context["rows"]
    assert row.order.order_no == LONGEST
    cancelled = {"type": "cancelled", "occurred_at": clock.now().isoformat(), "reference": "x" * 100}
    assert merchant.post(f"/merchant/orders/{LONGEST}/events", cancelled).json() == {"applied": True}
    assert code_of(buyer.post(f"/api/orders/{LONGEST}/confirm"))[0] == 409
    assert merchant.get(f"/merchant/orders/{LONGEST}").json()["status"] == "cancelled"


def test_somebody_elses_number_is_nobodys(mine):
    stranger = log_in(make_customer())
    told = stranger.post("/api/orders/statuses", {"order_nos": [order.order_no for order in mine]}).json()
    assert (told["results"], len(told["missing"])) == ([], len(mine))
