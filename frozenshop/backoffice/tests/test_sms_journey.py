"""A parcel's news by SMS, from the scan to the phone and back, with the demo's templates, against the sandbox."""

import pytest

from frozenshop.backoffice.demo import sms as demo
from notifications.channels import base
from notifications.models import Delivery, MessageTemplate, Notice
from notifications.tests.conftest import frozen
from notifications.tests.sms_sim import Sim, sms
from notifications.tests.world import bought, fate, later, parcel, tell, work

__all__ = ["frozen", "sms"]
pytestmark = pytest.mark.django_db
PHONE = "13812341234"


@pytest.fixture
def shipment(sms, frozen, monkeypatch):
    channels = {name: base.CHANNELS[name] for name in ("sms_aliyun", "sms_tencent")}
    monkeypatch.setattr(base, "CHANNELS", channels)
    demo.make_templates()
    return parcel(bought("oBuyer", phone=PHONE))


def reported(sms: Sim) -> None:
    sms.report()
    work()


def deliveries(milestone="out_for_delivery"):
    rows = Delivery.objects.filter(notice__milestone=milestone).order_by("id")
    return [(row.channel, row.state) for row in rows]


def test_a_message_arrives_and_its_report_closes_the_delivery(sms: Sim, shipment):
    tell(shipment, "out_for_delivery")
    assert deliveries() == [("sms_aliyun", "sent")]
    reported(sms)
    assert deliveries() == [("sms_aliyun", "delivered")]
    (sent,) = sms.sent
    assert (sent.phone, sent.reference) == (PHONE, Delivery.objects.get().reference)


def test_the_second_service_takes_over_where_the_first_needs_a_person(sms: Sim, shipment, frozen):
    sms.aliyun(error="isv.AMOUNT_NOT_ENOUGH")
    tell(shipment, "out_for_delivery")
    later(frozen, minutes=1)
    reported(sms)
    assert deliveries()[-1] == ("sms_tencent", "delivered")
    assert [one.service for one in sms.sent] == ["tencent_sms"]


def test_what_a_carrier_refuses_goes_by_the_other_service(sms: Sim, shipment, frozen):
    sms.aliyun(undelivered="IS_CLOSED")
    tell(shipment, "out_for_delivery")
    reported(sms)
    later(frozen, minutes=1)
    assert deliveries() == [("sms_aliyun", "failed"), ("sms_tencent", "sent")]


@pytest.mark.parametrize("kind", ["cut", "bad_json"])
def test_what_was_taken_without_an_answer_is_found_and_not_sent_again(sms: Sim, shipment, frozen, kind):
    sms.fault("aliyun_sms", kind)
    tell(shipment, "out_for_delivery")
    assert deliveries() == [("sms_aliyun", "unknown")]
    sms.world.faults.clear()
    later(frozen, minutes=4)
    assert deliveries() == [("sms_aliyun", "delivered")]
    assert (len(sms.sent), fate("out_for_delivery")) == (1, ("told", ""))


def test_what_was_never_taken_is_sent_once_that_is_sure(sms: Sim, shipment, frozen):
    sms.fault("aliyun_sms", "http_5xx")
    tell(shipment, "out_for_delivery")
    sms.world.faults.clear()
    later(frozen, minutes=4)
    assert deliveries() == [("sms_aliyun", "unknown")]
    later(frozen, minutes=6)
    assert deliveries() == [("sms_aliyun", "failed"), ("sms_aliyun", "sent")]
    assert len(sms.sent) == 1


def test_the_report_that_overtakes_our_own_record_is_not_lost(sms: Sim, shipment):
    sms.fault("aliyun_sms", "cut")
    tell(shipment, "out_for_delivery")
    reported(sms)
    assert deliveries() == [("sms_aliyun", "delivered")]


def test_no_row_holds_the_phone(sms: Sim, shipment):
    tell(shipment, "out_for_delivery")
    reported(sms)
    kept = f"{list(Delivery.objects.values())}{list(Notice.objects.values())}"
    assert PHONE not in kept


def test_the_demos_templates_are_those_of_the_sandbox(sms: Sim, db):
    from sandbox.sms import PhoneBook

    demo.make_templates()
    known = {template_id for _, template_id in sms.world.own(PhoneBook).templates}
    rows = MessageTemplate.objects.filter(channel__startswith="sms_")
    assert rows.count() == 2 * len(demo.TEMPLATES)
    for row in rows:
        service = {"sms_aliyun": "aliyun_sms", "sms_tencent": "tencent_sms"}[row.channel]
        assert set(row.fields) == set(sms.world.own(PhoneBook).templates[service, row.template_id].names)
    assert {row.template_id for row in rows} <= known
