"""What a schedule by the clock may say, and the instants that it means: in every zone, through every change of its clock."""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from itertools import islice, pairwise, product, takewhile
from typing import Any, get_args
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from journeys.canvas import occurrences as module
from journeys.canvas.canvas import Canvas, Schedule
from journeys.canvas.check import check
from journeys.canvas.in_words import comes_in
from journeys.canvas.occurrences import (
    ScheduledOccurrence,
    by_instant,
    instants,
    never_within,
    occurrences,
    once_more,
)
from journeys.canvas.problems import CODES
from journeys.canvas.source_positions import Places
from journeys.canvas.times import WEEKDAYS, Weekday
from journeys.canvas.wall_clock import localized, wall_of
from journeys.canvas.yaml_definitions import read_text, write
from tests.strategies import examples

HEAD = "kind: canvas\nformat: 1\nname: c\nschedule: "
LAUNCH = datetime(2026, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(schedule: str) -> Schedule:
    found, problems = read_text(HEAD + schedule + "\n", "c.yaml")
    assert [one for one in problems if one.code not in ("J210", "J108")] == []
    [canvas] = found
    value = canvas.value.schedule
    assert isinstance(value, Schedule)
    return value


def refusals(schedule: str) -> list[str]:
    _, problems = read_text(HEAD + schedule + "\n", "c.yaml")
    return [str(one) for one in problems]


def canvas_of(schedule: Schedule) -> Canvas:
    return Canvas(name="c", schedule=schedule)


# The words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant", "said"),
    [
        ("{at_launch: true}", Schedule(at_launch=True), "the launch"),
        ("{once: 2026-12-01T09:00, zone: local}", Schedule(once=datetime(2026, 12, 1, 9), zone="local"),
         "the clock: once, 2026-12-01 09:00, local time"),
        ("{once: '2026-12-01T09:00+01:00'}", Schedule(once=datetime(2026, 12, 1, 8, tzinfo=UTC)),
         "the clock: once, 2026-12-01 08:00"),
        ("{every: day, at: '09:00', starts: 2026-12-01, ends: 2027-01-01, times: 30}",
         Schedule(every="day", at=time(9), starts=datetime(2026, 12, 1), ends=datetime(2027, 1, 1), times=30),
         "the clock: every day at 09:00, from 2026-12-01 00:00, before 2027-01-01 00:00, 30 times"),
        ("{every: week, weekdays: [monday, friday], at: '09:00', zone: local}",
         Schedule(every="week", weekdays=["monday", "friday"], at=time(9), zone="local"),
         "the clock: every week on monday, friday at 09:00, local time"),
        ("{every: month, days: [1, 15, last], at: '09:00', zone: Europe/Paris}",
         Schedule(every="month", days=[1, 15, "last"], at=time(9), zone="Europe/Paris"),
         "the clock: every month on 1, 15, last at 09:00, Europe/Paris"),
    ],
)  # fmt: skip
def test_a_schedule_by_the_clock_is_one_value_in_yaml_and_in_python(
    written: str, meant: Schedule, said: str
) -> None:
    """ENT-1, ENT-2"""
    found = read(written)

    assert found == meant
    assert found.by_clock and found.trigger is None
    assert read_text(write(canvas_of(found)))[0][0].value.schedule == found
    assert comes_in(canvas_of(found)) == said


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        ("{once: 2026-12-01T09:00, every: day, at: '09:00'}", "J104", "exactly one of"),
        ("{event: signed_up, at_launch: true}", "J104", "it has event and at_launch"),
        ("{every: day}", "J102", 'needs a time of day (write at: "09:00")'),
        ("{every: week, at: '09:00'}", "J102", "needs weekdays (write weekdays: [monday])"),
        ("{every: month, at: '09:00'}", "J102", "needs days (write days: [1, last])"),
        ("{every: fortnight, at: '09:00'}", "J103", "allowed: day, month, week"),
        ("{every: day, at: '09:00', weekdays: [monday]}", "J104", "with `every: day` (write every: week)"),
        ("{every: week, weekdays: [monday], days: [1], at: '09:00'}", "J104", "(write every: month)"),
        ("{every: month, days: [1], weekdays: [monday], at: '09:00'}", "J104", "(write every: week)"),
        ("{event: signed_up, weekdays: [monday]}", "J104", "`weekdays` cannot be used here"),
        ("{event: signed_up, zone: local}", "J104", "`zone` cannot be used here"),
        ("{api: true, times: 3}", "J104", "`times` cannot be used here"),
        ("{once: 2026-12-01T09:00, at: '09:00'}", "J104", "`once` has the time of day in itself"),
        ("{once: 2026-12-01T09:00, ends: 2027-12-01T09:00}", "J104", "`ends` cannot be used with `once`"),
        ("{at_launch: true, zone: local}", "J104", "`zone` cannot be used with `at_launch`"),
        ("{at_launch: true, starts: 2027-12-01T09:00}", "J104", "`starts` cannot be used with `at_launch`"),
        ("{at_launch: false}", "J103", "“false” is not allowed for “at_launch” (allowed: true)"),
        ("{every: month, days: [0], at: '09:00'}", "J103", "“0” is not a day of a month (write 1 to 31, or last)"),
        ("{every: month, days: [32], at: '09:00'}", "J103", "“32” is not a day of a month"),
        ("{every: month, days: [true], at: '09:00'}", "J103", "is not a day of a month"),
        ("{every: month, days: [first], at: '09:00'}", "J103", "“first” is not a day of a month"),
        ("{every: month, days: [], at: '09:00'}", "J404", "at least 1"),
        ("{every: month, days: last, at: '09:00'}", "J100", "write days: [last]"),
        ("{every: week, weekdays: [], at: '09:00'}", "J404", "at least 1"),
        ("{every: week, weekdays: [mondey], at: '09:00'}", "J103", "did you mean “monday”"),
        (
            "{every: week, weekdays: [monday, mondey], at: '09:00'}",
            "J103",
            "“mondey” is not allowed for “weekdays”",
        ),
        ("{every: day, at: 540}", "J107", "write it in quotes"),
        ("{every: day, at: '09:00', zone: Europe/Pari}", "J106", "did you mean “Europe/Paris”"),
        ("{every: day, at: '09:00', times: 31}", "J100", "at most 30"),
        ("{every: day, at: '09:00', times: 0}", "J100", "at least 1"),
        ("{every: day, at: '09:00', times: '3'}", "J100", "a whole number was expected"),
        ("{every: day, at: '09:00', starts: 2026-12-02, ends: 2026-12-01}", "J107", "ends before it starts"),
        ("{once: '2026-12-01T09:00Z', zone: local}", "J107", "`once` has an offset"),
        ("{every: day, at: '09:00', zone: local, starts: '2026-12-01T09:00Z'}", "J107", "remove the offset"),
        ("{every: day, at: '09:00', zone: local, ends: '2026-12-01T09:00Z'}", "J107", "`ends` has an offset"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_meant_is_refused_with_what_to_write(
    written: str, code: str, words: str
) -> None:
    [said] = [one for one in refusals(written) if code in one]

    assert words in said, said


def test_a_window_without_an_occurrence_is_refused() -> None:
    tuesdays = "{every: week, weekdays: [tuesday], at: '09:00', starts: %s, ends: %s}"

    assert never_within(read(tuesdays % ("2026-12-02", "2026-12-08T09:00")))
    assert not never_within(read(tuesdays % ("2026-12-02", "2026-12-08T09:01")))
    assert not never_within(read("{every: day, at: '09:00', starts: 2026-12-02}"))
    assert not never_within(read("{event: signed_up, starts: 2026-12-02, ends: 2026-12-03}"))
    assert not never_within(
        read("{every: day, at: '09:00', starts: '2026-12-02T10:00Z', ends: '2026-12-02T11:00Z'}")
    )
    assert not never_within(
        read("{every: day, at: '09:00', starts: '2026-12-02T10:00', ends: '2026-12-02T11:00Z'}")
    )
    found = canvas_of(read(tuesdays % ("2026-12-02", "2026-12-08")))
    [problem] = [one for one in check(found, Places("c.yaml", 1)) if one.code == "J112"]
    assert "write a later end" in problem.hint
    assert {"J112", "J407", "J915", "J916"} <= CODES.keys()


# The instants ---------------------------------------------------------------------------------------------------


def some(schedule: str, count: int, launched: str = "2026-01-01", zone: str = "UTC") -> list[str]:
    found = instants(read(schedule), zone, at(launched), zone)
    return [one.isoformat()[:16] for one in islice(found, count)]


def test_a_day_that_a_month_lacks_is_its_last() -> None:
    """ENT-3, case 9: a monthly schedule on day 31 runs on 30 April."""
    assert some("{every: month, days: [31], at: '09:00'}", 4) == [
        "2026-01-31T09:00", "2026-02-28T09:00", "2026-03-31T09:00", "2026-04-30T09:00",
    ]  # fmt: skip
    assert some("{every: month, days: [30, last, 31, 29], at: '09:00'}", 4, "2028-02-01") == [
        "2028-02-29T09:00", "2028-03-29T09:00", "2028-03-30T09:00", "2028-03-31T09:00",
    ]  # fmt: skip


@pytest.mark.parametrize("company", ["UTC", "Asia/Kathmandu", "Pacific/Chatham"])
def test_at_launch_is_the_last_five_minutes_before_it(company: str) -> None:
    """ENT-4, case 10: saved at 08:31, run at 08:30, company time."""
    table = read("{at_launch: true}")
    launched = localized(datetime(2026, 3, 4, 8, 31, 59), company)

    [found] = occurrences(table, company, launched)

    assert found == ScheduledOccurrence(
        1, datetime(2026, 3, 4, 8, 30), localized(datetime(2026, 3, 4, 8, 30), company)
    )
    assert list(occurrences(table, company, launched, after=found.last)) == []


def test_a_launch_in_the_hour_that_comes_twice_is_the_hour_that_it_is() -> None:
    """ENT-4"""
    second = datetime(2026, 10, 25, 1, 31, tzinfo=UTC)  # 02:31 in Paris, for the second time

    [found] = occurrences(Schedule(at_launch=True), "Europe/Paris", second)

    assert found.at("Asia/Tokyo") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert found.wall == datetime(2026, 10, 25, 2, 30)


def test_what_is_past_at_the_launch_is_no_occurrence() -> None:
    """ENT-5"""
    once = read("{once: 2026-12-01T09:00}")

    assert [one.no for one in occurrences(once, "Europe/Paris", at("2026-12-01T08:00"))] == [1]
    assert list(occurrences(once, "Europe/Paris", at("2026-12-01T08:01"))) == []
    assert some("{every: day, at: '09:00'}", 1, "2026-12-01T09:00") == ["2026-12-01T09:00"]
    assert some("{every: day, at: '09:00'}", 1, "2026-12-01T09:01") == ["2026-12-02T09:00"]
    assert list(occurrences(read("{event: signed_up}"), "UTC", LAUNCH)) == []


def test_a_local_time_comes_in_each_zone_by_its_own_clock() -> None:
    """ENT-2, ENT-8: whose hour is past at the launch waits for the next occurrence."""
    table = read("{every: day, at: '09:00', zone: local, times: 2}")
    launched = at("2026-12-01T10:00")

    first, second = occurrences(table, "Europe/Paris", launched)

    assert (first.no, first.wall, first.instant) == (1, datetime(2026, 12, 1, 9), None)
    assert first.at("America/New_York") == at("2026-12-01T14:00")
    assert (second.first, second.last) == (at("2026-12-01T19:00"), at("2026-12-02T21:00"))
    assert list(instants(table, "Europe/Paris", launched, "America/New_York")) == [
        at("2026-12-01T14:00"), at("2026-12-02T14:00"),
    ]  # fmt: skip
    assert list(instants(table, "Europe/Paris", launched, "Asia/Tokyo")) == [at("2026-12-02T00:00")]
    assert by_instant(first, ["Asia/Tokyo", "Europe/Paris", "Asia/Seoul", "Asia/Tokyo"]) == [
        (at("2026-12-01T00:00"), ["Asia/Seoul", "Asia/Tokyo"]), (at("2026-12-01T08:00"), ["Europe/Paris"]),
    ]  # fmt: skip
    once = read("{once: 2026-12-01T09:00, zone: local}")
    assert [one.instant for one in occurrences(once, "Europe/Paris", launched)] == [None]


@pytest.mark.parametrize(
    "schedule", ["{once: 2026-12-01T09:00%s}", "{every: day, at: '09:00', times: 1, starts: 2026-12-01%s}"]
)
def test_by_the_clock_of_the_company_or_of_a_zone_it_is_one_instant_for_everybody(schedule: str) -> None:
    """ENT-2"""
    for zone, wanted in (("", "2026-12-01T08:00"), (", zone: Asia/Tokyo", "2026-12-01T00:00")):
        [found] = occurrences(read(schedule % zone), "Europe/Paris", LAUNCH)
        assert (found.no, found.wall) == (1, datetime(2026, 12, 1, 9))
        assert {found.at(each) for each in ("America/Lima", "Asia/Tokyo", "Europe/Paris")} == {at(wanted)}


def test_an_instant_with_an_offset_is_that_instant_in_the_hour_that_comes_twice_too() -> None:
    """ENT-10"""
    second = Schedule(once=datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1))))

    [found] = occurrences(second, "Europe/Paris", LAUNCH)

    assert found.at("Europe/Paris") == at("2026-10-25T01:30")
    assert localized(found.wall, "Europe/Paris") == at("2026-10-25T00:30")


def test_start_end_and_number_bound_a_schedule() -> None:
    """ENT-1: from the start on, before the end, and so many times, counted from the launch."""
    daily = "{every: day, at: '09:00', %s}"

    assert some(daily % "starts: 2026-12-01T09:00, ends: 2026-12-03T09:00", 9) == [
        "2026-12-01T09:00", "2026-12-02T09:00",
    ]  # fmt: skip
    assert some(daily % "starts: '2026-12-01T09:01Z', ends: '2026-12-03T09:01Z'", 9) == [
        "2026-12-02T09:00", "2026-12-03T09:00",
    ]  # fmt: skip
    assert some(daily % "starts: 2026-01-01, times: 2", 9, "2026-12-01") == [
        "2026-12-01T09:00", "2026-12-02T09:00",
    ]  # fmt: skip
    table = read(daily % "times: 4")
    later = list(occurrences(table, "UTC", LAUNCH, after=at("2026-01-02T09:00")))
    assert [(one.no, one.first) for one in later] == [
        (3, at("2026-01-03T09:00")),
        (4, at("2026-01-04T09:00")),
    ]
    assert list(instants(table, "UTC", LAUNCH, "UTC", after=at("2026-01-03T09:00"))) == [
        at("2026-01-04T09:00")
    ]


def test_a_schedule_ends_with_the_last_year() -> None:
    for written in ("{every: day, at: '09:00'}", "{every: month, days: [last], at: '09:00'}"):
        assert some(written, 9, "2199-12-30T10:00") == ["2199-12-31T09:00"]
        assert some(written, 9, "2200-01-04T10:00") == []


# Every change of the clock --------------------------------------------------------------------------------------

CHANGES = {
    "Australia/Lord_Howe": 2026, "Asia/Kathmandu": 1986, "Pacific/Apia": 2011, "Africa/Casablanca": 2026,
    "America/Sao_Paulo": 2018, "Antarctica/Troll": 2026, "Europe/Paris": 2026, "Europe/Dublin": 2026,
    "America/New_York": 2026, "America/Havana": 2026, "Africa/Cairo": 2026, "Asia/Beirut": 2026, "Asia/Tehran": 2022,
    "Pacific/Chatham": 2026, "America/Scoresbysund": 2024, "America/Nuuk": 2023, "Asia/Gaza": 2026,
    "Pacific/Kwajalein": 1993, "Pacific/Kiritimati": 1994, "Asia/Pyongyang": 2018, "America/Caracas": 2016,
    "Europe/Volgograd": 2020, "Asia/Kolkata": 2026,
}  # fmt: skip
"""Zones, each with a year of changes: of half an hour, of two hours, at midnight, twice within a month, of a whole day."""

CLOCKS = [time(0), time(0, 15), time(0, 30), time(1), time(1, 30), time(2), time(2, 15), time(2, 30), time(2, 45),
          time(3), time(9), time(22, 30), time(23), time(23, 45)]  # fmt: skip


@lru_cache(maxsize=64)
def readings(zone: str, year: int) -> tuple[list[datetime], list[datetime]]:
    """The latest time that a clock of the zone has shown, by quarters of an hour from before the year to after it."""
    shown, when = [], []
    latest, now = datetime(1, 1, 1), datetime(year - 1, 12, 28, tzinfo=UTC)
    tz = ZoneInfo(zone)
    while now < datetime(year + 1, 1, 5, tzinfo=UTC):
        latest = max(latest, now.astimezone(tz).replace(tzinfo=None))
        shown.append(latest)
        when.append(now)
        now += timedelta(minutes=15)
    return shown, when


def expected(walls: Iterator[datetime], zone: str, year: int) -> list[datetime]:
    """The first instants at which a clock of the zone shows these times, or has passed them; each once (ENT-10)."""
    shown, when = readings(zone, year)
    return list(dict.fromkeys(when[bisect_left(shown, wall)] for wall in walls))


def days_of(year: int) -> Iterator[date]:
    return (
        date(year, 1, 1) + timedelta(days=each)
        for each in range(366 if monthrange(year, 2)[1] == 29 else 365)
    )


SCHEDULES: dict[str, tuple[dict[str, Any], Any]] = {
    "every day": ({"every": "day"}, lambda _: True),
    "every sunday": ({"every": "week", "weekdays": ["sunday"]}, lambda day: day.weekday() == 6),
    "weekends and fridays": (
        {"every": "week", "weekdays": ["friday", "sunday", "saturday"]}, lambda day: day.weekday() >= 4,
    ),
    "every month": (
        {"every": "month", "days": ["last", 25, 8, 29, 31]},
        lambda day: day.day in (8, 25, 29, 31, monthrange(day.year, day.month)[1]),
    ),
    "the thirty-first": (
        {"every": "month", "days": [31]}, lambda day: day.day == monthrange(day.year, day.month)[1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_repeated_schedule_keeps_to_the_clock_through_a_year_of_changes(zone: str, kind: str) -> None:
    """ENT-10, ENT-1: nobody is let in twice or not at all; by the clock of the company, of a zone, of each person."""
    year, (words, chosen) = CHANGES[zone], SCHEDULES[kind]
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    launched = datetime(year - 1, 12, 20, tzinfo=UTC)
    for clock in CLOCKS:
        walls = (datetime.combine(day, clock) for day in days_of(year) if chosen(day))
        wanted = expected(walls, zone, year)
        for whose, company in (("company", zone), (zone, "UTC"), ("local", "Asia/Tokyo")):
            table = Schedule(**words, at=clock, zone=whose, starts=begin, ends=end)
            found = list(instants(table, company, launched, zone))

            assert found == wanted, (clock, whose)


def jumps_of(zone: str) -> list[datetime]:
    """What the clock of a zone shows right before each of its changes of the year."""
    shown, _ = readings(zone, CHANGES[zone])
    jumps = [wall for (wall, after) in pairwise(shown) if after - wall != timedelta(minutes=15)]
    assert len(jumps) >= (0 if zone == "Asia/Kolkata" else 1)
    return jumps


@pytest.mark.parametrize("zone", CHANGES)
def test_a_start_an_end_and_a_number_count_by_the_clock_through_a_year_of_changes(zone: str) -> None:
    """ENT-1, ENT-10: bounds at, right before and right after each change; of each kind, by whichever clock."""
    year = CHANGES[zone]
    last = datetime(year + 1, 1, 4)
    beyond = localized(last, zone)
    for jump in jumps_of(zone) or [datetime(year, 3, 1)]:
        launched = jump.replace(tzinfo=UTC) - timedelta(days=30)
        for (words, chosen), quarters in product(SCHEDULES.values(), (-1, 0, 1, 4, 5)):
            starts = jump + timedelta(minutes=15 * quarters)
            for clock, ends, times in (
                (starts.time(), None, 3),
                (jump.time(), min(starts + timedelta(days=70), last), None),
                (time(2, 30), min(starts + timedelta(days=40), last), 2),
            ):
                days = (starts.date() + timedelta(days=each) for each in range(125))
                walls = [datetime.combine(day, clock) for day in days if chosen(day)]
                walls = [wall for wall in walls if starts <= wall < (ends or last)]
                for whose, company in (("company", zone), (zone, "UTC"), ("local", "Asia/Tokyo")):
                    table = Schedule(**words, at=clock, zone=whose, starts=starts, ends=ends, times=times)
                    if whose == "local":  # an occurrence that one zone lacks is one of the others
                        wanted = expected(iter(walls[:times]), zone, year)
                    else:
                        wanted = expected(iter(walls), zone, year)[:times]

                    found = list(
                        takewhile(lambda one: one < beyond, instants(table, company, launched, zone))
                    )
                    assert found == wanted, (starts, clock, whose)


@pytest.mark.parametrize("zone", CHANGES)
def test_a_launch_is_the_five_minutes_before_it_at_every_change_of_the_clock(zone: str) -> None:
    """ENT-4, ENT-10: it is an instant, in the hour that comes twice and right after the one that is skipped too."""
    shown, when = readings(zone, CHANGES[zone])
    table = Schedule(at_launch=True)
    for jump in jumps_of(zone):
        change = when[bisect_left(shown, jump)]
        for minutes in range(-130, 131, 7):
            grid = change + timedelta(minutes=minutes // 5 * 5)
            launched = change + timedelta(minutes=minutes, seconds=59)

            assert list(instants(table, zone, launched, "Asia/Tokyo")) == [grid], launched


@pytest.mark.parametrize("zone", CHANGES)
def test_a_single_time_keeps_to_the_clock_through_a_year_of_changes(zone: str) -> None:
    """ENT-10"""
    year = CHANGES[zone]
    shown, when = readings(zone, year)
    jumps = jumps_of(zone)
    for jump in jumps:
        for quarters in range(-8, 108):
            wall = jump + timedelta(minutes=15 * quarters)
            wanted = [when[bisect_left(shown, wall)]]
            for whose in (zone, "local", "company"):
                table = Schedule(once=wall, zone=whose)
                launched = datetime(year - 1, 12, 20, tzinfo=UTC)

                assert list(instants(table, zone, launched, zone)) == wanted, (wall, whose)


def test_a_skipped_time_is_the_first_after_it_and_a_doubled_one_the_first_of_the_two() -> None:
    """ENT-10, cases 14 and 15."""
    paris = "{every: day, at: '%s', zone: local}"

    assert some(paris % "02:30", 3, "2026-03-28", "Europe/Paris") == [
        "2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30",
    ]  # fmt: skip
    assert some(paris % "02:30", 3, "2026-10-24", "Europe/Paris") == [
        "2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30",
    ]  # fmt: skip


def test_a_day_that_a_zone_skipped_is_not_run_twice_at_the_end_of_it() -> None:
    """ENT-10: Samoa had no 30 December 2011."""
    apia = "{every: day, at: '%s', zone: Pacific/Apia}"

    assert some(apia % "09:00", 3, "2011-12-29T18:00") == [
        "2011-12-29T19:00",
        "2011-12-30T10:00",
        "2011-12-30T19:00",
    ]
    assert some(apia % "00:00", 3, "2011-12-29T09:00") == [
        "2011-12-29T10:00",
        "2011-12-30T10:00",
        "2011-12-31T10:00",
    ]
    table = read("{every: day, at: '00:00', zone: Pacific/Apia, times: 2}")
    assert [one.no for one in occurrences(table, "UTC", at("2011-12-29T11:00"))] == [1, 2]


zones = st.sampled_from(sorted(available_timezones()))
clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
repeated = st.one_of(
    st.builds(Schedule, every=st.just("day"), at=clocks),
    st.builds(
        Schedule,
        every=st.just("week"),
        weekdays=st.lists(st.sampled_from(get_args(Weekday)), min_size=1, unique=True),
        at=clocks,
    ),
    st.builds(
        Schedule,
        every=st.just("month"),
        days=st.lists(st.integers(1, 31) | st.just("last"), min_size=1, max_size=5),
        at=clocks,
    ),
)
"""Schedules that repeat, by the company's clock."""


def periods(table: Schedule, first: date, last: date) -> Iterator[date]:
    """The days of the calendar that a schedule names."""
    for day in takewhile(lambda day: day <= last, (first + timedelta(days=each) for each in range(100_000))):
        length = monthrange(day.year, day.month)[1]
        named = {"day": True, "week": WEEKDAYS[day.weekday()] in (table.weekdays or ())}
        if named.get(
            str(table.every),
            day.day in {length if one == "last" else min(one, length) for one in table.days or ()},
        ):
            yield day


@settings(max_examples=examples(300))
@given(repeated, zones, st.datetimes(datetime(1971, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC)))
def test_each_day_that_a_schedule_names_has_one_instant_at_its_time(
    table: Schedule, zone: str, launched: datetime
) -> None:
    """ENT-10: strictly increasing; the clock shows the time that was asked for, or has just skipped it."""
    found = list(islice(occurrences(table, zone, launched), 40))

    assert [one.no for one in found] == list(range(1, 41))
    assert all(one.last < after.first for one, after in pairwise(found))
    assert found[0].last >= launched
    for one in found:
        wall = wall_of(one.last, zone)
        skipped = wall_of(one.last - timedelta(seconds=1), zone) < one.wall < wall
        assert wall == one.wall or skipped
    days = list(periods(table, found[0].wall.date(), found[-1].wall.date()))
    named = [one.wall.date() for one in found]
    assert set(named) <= set(days) and len(named) == len(set(named))
    for missing in set(days) - set(named):  # a day that the zone does not have
        assert localized(datetime.combine(missing, time(23, 59)), zone) == localized(
            datetime.combine(missing, time(0)), zone
        )
    before = wall_of(launched, zone) - timedelta(days=62)
    earlier = [day for day in periods(table, before.date(), named[0]) if day < named[0]]
    assert all(localized(datetime.combine(day, table.at or time(0)), zone) < launched for day in earlier)


@settings(max_examples=examples(100))
@given(
    repeated, zones, zones, st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
)
def test_a_local_schedule_is_in_each_zone_what_it_is_for_a_company_there(
    table: Schedule, zone: str, company: str, launched: datetime
) -> None:
    """ENT-2"""
    local = table.model_copy(update={"zone": "local"})

    here = list(islice(instants(local, company, launched, zone), 20))
    assert here == list(islice(instants(table, zone, launched, zone), 20))
    for one in islice(occurrences(local, company, launched), 20):
        assert one.first <= one.at(zone) <= one.last


def test_the_schema_of_a_day_of_a_month_says_what_may_stand_there() -> None:
    days = TypeAdapter(Schedule).json_schema()["properties"]["days"]

    assert {"const": "last"} in days["anyOf"][0]["items"]["anyOf"]


# From one to the next -------------------------------------------------------------------------------------------

WALKED = [
    '{every: day, at: "02:30", zone: Europe/Paris}',
    '{every: day, at: "23:59", zone: local, starts: 2026-02-01T00:00}',
    '{every: day, at: "12:00", zone: Pacific/Apia}',
    '{every: week, weekdays: [sunday, tuesday], at: "00:00", times: 20}',
    '{every: month, days: [30, 31, last], at: "09:00", ends: 2027-06-01T00:00}',
    "{once: 2026-05-01T09:00}",
    "{at_launch: true}",
]


@pytest.mark.parametrize("schedule", WALKED)
@pytest.mark.parametrize("launched", [LAUNCH, datetime(2011, 12, 20, 7, 31, tzinfo=UTC)])
def test_from_one_occurrence_to_the_next_is_the_way_from_the_first(schedule: str, launched: datetime) -> None:
    """ENT-1, ENT-10: the same occurrences with the same numbers, also over a day that a zone skipped (Apia, 2011)."""
    table = read(schedule)
    walked = list(islice(occurrences(table, "Europe/Paris", launched), 40))
    for one, later in pairwise([*walked, None]):
        assert one is not None
        if later is not None or not table.every or len(walked) < 40:
            assert next(occurrences(table, "Europe/Paris", launched, since=one), None) == later
        assert once_more(table, "Europe/Paris", launched, one) == one


def test_the_next_occurrence_takes_no_longer_however_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule may go on for ever."""
    read_clocks: list[str] = []

    def counting(wall: datetime, zone: str) -> datetime:
        read_clocks.append(zone)
        return localized(wall, zone)

    monkeypatch.setattr(module, "localized", counting)
    before = ScheduledOccurrence(30_000, datetime(2090, 1, 1, 10), at("2090-01-01T09:00"))
    found = next(occurrences(read('{every: day, at: "10:00"}'), "Europe/Paris", LAUNCH, since=before))
    assert (found.no, found.wall, len(read_clocks)) == (30_001, datetime(2090, 1, 2, 10), 1)


def test_a_planned_occurrence_that_is_none_any_more_is_none() -> None:
    planned = ScheduledOccurrence(3, datetime(2026, 5, 1, 10))
    assert (
        once_more(read('{every: day, at: "10:00", ends: 2026-04-01T00:00}'), "UTC", LAUNCH, planned) is None
    )
    assert once_more(read("{once: 2026-05-01T10:00}"), "UTC", LAUNCH, planned) is None
    moved = once_more(read('{every: day, at: "10:00"}'), "Asia/Tokyo", LAUNCH, planned)
    assert moved == ScheduledOccurrence(3, planned.wall, at("2026-05-01T01:00"))
