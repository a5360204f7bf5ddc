"""Nothing of a person is written down in clear, however it is put."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frozenshop.kernel import clock
from frozenshop.kernel.logstore import entries
from frozenshop.kernel.logstore.entries import Entry, Kind

DIGITS = st.text("0123456789", min_size=9, max_size=9)
MOBILES = st.builds(lambda second, rest: f"1{second}{rest}", st.sampled_from("3456789"), DIGITS)
GAPS = st.sampled_from(["", " ", "-", "  ", "\u3000", ".", "－", " - "])
AROUND = st.text(st.characters(blacklist_categories=("Cs", "Nd")), max_size=20)
COLUMNS = st.sampled_from(sorted(entries.LENGTHS))


def grouped(number, gap):
    return gap.join((number[:3], number[3:7], number[7:]))


def digits_of(text):
    return "".join(filter(str.isdigit, text))


@given(MOBILES, GAPS, AROUND, AROUND, COLUMNS)
def test_no_column_holds_a_mobile_number(number, gap, before, after, column):
    entry = make(**{column: f"{before}{grouped(number, gap)}{after}"})
    written = getattr(entries.from_line(entries.to_line(entries.cleaned(entry))), column)
    assert number not in digits_of(written)


@given(MOBILES)
def test_full_width_digits_are_digits(number):
    wide = number.translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"})
    assert entries.mask(f"电话{wide}。") == f"电话{number[:3]}****{number[7:]}。"


@given(st.text(st.characters(blacklist_categories=("Cs",))), COLUMNS)
def test_masking_twice_is_masking_once_and_every_text_fits_its_column(text, column):
    """So that a search, which masks what was typed, finds what a list showed."""
    once = entries.mask(text)
    assert entries.mask(once) == once
    assert len(getattr(entries.cleaned(make(**{column: text})), column)) <= entries.LENGTHS[column]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("+86 138-1234-5678 无人接听", "+86 138****5678 无人接听"),
        ("021-61234567", "021****4567"),
        ("身份证 11010519491231002X", "身份证 110****002X"),
        ("zhang.san@example.com", "****@example.com"),
        ("token=abcdef access_token: xyz", "token=**** access_token: ****"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ****"),
        ("POST /callbacks/sf/0123456789abcdef", "POST /callbacks/sf/…"),
        ("SF1391234567890", "SF1391234567890"),
        ("73812345678901", "73812345678901"),
        ("D2026112300017", "D2026112300017"),
        ("95338", "95338"),
        ("半\ud83d个", "半?个"),
    ],
)
def test_what_names_a_person_or_opens_a_door_is_masked_and_numbers_of_parcels_are_not(text, written):
    assert entries.mask(text) == written


def test_a_line_that_was_cut_off_is_not_an_entry():
    line = entries.to_line(make())
    assert entries.from_line(line).service == "s"
    for broken in (line[:-10], b"", b"null\n", json.dumps({"id": 1}).encode(), line.replace(b"call", b"what")):
        with pytest.raises(ValueError):  # noqa: PT011
            entries.from_line(broken)


def test_ids_grow_with_time_and_bound_it():
    early, late = clock.now(), clock.now().replace(year=2100)
    assert entries.boundary(early) <= entries.new_id(early) < entries.boundary(late) <= entries.new_id(late)
    assert len({entries.new_id(early) for _ in range(1000)}) == 1000


def make(**fields):
    given_ = {"id": "0", "request_id": "r", "service": "s", "what": "w", "outcome": "ok"} | fields
    return Entry(kind=Kind.CALL, at=clock.now(), **given_)
