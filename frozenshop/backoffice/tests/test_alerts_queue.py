import datetime as dt

import pytest
import time_machine
from django.contrib.auth.models import User

from frozenshop.backoffice.tests.pages import ALERTS, listed, messages
from frozenshop.kernel.clock import now
from frozenshop.kernel.models import AuditEntry
from orders import alerting
from orders.models import Alert, AlertKind
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def make_alert(kind: AlertKind = AlertKind.STALE) -> Alert:
    order = make_order()
    alert = alerting.open_alert(kind, subject=order.order_no, order=order)
    assert alert
    return alert


def do(client, action: str, *alerts: Alert, **data: str):
    chosen = {"action": action, "_selected_action": [alert.pk for alert in alerts], "index": "0", **data}
    done = client.post(ALERTS, chosen, follow=True)
    for alert in alerts:
        alert.refresh_from_db()
    return done


def test_the_worst_and_soonest_stands_first(service):
    with time_machine.travel(now() - dt.timedelta(hours=1), tick=False):
        soon = make_alert(AlertKind.STALE)
    late, urgent = make_alert(AlertKind.STALE), make_alert(AlertKind.EXCEPTION)
    assert listed(service.get(ALERTS)) == [str(urgent), str(soon), str(late)]


def test_staff_take_alerts_in_bulk(service):
    alerts = [make_alert(), make_alert()]
    do(service, "take", *alerts)
    assert {alert.owner.username for alert in alerts} == {"客服"}


def test_resolving_needs_a_word_on_how(service):
    alert = make_alert()
    assert "处理结果" in messages(do(service, "resolve", alert))
    assert alert.resolved_at is None
    do(service, "resolve", alert, text="已联系网点，今晚派送")
    assert alert.resolution == "已联系网点，今晚派送"


def test_one_that_is_resolved_already_does_not_stop_the_rest(service):
    closed, alert = make_alert(), make_alert()
    Alert.objects.filter(pk=closed.pk).update(resolved_at=now(), open_key=None)
    shown = service.post(
        ALERTS + "?state=",
        {"action": "resolve", "_selected_action": [closed.pk, alert.pk], "index": "0", "text": "好了"},
    )
    alert.refresh_from_db()
    assert alert.resolved_at
    assert shown.status_code == 302


def test_a_snoozed_alert_leaves_the_queue_until_its_time(service):
    alert = make_alert()
    do(service, "snooze", alert, text="等网点回电", hours="4")
    assert listed(service.get(ALERTS)) == []
    assert listed(service.get(ALERTS, {"state": "snoozed"})) == [str(alert)]
    with time_machine.travel(now() + dt.timedelta(hours=5)):
        assert listed(service.get(ALERTS)) == [str(alert)]


def test_a_note_is_added_and_shown(service):
    alert = make_alert()
    do(service, "note", alert, text="电话无人接听")
    assert alert.notes.get().text == "电话无人接听"
    assert "电话无人接听" in service.get(ALERTS).content.decode()


def test_what_was_done_is_recorded(service):
    do(service, "take", make_alert())
    assert AuditEntry.objects.filter(action="alert.taken").count() == 1


def test_filters_by_kind_owner_and_overdue(service):
    mine, other = make_alert(AlertKind.STALE), make_alert(AlertKind.EXCEPTION)
    Alert.objects.filter(pk=mine.pk).update(owner=User.objects.get(username="客服"))
    assert listed(service.get(ALERTS, {"owner": "me"})) == [str(mine)]
    assert listed(service.get(ALERTS, {"owner": "nobody"})) == [str(other)]
    assert listed(service.get(ALERTS, {"kind": "exception"})) == [str(other)]
    assert listed(service.get(ALERTS, {"state": "overdue"})) == []
    with time_machine.travel(now() + dt.timedelta(hours=3)):
        assert listed(service.get(ALERTS, {"state": "overdue"})) == [str(other)]


def test_an_alert_is_found_by_its_order(service):
    alert, _ = make_alert(), make_alert()
    assert listed(service.get(ALERTS, {"q": alert.order.order_no})) == [str(alert)]


def test_who_may_only_look_is_offered_no_action(viewer):
    alert = make_alert()
    do(viewer, "resolve", alert, text="好了")
    assert alert.resolved_at is None
