import pytest

from frozenshop.api.tests.client import code_of, log_in
from frozenshop.api.views import auth
from logistics.tests.factories import make_shipment, report
from notifications.models import Consent, OptOut, Unionid
from notifications.tests.wechat_sim import SHIPPED, SIGNED, template
from notifications.wechat import consents
from notifications.wechat.client import WechatSession
from orders.models import Customer
from orders.tests.factories import make_customer, make_order

GRANTS = {"grants": [{"template_id": SIGNED, "result": "accept"}], "grant_id": "g-1"}


@pytest.fixture
def order(customer):
    return make_order("paid", buyer_openid=customer.openid)


def advised(buyer, order_no=""):
    answer = buyer.get(f"/api/subscriptions/advice?order_no={order_no}").json()["results"]
    return [[told["milestone"] for told in one["milestones"]] for one in answer]


def several(*milestones):
    for milestone in milestones:
        template(milestone, template_id=f"T-{milestone}", title=milestone)


def test_a_grant_counts_once_however_often_it_is_sent(buyer):
    template()
    for _ in range(2):
        answer = buyer.post("/api/subscriptions", GRANTS)
    assert answer.json() == {"results": [{"template_id": SIGNED, "balance": 1}], "ignored": []}


def test_a_template_that_is_not_ours_is_ignored_and_said_so(buyer):
    assert buyer.post("/api/subscriptions", GRANTS).json() == {"results": [], "ignored": [SIGNED]}
    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (GRANTS | {"grants": []}, "grants"),
        (GRANTS | {"grants": "x"}, "grants"),
        (GRANTS | {"grants": [GRANTS["grants"][0]] * 21}, "grants"),
        (GRANTS | {"grants": [3]}, "grants[0]"),
        (GRANTS | {"grants": [{"template_id": "t"}]}, "grants[0].result"),
        (GRANTS | {"grants": [{"template_id": 1, "result": "accept"}]}, "grants[0].template_id"),
        (GRANTS | {"grants": [{"template_id": "t", "result": "maybe"}]}, "grants[0].result"),
        (GRANTS | {"grants": [{"template_id": "t\0", "result": "accept"}]}, "grants[0].template_id"),
        (GRANTS | {"grant_id": "有"}, "grant_id"),
        (GRANTS | {"grant_id": "x" * 65}, "grant_id"),
        ({"grants": GRANTS["grants"]}, "grant_id"),
        (GRANTS | {"openid": "other"}, "openid"),
    ],
)
def test_what_can_not_be_understood_is_named(buyer, body, field):
    answer = buyer.post("/api/subscriptions", body)
    assert code_of(answer) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == [field]


def test_who_is_known_by_phone_alone_can_not_subscribe(db):
    buyer = log_in(Customer.objects.create())
    template()
    assert code_of(buyer.post("/api/subscriptions", GRANTS)) == (409, "not_possible")
    assert advised(buyer) == []


def test_what_may_still_happen_is_worth_asking_for(buyer, order):
    several("shipped", "out_for_delivery", "exception", "locker_waiting", "delivered", "refunded")
    assert advised(buyer, order.order_no) == [["shipped"], ["out_for_delivery"], ["exception"]]
    shipment = make_shipment(order)
    assert advised(buyer, order.order_no) == [["out_for_delivery"], ["locker_waiting"], ["exception"]]
    report(shipment, "out_for_delivery")
    assert advised(buyer, order.order_no) == [["locker_waiting"], ["exception"], ["delivered"]]
    report(shipment, "delivered")
    assert advised(buyer, order.order_no) == [["refunded"]]


def test_what_is_allowed_already_unwanted_or_out_of_use_is_not_asked_for(buyer, customer, order):
    several("shipped", "out_for_delivery", "exception", "delivered")
    consents.grant(customer.openid, {"T-shipped": "accept"}, "g")
    OptOut.objects.create(customer=customer, topic="exception")
    template("delayed", template_id="T-delayed", title="d", trouble="核对：没有")
    template("locker_waiting", template_id="T-l", title="l", enabled=False)
    assert advised(buyer, order.order_no) == [["out_for_delivery"], ["delivered"]]


def test_a_template_that_tells_several_things_is_asked_for_until_it_can_tell_all(buyer, customer, order):
    template("shipped", template_id=SHIPPED), template("out_for_delivery", template_id=SHIPPED)
    for number in range(2):
        assert advised(buyer, order.order_no) == [["shipped", "out_for_delivery"]]
        consents.grant(customer.openid, {SHIPPED: "accept"}, f"g{number}")
    assert advised(buyer, order.order_no) == []


def test_of_two_templates_with_one_title_the_more_useful_is_named(buyer, order):
    template("shipped", template_id="A", title="同名"), template("delivered", template_id="B", title="同名")
    assert advised(buyer, order.order_no) == [["shipped"]]


def test_without_an_order_advice_is_for_a_new_one(buyer):
    several("shipped")
    assert advised(buyer) == [["shipped"]]


def test_somebody_elses_order_is_not_found(buyer):
    other = make_order("paid", buyer_openid=make_customer().openid)
    for order_no in (other.order_no, "ABSENT", "%00"):
        assert code_of(buyer.get(f"/api/subscriptions/advice?order_no={order_no}")) == (404, "order_not_found")


# --- opt-outs -------------------------------------------------------------------------------------


def chosen(buyer):
    return buyer.get("/api/me/notifications").json()["opt_outs"]


def choose(buyer, *topics):
    return buyer.send("PUT", "/api/me/notifications", b'{"opt_outs": [%s]}' % ",".join(topics).encode())


def test_opt_outs_are_replaced_as_a_whole(buyer, customer):
    assert choose(buyer, '"delivered"', '"sms"', '"sms"').json()["opt_outs"] == ["sms", "delivered"]
    choose(buyer, '"shipped"')
    assert chosen(buyer) == ["shipped"]
    choose(buyer)
    assert not OptOut.objects.exists()


def test_the_topics_are_what_buyers_are_told(buyer):
    topics = {one["topic"] for one in buyer.get("/api/me/notifications").json()["topics"]}
    assert {"sms", "shipped", "delivered", "locker_waiting"} <= topics
    assert not topics & {"digest", "alert", "settlement", "order.status_changed"}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"opt_outs": "sms"}', b'{"opt_outs": [1]}', b'{"opt_outs": ["digest"]}']
)
def test_wrong_opt_outs_change_nothing(buyer, body):
    choose(buyer, '"sms"')
    assert code_of(buyer.send("PUT", "/api/me/notifications", body)) == (400, "invalid")
    assert chosen(buyer) == ["sms"]


# --- WeChat's components --------------------------------------------------------------------------


def components(buyer, order):
    return buyer.get(f"/api/orders/{order.order_no}/wechat").json()


def paid(customer, status="shipped", **payment):
    order = make_order("paid", buyer_openid=customer.openid, payment=payment)
    if status == "shipped":
        make_shipment(order)
    return order


def test_who_paid_may_confirm_with_wechats_component(buyer, customer):
    told = components(buyer, paid(customer, transaction_id="4200000000000000000000000001"))
    assert told == {
        "confirm": {
            "business_type": "weappOrderConfirm",
            "extra_data": {"transaction_id": "4200000000000000000000000001"},
        },
        "waybills": [],
    }


def test_without_a_transaction_id_the_shops_own_number_does(buyer, customer):
    told = components(buyer, paid(customer, mchid="1230000109", out_trade_no="OUT-1"))
    assert told["confirm"]["extra_data"] == {"merchant_id": "1230000109", "merchant_trade_no": "OUT-1"}


@pytest.mark.parametrize(
    "order", [("paid", {"transaction_id": "42"}), ("shipped", {}), ("shipped", {"out_trade_no": "O"})]
)
def test_where_there_is_nothing_to_confirm_there_is_no_component(buyer, customer, order):
    status, payment = order
    assert components(buyer, paid(customer, status, **payment))["confirm"] is None


def test_who_sees_an_order_by_phone_gets_no_payment_numbers(db):
    order = paid(make_customer(), transaction_id="42")
    seer = log_in(make_customer(phone="13812341234"))
    assert seer.get(f"/api/orders/{order.order_no}").status_code == 200
    assert components(seer, order)["confirm"] is None


# --- who follows the official account -------------------------------------------------------------


def test_logging_in_joins_the_buyer_with_the_follower(client, db, monkeypatch):
    monkeypatch.setattr(auth.wechat, "code_to_session", lambda code: WechatSession("oBuyer", "oUnion"))
    for _ in range(2):
        assert client.post("/api/auth/login", b'{"code": "c"}', content_type="application/json").status_code == 200
    assert Unionid.objects.get(unionid="oUnion").customer.openid == "oBuyer"
