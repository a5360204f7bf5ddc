import datetime as dt

import pytest
import time_machine
from django.contrib.auth.models import User

from frozenshop.backoffice.tests.conftest import proved_now
from frozenshop.backoffice.tests.pages import ALERTS, listed, messages, text
from frozenshop.kernel import changelist
from frozenshop.kernel.clock import now
from frozenshop.kernel.models import AuditEntry
from logistics import shipping
from logistics.problems import subject
from logistics.tests.factories import STAFF, make_shipment
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


def test_what_is_overdue_longest_stands_first_then_what_is_due_soonest(service):
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
    assert "处理结果" in messages(do(service, "resolve", alert, outcome="carrier"))
    assert "请选择结果" in messages(do(service, "resolve", alert, text="已联系网点"))
    assert alert.resolved_at is None
    do(service, "resolve", alert, text="已联系网点，今晚派送", outcome="carrier")
    assert (alert.resolution, alert.outcome) == ("已联系网点，今晚派送", "carrier")


def test_one_that_is_resolved_already_does_not_stop_the_rest(service):
    closed, alert = make_alert(), make_alert()
    Alert.objects.filter(pk=closed.pk).update(resolved_at=now(), open_key=None)
    shown = service.post(
        ALERTS + "?state=",
        {
            "action": "resolve",
            "_selected_action": [closed.pk, alert.pk],
            "index": "0",
            "text": "好了",
            "outcome": "other",
        },
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
        proved_now(service)
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
        proved_now(service)
        assert listed(service.get(ALERTS, {"state": "overdue"})) == [str(other)]


def test_an_alert_is_found_by_its_order(service):
    alert, _ = make_alert(), make_alert()
    assert listed(service.get(ALERTS, {"q": alert.order.order_no})) == [str(alert)]


def test_who_may_only_look_is_offered_no_action(viewer):
    alert = make_alert()
    do(viewer, "resolve", alert, text="好了", outcome="other")
    assert alert.resolved_at is None


def incident_of(*members: Alert) -> Alert:
    incident = alerting.open_alert(AlertKind.INCIDENT, subject="place:郑州", detail="郑州：2 个包裹停滞")
    Alert.objects.filter(pk__in=[member.pk for member in members]).update(incident=incident)
    return incident


def test_the_members_of_an_incident_stand_behind_it(service):
    first, second = make_alert(), make_alert()
    incident = incident_of(first, second)
    assert listed(service.get(ALERTS)) == [str(incident)]
    assert listed(service.get(ALERTS, {"incident": incident.pk})) == [str(first), str(second)]
    assert len(listed(service.get(ALERTS, {"incident": "any"}))) == 3
    assert listed(service.get(ALERTS, {"q": first.order.order_no})) == [str(first)]


def test_resolving_an_incident_resolves_its_members(service):
    members = [make_alert(), make_alert()]
    do(service, "resolve", incident_of(*members), text="大雾散了", outcome="carrier")
    for member in members:
        member.refresh_from_db()
    assert {member.resolution for member in members} == {"大雾散了"}
    assert listed(service.get(ALERTS, {"incident": "any"})) == []


def test_an_incidents_page_shows_what_belongs_to_it(service):
    member = make_alert()
    incident = incident_of(member)
    assert member.order.order_no in text(service.get(f"{ALERTS}{incident.pk}/change/"))


def test_staff_give_alerts_to_a_colleague(service):
    other = User.objects.create_user("小王", is_staff=True)
    alerts = [make_alert(), make_alert()]
    do(service, "assign", *alerts, assignee=str(other.pk))
    assert {alert.owner for alert in alerts} == {other}
    assert AuditEntry.objects.filter(action="alert.assigned").count() == 2


@pytest.mark.parametrize("assignee", ["", "0", "x", "9" * 30, "²"])
def test_nobody_is_no_colleague(service, assignee):
    alert = make_alert()
    assert messages(do(service, "assign", alert, assignee=assignee))
    assert alert.owner is None


def test_who_left_the_shop_is_offered_nothing(service):
    gone = User.objects.create_user("老李", is_staff=True, is_active=False)
    alert = make_alert()
    do(service, "assign", alert, assignee=str(gone.pk))
    assert alert.owner is None
    assert "老李" not in text(service.get(ALERTS))


def test_filters_by_severity_and_by_who_acts(service):
    stale, trouble = make_alert(AlertKind.STALE), make_alert(AlertKind.UNKNOWN_CODE)
    assert listed(service.get(ALERTS, {"severity": "2high"})) == [str(stale)]
    assert listed(service.get(ALERTS, {"acts": "operations"})) == [str(trouble)]


def test_the_alert_of_a_shared_box_is_found_by_each_of_its_orders(service):
    first, second = make_order("paid"), make_order("paid")
    box = make_shipment(first)
    shipping.join(box, second, actor=STAFF)
    alert = alerting.open_alert(AlertKind.STALE, subject=subject(box), order=first)
    assert listed(service.get(ALERTS, {"q": second.order_no})) == [str(alert)]


def test_a_row_says_how_long_the_trouble_lasted_before_it_was_noticed(service):
    order = make_order()
    began = now() - dt.timedelta(hours=5)
    alerting.open_alert(AlertKind.STALE, subject=order.order_no, order=order, occurred_at=began)
    assert "已持续 5 小时" in text(service.get(ALERTS))


@pytest.mark.parametrize("query", [{"kind": "stale"}, {"severity": "2high"}, {"owner": "nobody"}, {"due": "soon"}])
def test_of_what_is_resolved_a_page_looks_at_so_many(service, monkeypatch, query):
    monkeypatch.setattr(changelist, "LOOKED_AT", 5)
    with time_machine.travel(now() - dt.timedelta(minutes=5), tick=False):
        old = make_alert(AlertKind.STALE)
    others = [make_alert(AlertKind.EXCEPTION).pk for _ in range(6)]
    Alert.objects.update(resolved_at=now(), open_key=None, due_at=now() + dt.timedelta(hours=1))
    Alert.objects.filter(pk__in=others).update(
        owner=User.objects.get(username="客服"), due_at=now() + dt.timedelta(days=9), severity="1urgent"
    )
    Alert.objects.filter(pk=old.pk).update(severity="2high")
    first = service.get(ALERTS, {"state": "resolved", **query})
    assert (listed(first), "5 条" in text(first)) == ([], True)
    assert listed(service.get(ALERTS + first.context["cl"].older_query)) == [str(old)]
