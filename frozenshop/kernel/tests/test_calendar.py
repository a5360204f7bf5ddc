import datetime as dt

import pytest

from frozenshop.kernel import calendar, clock
from frozenshop.kernel.models import CalendarDay, ShopCalendar

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=clock.SHANGHAI)


def end_of(day):
    return at(f"{day}T00:00") + dt.timedelta(days=1)


@pytest.fixture
def published():
    calendar.load_calendar()


def stop(*days):
    CalendarDay.objects.bulk_create(CalendarDay(day=day, kind="carrier_stop") for day in days)
    calendar.forget()


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-11-23", True),
        ("2026-11-21", True),
        ("2026-11-22", False),
        ("2026-01-04", True),
        ("2026-02-14", True),
        ("2026-02-23", False),
        ("2026-09-20", True),
        ("2026-10-01", False),
        ("2026-10-10", True),
        ("2027-02-05", False),
    ],
)
def test_holidays_and_make_up_days_beat_the_weekday(day, works):
    assert calendar.is_working_day(dt.date.fromisoformat(day)) is works


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("paid_at", "last_day"),
    [
        ("2026-11-23T15:59", "2026-11-23"),
        ("2026-11-23T16:00", "2026-11-24"),
        ("2026-11-20T20:00", "2026-11-21"),  # Friday evening, the shop ships on Saturdays
        ("2026-11-21T20:00", "2026-11-23"),  # Saturday evening: not on Sunday
        ("2026-09-30T15:00", "2026-09-30"),  # the eve of 国庆
        ("2026-09-30T18:00", "2026-10-08"),
        ("2026-10-03T10:00", "2026-10-08"),
        ("2026-02-13T17:00", "2026-02-14"),  # 调休: a Saturday at work
    ],
)
def test_a_payment_is_to_be_shipped_by_the_end_of_its_working_day(paid_at, last_day):
    assert calendar.ship_by(at(paid_at)) == end_of(last_day)


@pytest.mark.usefixtures("published")
def test_a_shop_without_saturdays_ships_fridays_evening_on_monday():
    ShopCalendar.objects.update(ships_on_saturday=False, cutoff_hour=18)
    calendar.forget()
    assert calendar.ship_by(at("2026-11-20T17:59")) == end_of("2026-11-20")
    assert calendar.ship_by(at("2026-11-20T18:00")) == end_of("2026-11-23")


@pytest.mark.usefixtures("published")
def test_several_working_days_skip_the_holiday_between_them():
    assert calendar.ship_by(at("2026-09-29T10:00"), working_days=3) == end_of("2026-10-08")


def test_the_last_day_is_counted_by_the_shops_wall_clock():
    paid_at = dt.datetime(2026, 11, 23, 16, 30, tzinfo=dt.UTC)
    assert calendar.ship_by(paid_at) == end_of("2026-11-24")


def test_a_day_can_be_a_holiday_and_a_carriers_stop():
    calendar.load_calendar()
    stop("2026-02-17")
    day = dt.date(2026, 2, 17)
    assert not calendar.is_working_day(day)
    assert not calendar.carriers_run(day)
    assert calendar.carriers_run(dt.date(2026, 2, 18))


def test_carrier_time_stands_still_on_stop_days():
    stop("2026-02-16", "2026-02-17")
    assert calendar.add_carrier_time(at("2026-02-15T20:00"), 4 * HOUR) == end_of("2026-02-15")
    assert calendar.add_carrier_time(at("2026-02-15T20:00"), 6 * HOUR) == at("2026-02-18T02:00")
    assert calendar.add_carrier_time(at("2026-02-17T12:00"), HOUR) == at("2026-02-18T01:00")


def test_carrier_time_without_stops_is_time():
    start = at("2026-11-20T20:00")
    assert calendar.add_carrier_time(start, dt.timedelta(days=90, hours=1)) == start + dt.timedelta(days=90, hours=1)


def test_loading_again_keeps_what_staff_entered():
    calendar.load_calendar()
    CalendarDay.objects.filter(day="2026-10-01").update(name="国庆，店休")
    ShopCalendar.objects.update(cutoff_hour=12)
    assert calendar.load_calendar() == 0
    assert CalendarDay.objects.get(day="2026-10-01").name == "国庆，店休"
    assert ShopCalendar.objects.get().cutoff_hour == 12


def test_the_rows_are_read_once_a_minute(django_assert_num_queries):
    with django_assert_num_queries(2):
        for _ in range(3):
            calendar.is_working_day(dt.date(2026, 11, 23))


def test_a_calendar_without_a_working_day_still_answers():
    ShopCalendar.objects.create(ships_on_saturday=False)
    days = [dt.date(2026, 11, 23) + dt.timedelta(days=n) for n in range(90)]
    CalendarDay.objects.bulk_create(CalendarDay(day=day, kind="holiday") for day in days)
    assert calendar.ship_by(at("2026-11-23T10:00")) == end_of("2026-11-23")
