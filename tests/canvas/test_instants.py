"""Instants and spans have bounds, and nothing overflows, whatever is written, stored or heard."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any, get_args
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from journeys.canvas.canvas import Canvas, Reentry, Schedule
from journeys.canvas.filter_builders import attribute, event
from journeys.canvas.filters import BucketFilter, Filter
from journeys.canvas.plan import compile
from journeys.canvas.steps import ActionPaths, Delay, Message
from journeys.canvas.steps.action_paths import ActionPath
from journeys.canvas.times import Instant, Weekday, span
from journeys.canvas.wall_clock import (
    EARLIEST,
    LATEST,
    at_time,
    localized,
    next_weekday,
    on_or_after,
    plus,
    utc,
    wall_of,
)
from journeys.engine.audience.operators import holds
from journeys.engine.core.simulate import simulate

FIRST, LAST = (each.replace(tzinfo=UTC) for each in (datetime.min, datetime.max))  # noqa: DTZ901
walls = st.datetimes()
instants = st.datetimes(timezones=st.just(UTC)) | st.sampled_from([FIRST, LAST])
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
zones = st.sampled_from(sorted(available_timezones()))
clocks = st.times()
weekdays = st.lists(st.sampled_from(get_args(Weekday)), min_size=1, unique=True)
spans = st.timedeltas()
ON_TIMES = ("before", "after", "between", "within_last", "within_next", "more_than", "at_most")


def refusals(adapted: Any, value: Any) -> list[tuple[str, tuple[Any, ...]]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(adapted).validate_python(value)
    return [(one["type"], one.get("ctx", {}).get("at", ())) for one in caught.value.errors()]


@given(walls, instants, zones, clocks, st.integers(0, 800), weekdays, st.booleans())
def test_no_wall_clock_overflows(
    wall: datetime, at: datetime, zone: str, clock: time, days: int, chosen: Any, skip: bool
) -> None:
    for found in (
        localized(wall, zone),
        on_or_after(at, clock, zone),
        at_time(at, days, clock, zone),
        next_weekday(at, chosen, clock, zone, skip_today=skip),
    ):
        assert EARLIEST <= found <= LATEST
    assert wall_of(at, zone).tzinfo is None


@given(instants, spans, offsets)
def test_what_would_pass_the_ends_of_the_calendar_stays_at_them(
    at: datetime, much: timedelta, offset: timezone
) -> None:
    found = plus(at, much)

    assert EARLIEST <= found <= LATEST
    if EARLIEST <= at <= LATEST and EARLIEST - at <= much <= LATEST - at:
        assert found == at + much
    assert EARLIEST <= utc(at.replace(tzinfo=offset)) <= LATEST


texts_of_time = st.one_of(
    st.datetimes(timezones=offsets | st.just(UTC) | st.none()).map(lambda at: at.isoformat()),
    st.sampled_from(
        ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-13-40", "no time at all"]
    ),
    st.text(),
)


@given(st.sampled_from(ON_TIMES), texts_of_time, texts_of_time, spans, instants)
def test_no_filter_on_times_overflows(
    operator: str, value: str, operand: str, much: timedelta, now: datetime
) -> None:
    wanted: Any = (
        much if operator.startswith("within") else (operand, operand) if operator == "between" else operand
    )

    assert holds(operator, [value], wanted, now) in (True, False)


@pytest.mark.parametrize("starts", [FIRST, datetime(2199, 12, 31, 23, 59, tzinfo=UTC), LAST])
def test_a_canvas_runs_at_the_ends_of_the_calendar(starts: datetime) -> None:
    """DLY-7: who comes to an instant after it leaves; the others go through, however late it is."""
    canvas = Canvas(
        name="late",
        schedule=Schedule(event="x"),
        steps=(
            Delay(id="a", until="2199-12-31T23:59", zone="Pacific/Pago_Pago"),
            Delay(id="b", duration=timedelta(days=700), at="09:00", zone="Asia/Tokyo"),
            ActionPaths(
                id="c", within=timedelta(days=31), paths=(ActionPath(name="p", triggers=(event("y"),)),)
            ),
            Message(id="d", channel="email", template="t", on_fail="exit"),
        ),
    )
    report = simulate(compile(canvas), 5, starts=starts)

    assert sum(report.ended.values()) == 5
    assert set(report.ended) == ({"delay_passed"} if starts == LAST else {"completed"})


@pytest.mark.parametrize("written", [
    "9999-12-31T23:59", "0001-01-01T00:00", "1969-12-31", "2200-01-01", "9999-12-31T23:59-23:59", LAST,
])  # fmt: skip
def test_an_instant_whose_year_is_out_of_bounds_is_refused_where_it_is_written(written: Any) -> None:
    assert refusals(Instant, written) == [("J405", ())]
    for where in ("starts", "ends"):
        with pytest.raises(ValidationError, match="out of bounds"):
            Schedule(**{"event": "x", where: written})


@pytest.mark.parametrize(("condition", "code"), [
    ({"before": "9999-12-31T23:59:59-05:00"}, "J405"), ({"after": "3001-01-01"}, "J405"),
    ({"between": ["2026-01-01", "3001-01-01"]}, "J405"), ({"before": "tomorrow"}, "J107"), ({"after": 5}, "J107"),
    ({"within_last": "36526 days"}, "J403"), ({"within_next": "999999999 weeks"}, "J403"),
])  # fmt: skip
def test_a_filter_with_a_time_that_no_attribute_can_have_is_refused(condition: Any, code: str) -> None:
    """ATT-6: years go to 3000."""
    operator = next(iter(condition))
    [(found, at)] = refusals(Filter, {"attribute": "a", **condition})

    assert found == code
    assert at == (() if code == "J403" else (operator,))


def test_filters_with_times_take_dates_instants_and_what_is_read_from_elsewhere() -> None:
    born = datetime(1950, 1, 1)
    assert attribute("a").before(born.date()).operand == "1950-01-01"
    assert attribute("a").after(born).operand == "1950-01-01T00:00:00"
    assert attribute("a").before({"context": "b"}).operand.context == "b"
    assert attribute("a").between(1, "x").operand == (1, "x")


@pytest.mark.parametrize(
    "written", ["999999999 weeks", "P999999W", "36526 days", timedelta.max, timedelta.min]
)
def test_a_span_is_at_most_a_hundred_years(written: Any) -> None:
    with pytest.raises(ValueError, match="too long"):
        span(written)
    assert span("36525 days") == timedelta(days=36_525)


@pytest.mark.parametrize("days", [731, 10**9, 10**30])
def test_calendar_days_have_a_bound(days: int) -> None:
    """X6"""
    assert refusals(Delay, {"id": "d", "calendar_days": days}) == [("J403", ("calendar_days",))]


def test_a_re_entry_at_once_is_allowed_and_one_before_the_entry_is_not() -> None:
    """CTL-2"""
    assert Reentry(after="0 days").after == timedelta(0)
    assert refusals(Reentry, {"after": "-P1D"}) == [("J107", ())]


def test_a_bucket_goes_up() -> None:
    """IDN-10"""
    assert refusals(Filter, {"bucket": [5000, 4]}) == [("J100", ("bucket",))]
    assert BucketFilter(bucket=(4, 4)).bucket == (4, 4)
