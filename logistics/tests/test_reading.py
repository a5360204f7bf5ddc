"""What all providers' words are read with."""

import datetime as dt

from logistics.models import ShipmentStatus as S
from logistics.providers import reading
from logistics.providers.base import Overall, ProviderEvent

NOON = dt.datetime(2026, 11, 22, 4, tzinfo=dt.UTC)


def scan(text: str, minutes: int = 0, code: str = "") -> ProviderEvent:
    return ProviderEvent(S.UNKNOWN, NOON + dt.timedelta(minutes=minutes), text, code=code)


def test_scans_of_one_instant_stay_as_they_came():
    assert [event.text for event in reading.in_order([scan("c", 1), scan("b"), scan("a"), scan("b")])] == [
        "b",
        "a",
        "c",
    ]


def test_an_unknown_code_keeps_its_sample_though_the_overall_state_has_it_too():
    overall = Overall(S.UNKNOWN, "77", NOON)
    assert reading.unknown_codes([scan("海关抽检", code="77")], overall, {}.get) == (("77", "海关抽检"),)


def test_a_number_that_no_waybill_can_have_is_none():
    assert [reading.waybill_no(value) for value in (" SF1 ", 123, "", None, "9" * 65)] == ["SF1", "123", "", "", ""]
