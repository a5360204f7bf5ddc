"""The driver's link: one parcel, signed, for a while, and over when the parcel is; each step counts once."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import AuditEntry
from logistics import driver_links, manual
from logistics.driver_links import find, issue
from logistics.manual import Heard, offered, report_by_driver, turn_of
from logistics.models import DriverLink, Shipment, TrackingEvent
from logistics.shipping import void
from logistics.tests.factories import STAFF, make_carrier, make_shipment, report
from orders.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def shipment() -> Shipment:
    return make_shipment(carrier=make_carrier("OWN_FLEET", kdniao_code=""))


@pytest.fixture
def link(shipment) -> DriverLink:
    return issue(shipment, by=STAFF)[0]


def secret_of(url: str) -> str:
    return url.rpartition("/")[2]


def tap(link, name, turn=None, **more) -> Heard:
    given = turn_of(link.shipment) if turn is None else turn
    return report_by_driver(DriverLink.objects.get(pk=link.pk), name, turn=given, **more)


def told() -> list[str]:
    return list(TrackingEvent.objects.order_by("pk").values_list("status", flat=True))


# --- the secret -----------------------------------------------------------------------------------


def test_a_secret_opens_its_own_parcel_and_only_its_digest_is_kept(shipment):
    link, url = issue(shipment, by=STAFF)
    assert url.startswith("https://testserver/d/")
    found = find(secret_of(url))
    assert found == link
    assert found.shipment == shipment
    assert secret_of(url) not in str(DriverLink.objects.values())
    assert link.created_by == "staff:1"


def test_a_secret_that_nobody_signed_is_refused_without_a_question(django_assert_num_queries, shipment):
    secret = secret_of(issue(shipment, by=STAFF)[1])
    changed = [secret[:-1] + ("0" if secret[-1] != "0" else "1"), ("0" if secret[0] != "0" else "1") + secret[1:]]
    with django_assert_num_queries(0):
        wrong = [*changed, "", secret.upper() + "x", secret + "\n", "0" * 48, "x" * 48, "é" * 48, "1" * 10_000]
        assert [find(given) for given in wrong] == [None] * len(wrong)


def test_a_signed_secret_that_was_never_given_is_unknown():
    nonce = "ab" * driver_links.NONCE_BYTES
    assert find(nonce + driver_links._signatures(nonce)[0]) is None


def test_a_secret_outlives_a_change_of_keys_that_keeps_the_old_one(shipment, settings):
    secret = secret_of(issue(shipment, by=STAFF)[1])
    old = settings.BLIND_INDEX_KEYS
    new = "n1:" + "A" * 43 + "="
    settings.BLIND_INDEX_KEYS = f"{new},{old}"
    assert find(secret)
    settings.BLIND_INDEX_KEYS = new
    assert find(secret) is None


# --- its end --------------------------------------------------------------------------------------


def test_it_expires(shipment, frozen):
    secret = secret_of(issue(shipment, by=STAFF, life=dt.timedelta(days=1))[1])
    frozen.shift(dt.timedelta(hours=24) - dt.timedelta(seconds=1))
    assert find(secret)
    frozen.shift(dt.timedelta(seconds=1))
    assert find(secret) is None


def test_it_never_lives_longer_than_two_weeks(shipment):
    assert issue(shipment, by=STAFF, life=dt.timedelta(days=99))[0].expires_at == clock.now() + dt.timedelta(days=14)


@pytest.mark.parametrize("status", ["delivered", "returned", "cancelled"])
def test_it_ends_and_is_marked_when_the_parcel_is_over(shipment, status):
    secret = secret_of(issue(shipment, by=STAFF)[1])
    report(shipment, status)
    assert find(secret) is None
    assert DriverLink.objects.get().revoked_at == clock.now()
    with pytest.raises(NotPossible):
        issue(shipment, by=STAFF)


def test_it_ends_and_is_marked_when_the_waybill_is_withdrawn(shipment):
    secret = secret_of(issue(shipment, by=STAFF)[1])
    void(shipment, order=shipment.orders.get(), reason="填错", actor=STAFF)
    assert find(secret) is None
    assert DriverLink.objects.get().revoked_at


def test_an_unmarked_link_of_a_parcel_that_is_over_is_dead_all_the_same(shipment):
    secret = secret_of(issue(shipment, by=STAFF)[1])
    Shipment.objects.update(status="delivered")
    assert find(secret) is None


def test_a_new_link_ends_the_former_one(shipment):
    first, second = (secret_of(issue(shipment, by=STAFF)[1]) for _ in range(2))
    assert find(first) is None
    assert find(second)


def test_other_news_leaves_it_alive(shipment):
    secret = secret_of(issue(shipment, by=STAFF)[1])
    report(shipment, "in_transit")
    assert find(secret)


# --- steps ----------------------------------------------------------------------------------------


def test_a_drivers_day(link, shipment):
    assert [tap(link, name) for name in ("picked_up", "arriving", "delivered")] == [Heard.RECORDED] * 3
    assert told() == ["picked_up", "out_for_delivery", "delivered"]
    assert Order.objects.get().status == "delivered"
    assert AuditEntry.objects.filter(actor=f"driver_link:{link.pk}", subject=f"shipment:{shipment.pk}").count() == 3


def test_a_tap_that_is_repeated_counts_once(link):
    assert [tap(link, "picked_up", turn=0) for _ in range(3)] == [Heard.RECORDED, Heard.REPEATED, Heard.REPEATED]
    assert told() == ["picked_up"]


def test_a_second_phone_with_an_older_page_must_look_again(link):
    tap(link, "picked_up", turn=0)
    assert tap(link, "arriving", turn=0) is Heard.OVERTAKEN
    assert told() == ["picked_up"]


def test_a_late_repetition_of_a_failure_is_no_second_failure(link, frozen):
    tap(link, "failed", turn=0, reason="unreachable")
    frozen.shift(dt.timedelta(minutes=1))
    tap(link, "arriving", turn=1)
    assert tap(link, "failed", turn=0, reason="unreachable") is Heard.OVERTAKEN
    assert told() == ["delivery_failed", "out_for_delivery"]


def test_a_second_attempt_may_fail_too(link, frozen):
    for name in ("failed", "arriving", "failed"):
        frozen.shift(dt.timedelta(hours=20))
        assert tap(link, name, reason="unreachable" if name == "failed" else "") is Heard.RECORDED
    assert Shipment.objects.get().status == "delivery_failed"


def test_a_turn_that_was_made_up_counts_for_nothing(link):
    assert tap(link, "picked_up", turn=7) is Heard.OVERTAKEN
    assert tap(link, "picked_up", turn=-1) is Heard.OVERTAKEN
    assert told() == []


def test_a_failure_says_why(link, shipment):
    tap(link, "failed", reason="refused", remark="说没有订过")
    event = TrackingEvent.objects.get()
    assert (event.reason, event.text) == ("refused", "派送未成功：拒收，说没有订过")
    assert Shipment.objects.get().reason == "refused"


def test_after_the_end_nothing_is_heard(link):
    tap(link, "delivered")
    assert tap(link, "failed", reason="refused") is Heard.ENDED
    assert told() == ["delivered"]


def test_only_what_is_not_true_yet_is_offered(link, shipment):
    assert list(offered(shipment)) == ["picked_up", "arriving", "delivered", "failed"]
    tap(link, "arriving")
    assert list(offered(Shipment.objects.get())) == ["delivered", "failed"]


def test_what_others_told_meanwhile_is_not_told_again(link, shipment):
    report(shipment, "out_for_delivery")
    assert tap(link, "arriving") is Heard.REPEATED


def test_a_step_that_breaks_half_way_leaves_nothing(link, monkeypatch):
    monkeypatch.setattr(manual.audit, "record", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tap(link, "delivered")
    assert told() == []
    assert DriverLink.objects.get().revoked_at is None
    assert Order.objects.get().status == "shipped"
