from pathlib import Path

import pytest

from notifications import occasions
from notifications.models import Audience, Channel, Milestone
from notifications.occasions import OCCASIONS
from notifications.words import HINTS


def test_every_milestone_has_its_occasion():
    assert set(OCCASIONS) == set(Milestone)


def test_the_document_shows_the_table():
    document = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    assert occasions.table() in document


@pytest.mark.parametrize("milestone", [m for m, one in OCCASIONS.items() if Audience.BUYER in one.told])
def test_what_buyers_are_told_can_be_overtaken_and_has_words(milestone):
    one = OCCASIONS[milestone]
    assert bool(one.while_parcel) != bool(one.while_order)
    assert HINTS[milestone]


@pytest.mark.parametrize("one", OCCASIONS.values())
def test_wechat_comes_before_sms_and_consignees_get_sms_only(one):
    for audience, channels in one.told.items():
        assert list(channels) == sorted(channels, key=list(Channel).index)
        if audience == Audience.CONSIGNEE:
            assert set(channels) <= set(occasions.SMS)


def test_statuses_lead_to_what_is_true_then():
    for status, milestone in occasions.BY_STATUS.items():
        assert status in OCCASIONS[milestone].while_parcel
    for status, milestone in occasions.BY_ORDER_STATUS.items():
        assert status in OCCASIONS[milestone].while_order


def test_no_two_milestones_of_a_status_are_true_at_once():
    states = [OCCASIONS[milestone].while_parcel for milestone in dict.fromkeys(occasions.BY_STATUS.values())]
    assert sum(map(len, states)) == len(frozenset().union(*states))
