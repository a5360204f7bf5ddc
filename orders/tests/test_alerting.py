import datetime as dt

import pytest
import time_machine
from django.contrib.auth import get_user_model

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid, NotPossible
from frozenshop.kernel.models import AuditEntry
from orders import alerting
from orders.alerting import KINDS, open_alert, resolve_alerts
from orders.models import Alert, AlertKind, AlertOutcome
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    return make_order()


@pytest.fixture
def alert(order):
    return open_alert(AlertKind.STALE, subject=order.order_no, order=order)


@pytest.fixture
def user():
    return get_user_model().objects.create(username="li")


def audited() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.values_list("action", "reason"))


def test_every_kind_says_how_soon_it_is_due():
    assert set(KINDS) == set(AlertKind)
    assert all(kind.due > dt.timedelta() for kind in KINDS.values())


def test_a_sentence_for_the_buyer_ends_and_is_short_enough_to_read():
    sentences = [kind.buyer_message for kind in KINDS.values() if kind.buyer_message]
    assert all(sentence.endswith("。") and len(sentence) <= 60 for sentence in sentences)


def test_an_alert_opens_with_the_severity_and_due_time_of_its_kind(order):
    with time_machine.travel(clock.now(), tick=False):
        alert = open_alert(AlertKind.EXCEPTION, subject=order.order_no, order=order, detail="x" * 900)
        assert (alert.severity, alert.due_at) == ("1urgent", clock.now() + dt.timedelta(hours=2))
    assert len(alert.detail) == 500


def test_one_alert_is_open_per_kind_and_subject(alert, order):
    assert open_alert(AlertKind.STALE, subject=order.order_no, order=order) is None
    assert open_alert(AlertKind.EXCEPTION, subject=order.order_no, order=order)
    assert open_alert(AlertKind.STALE, subject="another")
    assert Alert.objects.count() == 3


def test_an_alert_that_another_process_opened_meanwhile_is_no_error(alert, order, monkeypatch):
    monkeypatch.setattr(Alert.objects.__class__, "exists", lambda self: False, raising=False)
    monkeypatch.setattr("django.db.models.query.QuerySet.exists", lambda self: False)
    assert open_alert(AlertKind.STALE, subject=order.order_no, order=order) is None
    assert Alert.objects.count() == 1


def test_a_good_event_resolves_the_kinds_it_puts_right(alert, order):
    other = open_alert(AlertKind.MONEY_CONFLICT, subject=order.order_no, order=order)
    kinds = [AlertKind.STALE, AlertKind.EXCEPTION]
    assert resolve_alerts(order.order_no, kinds, by="carrier", resolution="有新轨迹") == 1
    alert.refresh_from_db()
    other.refresh_from_db()
    assert (alert.resolved_by, alert.resolution, alert.open_key) == ("carrier", "有新轨迹", None)
    assert other.resolved_at is None


def test_what_was_resolved_can_open_again(alert, order):
    resolve_alerts(order.order_no, [AlertKind.STALE], by="system", resolution="x")
    assert open_alert(AlertKind.STALE, subject=order.order_no, order=order)


def test_opening_and_resolving_move_the_orders_version(order):
    version = order.version
    open_alert(AlertKind.STALE, subject=order.order_no, order=order)
    resolve_alerts(order.order_no, [AlertKind.STALE], by="system", resolution="x")
    order.refresh_from_db()
    assert order.version == version + 2


def test_taking_an_alert_makes_its_owner_and_is_audited(alert, user):
    alerting.take(alert, user)
    assert (alert.owner, audited()) == (user, [("alert.taken", "")])


def test_snoozing_needs_a_time_to_come_and_a_reason(alert, user):
    with pytest.raises(Invalid):
        alerting.snooze(alert, clock.now() - dt.timedelta(minutes=1), user, "等回电")
    with pytest.raises(Invalid):
        alerting.snooze(alert, clock.now() + dt.timedelta(hours=1), user, " ")
    until = clock.now() + dt.timedelta(hours=1)
    alerting.snooze(alert, until, user, "等回电")
    assert (alert.snoozed_until, audited()) == (until, [("alert.snoozed", "等回电")])


def test_a_snoozed_alert_is_still_the_open_one(alert, user, order):
    alerting.snooze(alert, clock.now() + dt.timedelta(hours=1), user, "等回电")
    assert open_alert(AlertKind.STALE, subject=order.order_no, order=order) is None


def test_a_note_keeps_its_author(alert, user):
    note = alerting.add_note(alert, " 已联系快递 ", user)
    assert (note.text, note.author, audited()) == ("已联系快递", f"staff:{user.pk}", [("alert.noted", "")])


def test_a_person_resolves_with_a_note(alert, user):
    with pytest.raises(Invalid):
        alerting.resolve(alert, "", user)
    alerting.resolve(alert, "已补发", user)
    assert (alert.resolved_by, alert.resolution) == (f"staff:{user.pk}", "已补发")
    assert audited() == [("alert.resolved", "已补发")]


@pytest.mark.parametrize(
    "act",
    [
        lambda alert, user: alerting.take(alert, user),
        lambda alert, user: alerting.resolve(alert, "x", user),
        lambda alert, user: alerting.snooze(alert, clock.now() + dt.timedelta(hours=1), user, "x"),
    ],
)
def test_a_resolved_alert_is_not_worked_on(alert, user, act):
    alerting.resolve(alert, "好了", user)
    with pytest.raises(NotPossible):
        act(alert, user)
    assert len(audited()) == 1


def test_an_alert_knows_when_the_trouble_began_and_never_later_than_now(order):
    began = clock.now() - dt.timedelta(hours=3)
    assert open_alert(AlertKind.DAMAGED, subject="a", order=order, occurred_at=began).occurred_at == began
    ahead = open_alert(AlertKind.REFUSED, subject="a", order=order, occurred_at=clock.now() + dt.timedelta(hours=1))
    assert ahead.occurred_at == ahead.opened_at


def test_what_a_person_dealt_with_does_not_come_back_for_the_same_beginning(order, user):
    began = clock.now() - dt.timedelta(hours=3)
    trouble = {"subject": order.order_no, "order": order}
    alerting.resolve(open_alert(AlertKind.DAMAGED, **trouble, occurred_at=began), "已补发", user)
    assert open_alert(AlertKind.DAMAGED, **trouble, occurred_at=began) is None
    assert open_alert(AlertKind.DAMAGED, **trouble, occurred_at=began + dt.timedelta(hours=1))


def test_what_resolved_itself_comes_back(order):
    trouble = {"subject": order.order_no, "order": order, "occurred_at": clock.now() - dt.timedelta(hours=3)}
    open_alert(AlertKind.DAMAGED, **trouble)
    resolve_alerts(order.order_no, [AlertKind.DAMAGED], resolution="x")
    assert open_alert(AlertKind.DAMAGED, **trouble)


def test_an_alert_is_given_to_somebody_else(alert, user):
    other = get_user_model().objects.create(username="wang")
    alerting.assign(alert, other, user)
    assert (alert.owner, audited()) == (other, [("alert.assigned", "")])


def test_how_an_alert_ended_is_kept_for_the_statistics(alert, order, user):
    resolve_alerts(order.order_no, [AlertKind.STALE], resolution="有新轨迹")
    alert.refresh_from_db()
    assert alert.outcome == AlertOutcome.RECOVERED
    other = open_alert(AlertKind.DAMAGED, subject=order.order_no, order=order)
    alerting.resolve(other, "已补发", user, AlertOutcome.RESENT)
    assert other.outcome == AlertOutcome.RESENT


def test_resolving_an_incident_resolves_what_belongs_to_it(alert, order, user):
    incident = open_alert(AlertKind.INCIDENT, subject="place:郑州")
    Alert.objects.filter(pk=alert.pk).update(incident=incident)
    version = order.version
    assert alerting.resolve(incident, "道路恢复", user, AlertOutcome.CARRIER) == [incident, alert]
    alert.refresh_from_db()
    order.refresh_from_db()
    assert (alert.resolution, alert.outcome) == ("道路恢复", "carrier")
    assert order.version == version + 2
