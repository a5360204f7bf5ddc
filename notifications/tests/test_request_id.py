"""What people and the shop's systems are told keeps the id of what called for it, in whose company it ever goes."""

from frozenshop.kernel import clock, outbox, request_id
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox import consuming
from logistics.tests.factories import event, report
from notifications import dispatch
from notifications.models import Notice, WebhookMessage
from notifications.tests.test_webhook_sending import add, publish, shop
from notifications.tests.world import bought, later, parcel, tell
from notifications.webhooks import sending

assert shop


def test_parcels_that_are_planned_together_keep_their_own_ids(post, shop, monkeypatch):
    monkeypatch.setattr(consuming, "BEGUN", 0)
    add("a")
    shipments = [parcel(bought(f"buyer-{n}")) for n in range(3)]
    WebhookMessage.objects.all().delete()
    for shipment in shipments:
        with request_id.carrying(f"scan-{shipment.waybill_no}"):
            report(shipment, event("out_for_delivery", clock.now()))
    OutboxMessage.objects.filter(topic="notifications.shipment_changed", status="pending").update(status="sent")
    outbox.deliver(OutboxMessage.objects.filter(status="sent").order_by("id").first().pk)
    assert not OutboxMessage.objects.filter(status="sent").exists()
    wanted = {f"shipment:{one.pk}": f"scan-{one.waybill_no}" for one in shipments}
    assert dict(Notice.objects.filter(milestone="out_for_delivery").values_list("subject", "request_id")) == wanted
    told = WebhookMessage.objects.filter(event="shipment.updated").values_list("body__data__waybill_no", "request_id")
    assert dict(told) == {one.waybill_no: f"scan-{one.waybill_no}" for one in shipments}


def test_a_letter_goes_under_the_id_of_its_notice_though_a_job_sends_it(post, frozen):
    carried = []
    post["wechat_subscribe"].before = lambda letter: carried.append(request_id.current())
    with request_id.carrying("shipped-by-shop"):
        parcel()
    with request_id.carrying("job-send_due-x"):
        later(frozen, minutes=11)
    assert carried == ["shipped-by-shop"]


def test_what_is_asked_about_is_asked_under_the_same_id(post, monkeypatch, frozen):
    from notifications.channels.base import ChannelError

    post["wechat_subscribe"].always = ChannelError("没有答复", code="timeout", unknown=True)
    asked = []
    monkeypatch.setattr(dispatch, "_ask", lambda delivery: asked.append(request_id.current()) or "later")
    with request_id.carrying("out-for-delivery"):
        tell(parcel(), "out_for_delivery")
    later(frozen, minutes=5)
    assert set(asked) == {"out-for-delivery"}


def test_the_shops_endpoint_is_told_the_id(db, frozen, shop):
    add("a")
    with request_id.carrying("request-of-somebody"):
        publish()
    sending.send_due()
    ((_, headers, _),) = shop.got
    assert headers["X-Request-Id"] == "request-of-somebody"


def test_a_message_from_before_there_were_ids_goes_without(db, frozen, shop):
    add("a")
    publish()
    WebhookMessage.objects.update(request_id="")
    sending.send_due()
    assert "X-Request-Id" not in shop.got[0][1]
