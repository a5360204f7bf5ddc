"""What providers said and were asked is told to the log; the tables of truth keep it no longer than it is needed."""

import datetime as dt

import pytest

from frozenshop.kernel import crypto, logstore, request_id
from frozenshop.kernel.logstore import Kind
from frozenshop.kernel.tests import logs
from logistics import asking, messages
from logistics.models import ProviderMessage
from logistics.providers.base import Concerns, ProviderError
from logistics.tests.test_kdniao import parcel, push_of, pushed, trace
from logistics.tests.tracked import deliver, tracked

NUMBER = "SF0000000000001"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def log(monkeypatch, settings, tmp_path, django_capture_on_commit_callbacks):
    """Do something and return what the log holds of a kind since."""
    writer = logs.use(monkeypatch, settings, var_dir=tmp_path)

    def after(kind, *acts):
        with django_capture_on_commit_callbacks(execute=True):
            for act in acts:
                act()
        writer.flush()
        return logstore.find(logstore.Query(kinds=(kind,)))

    yield after
    logs.close()


def receive(number=NUMBER):
    body = push_of(parcel(trace("2026-11-22 08:00:00"), LogisticCode=number))
    with request_id.carrying("push-request-1"):
        assert messages.receive("kdniao", body).status == 200
    return body


def apply():
    deliver("logistics.apply_message")


def test_a_push_is_logged_when_it_was_applied_with_its_sealed_body_and_the_request_that_brought_it(log):
    tracked(NUMBER)
    assert log(Kind.RAW, receive) == []
    (entry,) = log(Kind.RAW, apply)
    assert (entry.service, entry.what, entry.outcome, entry.failed) == ("kdniao", "push", "applied", False)
    assert (entry.subject, entry.request_id) == (NUMBER, "push-request-1")
    opened = crypto.open_sealed(entry.body, purpose=messages.purpose_of(entry.reference))
    assert opened.encode("latin-1") == messages.open_body(ProviderMessage.objects.get())


def test_what_is_held_is_logged_without_its_body_which_still_stands_in_the_table(log):
    (entry,) = log(Kind.RAW, receive, apply)
    assert (entry.outcome, entry.failed, entry.body) == ("held", True, "")


def test_what_could_not_be_read_is_logged_with_its_body(log):
    (entry,) = log(Kind.RAW, lambda: messages.receive("kdniao", pushed('{"Data":"?"}')))
    assert (entry.outcome, entry.failed) == ("unreadable", True)
    assert entry.body.startswith("v1|")


def test_a_repeat_is_not_logged_again(log):
    tracked(NUMBER)
    assert len(log(Kind.RAW, receive, apply, receive, apply)) == 1


def test_what_was_applied_leaves_the_table_after_three_days_and_what_was_not_after_35(log, frozen):
    tracked(NUMBER)
    log(Kind.RAW, receive, lambda: receive("SF9"), apply)
    frozen.shift(dt.timedelta(days=3, minutes=1))
    assert messages.purge() == 1
    assert ProviderMessage.objects.get().outcome == "held"
    frozen.shift(dt.timedelta(days=32))
    assert messages.purge() == 1


def test_a_call_is_logged_as_it_ended(log):
    with request_id.carrying("buyer-request-1"):
        (entry,) = log(Kind.CALL, lambda: asking.ask("kdniao", "query", NUMBER, lambda: "answer"))
    assert (entry.service, entry.what, entry.outcome, entry.failed) == ("kdniao", "query", "ok", False)
    assert (entry.subject, entry.request_id, entry.ms) == (NUMBER, "buyer-request-1", 0)


def test_a_refusal_that_quotes_the_consignee_is_logged_without_the_name_and_the_address(log):
    tracked(NUMBER, name="欧阳金丝雀", address="金丝雀胡同七号")

    def refused():
        raise ProviderError("欧阳金丝雀（金丝雀胡同七号 138 0000 0000）拒绝", permanent=True, concerns=Concerns.WAYBILL)

    def ask():
        with pytest.raises(ProviderError):
            asking.ask("kdniao", "query", NUMBER, refused)

    (entry,) = log(Kind.CALL, ask)
    assert (entry.outcome, entry.failed) == ("refused", True)
    assert "拒绝" in entry.detail
    assert not {"欧阳金丝雀", "金丝雀胡同", "138 0000 0000"} & {
        entry.detail[i : i + n] for i in range(60) for n in (5, 13)
    }
