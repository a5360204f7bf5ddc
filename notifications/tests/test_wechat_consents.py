import random
import threading

import pytest
from django.db import close_old_connections, connections
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from frozenshop.kernel import clock
from notifications.models import Consent, ConsentEntry
from notifications.wechat import consents

pytestmark = pytest.mark.django_db


def left(openid="oBuyer", template_id="t"):
    return consents.balances(openid, [template_id])[template_id]


def grant(result="accept", grant_id="g1", openid="oBuyer"):
    consents.grant(openid, {"t": result}, grant_id)


def popup(created="1", result="accept"):
    key = consents.event_key("oBuyer", created, "subscribe_msg_popup_event", "t")
    consents.answered("oBuyer", "t", result, cause=consents.POPUP, key=key)


def test_each_accept_adds_one_and_a_grant_counts_once():
    grant(), grant(), grant("acceptWithAudio", "g2")
    assert left() == 2


def test_the_same_grant_id_of_another_buyer_is_another_grant():
    grant(), grant(openid="oOther")
    assert (left(), left("oOther")) == (1, 1)


@pytest.mark.parametrize("result", ["reject", "filter"])
def test_a_rejected_dialog_takes_nothing_away(result):
    grant(), grant(result, "g2")
    assert left() == 1


def test_a_ban_takes_all_away():
    grant(), grant("accept", "g2"), grant("ban", "g3")
    assert left() == 0


@pytest.mark.parametrize("told", [(grant, popup), (popup, grant)])
def test_one_tap_told_by_the_mini_program_and_by_wechat_counts_once(told):
    for tell in told * 2:
        tell()
    assert left() == 1


def test_several_taps_told_by_both_are_paired_one_to_one():
    grant(grant_id="g1"), grant(grant_id="g2"), popup("1"), popup("2"), popup("3"), grant(grant_id="g3")
    assert left() == 3


def test_a_tap_much_later_is_another_one(time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    grant()
    time_machine.shift(11 * 60)
    popup()
    assert left() == 2


def test_a_message_consumes_one_once_and_never_below_zero():
    grant()
    for reference in ("d1", "d1", "d2"):
        consents.consumed("oBuyer", "t", reference)
    assert left() == 0


def test_a_refusal_takes_what_was_allowed_before_the_message_was_sent(time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    grant(grant_id="g1"), grant(grant_id="g2")
    asked_at = clock.now()
    time_machine.shift(1)
    grant(grant_id="g3")
    consents.refused("oBuyer", "t", "d1", asked_at)
    assert left() == 1


def test_the_ledger_adds_up():
    (
        grant(),
        grant(grant_id="g2"),
        consents.consumed("oBuyer", "t", "d1"),
        consents.refused("oBuyer", "t", "d2", clock.now()),
    )
    assert sum(ConsentEntry.objects.values_list("change", flat=True)) == left() == 0


STEPS = st.lists(st.tuples(st.sampled_from(["grant", "popup", "sent", "refused", "reject", "ban"]), st.integers(1, 4)))


class AnyOrder(TestCase):
    @given(STEPS)
    def test_the_balance_is_the_sum_of_its_entries_and_never_negative(self, steps):
        Consent.objects.all().delete()
        for kind, number in steps:
            if kind == "sent":
                consents.consumed("oBuyer", "t", f"d{number}")
            elif kind == "refused":
                consents.refused("oBuyer", "t", f"d{number}", clock.now())
            elif kind == "popup":
                popup(str(number))
            else:
                grant("accept" if kind == "grant" else kind, f"{kind}{number}")
        told = sum(ConsentEntry.objects.values_list("change", flat=True))
        assert left() == told >= 0


@pytest.mark.django_db(transaction=True)
def test_racing_grants_messages_and_repeats_are_counted_exactly():
    """Twenty grants told twice each and eight messages, by sixteen threads at once."""
    Consent.objects.create(openid="oBuyer", template_id="t")
    acts = [(grant, ("accept", f"g{n}")) for n in range(20)] * 2
    acts += [(consents.consumed, ("oBuyer", "t", f"d{n}")) for n in range(8)] * 2
    random.Random(1).shuffle(acts)
    grant(grant_id="first8"), [grant(grant_id=f"first{n}") for n in range(7)]
    errors = []

    def work(mine):
        try:
            for act, args in mine:
                act(*args)
        except Exception as error:
            errors.append(error)
        finally:
            close_old_connections()
            connections.close_all()

    threads = [threading.Thread(target=work, args=(acts[n::16],)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, left()) == ([], 20)
