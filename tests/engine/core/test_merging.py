"""What becomes of two people who are one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.engine.core.merging import (
    COLUMNS,
    UNFORMATTED,
    Candidate,
    Values,
    declined,
    meant,
    merged_values,
    wrong_priorities,
)

NONE = dict.fromkeys(COLUMNS)
VALUES = st.none() | st.sampled_from(["a", "b", "c"])
PEOPLE = st.builds(
    Values,
    st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES)),
    st.dictionaries(st.sampled_from(["gender", "dob", "home_city"]), st.sampled_from(["a", "b"])),
    st.dictionaries(st.sampled_from("abcdef"), st.integers()),
    st.integers(0, 9999),
)


def person(custom: dict[str, Any] | None = None, bucket: int = 7, **more: Any) -> Values:
    """A person with these values, by the names of their attributes."""
    columns = {name: more.pop(name, None) for name in COLUMNS}
    return Values(columns, more, custom or {}, bucket)


@given(kept=PEOPLE, gone=PEOPLE)
def test_who_stays_keeps_what_they_have_and_gets_what_they_have_not(kept: Values, gone: Values) -> None:
    """IDN-14, IDN-10, A6: whatever fields either has."""
    one = merged_values(kept, gone)

    for name in COLUMNS:
        assert one.columns[name] == (gone.columns[name] if kept.columns[name] is None else kept.columns[name])
    assert one.standard == {**gone.standard, **kept.standard}
    assert one.custom == {**gone.custom, **kept.custom}
    assert list(one.custom)[: len(kept.custom)] == list(kept.custom)
    assert one.bucket == kept.bucket
    assert merged_values(one, gone) == one, "twice is once"


@pytest.mark.parametrize(
    ("name", "kept", "gone", "one"),
    [
        ("date_of_first_session", "2026-01-02", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("date_of_first_session", "2026-01-02", "2026-01-03", "2026-01-02"),
        ("date_of_last_session", "2026-01-02", "2026-01-03", "2026-01-03"),
        ("date_of_last_session", "2026-01-02", "2026-01-02", "2026-01-02"),
        ("date_of_last_session", "never", "2026-01-03", "never"),
        ("marked_email_as_spam_at", "2026-02-01", "2026-01-01", "2026-02-01"),
        ("push_tokens", [{"token": "a"}], [{"token": "b"}, {"token": "a"}], [{"token": "a"}, {"token": "b"}]),
        ("push_tokens", {"token": "a"}, [{"token": "b"}], {"token": "a"}),
        ("gender", "F", "M", "F"),
        ("gender", None, "M", "M"),
        ("gender", "F", None, "F"),
    ],
)
def test_the_first_session_is_the_earlier_one_the_last_the_later_and_tokens_are_united(
    name: str, kept: Any, gone: Any, one: Any
) -> None:
    """IDN-14"""
    found = merged_values(person(**{name: kept}), person(**{name: gone}))
    assert found.standard[name] == one


@pytest.mark.parametrize(
    ("kept", "gone", "phone", "raw"),
    [
        ({"phone": "+491"}, {UNFORMATTED: "12"}, "+491", None),
        ({"phone": "+491"}, {"phone": "+492"}, "+491", None),
        ({UNFORMATTED: "12"}, {"phone": "+492"}, None, "12"),
        ({}, {"phone": "+492"}, "+492", None),
        ({}, {UNFORMATTED: "12"}, None, "12"),
        ({}, {"phone": "+492", UNFORMATTED: "12"}, "+492", None),
    ],
)
def test_a_person_has_one_number_of_either_form(
    kept: dict[str, str], gone: dict[str, str], phone: str | None, raw: str | None
) -> None:
    """IDN-14, IDN-8"""
    one = merged_values(person(**kept), person(**gone))
    assert (one.columns["phone"], one.standard.get(UNFORMATTED)) == (phone, raw)


def test_two_with_numbers_that_cannot_be_and_whoever_is_held_out_stay_two() -> None:
    """IDN-16"""
    mel, zoe = person(**{UNFORMATTED: "1"}), person(**{UNFORMATTED: "2"}, bucket=8)
    assert declined(mel, zoe, ()) == "both_phones_invalid"
    assert declined(mel, person(), ()) is None
    assert declined(person(), person(bucket=8), {8}) == declined(person(bucket=8), person(), {8})
    assert declined(person(), person(bucket=8), {8}) == "global_control_group"
    assert declined(person(), person(), {8}) is None


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


MEL, ZOE, ANN = Candidate("mel", True, at(1)), Candidate("zoe", True, at(2)), Candidate("ann", False, at(3))


@pytest.mark.parametrize(
    ("priorities", "who"),
    [
        ([], None),
        (["identified"], None),
        (["unidentified"], "ann"),
        (["identified", "most_recently_updated"], "zoe"),
        (["identified", "least_recently_updated"], "mel"),
        (["most_recently_updated"], "ann"),
        (["most_recently_updated", "identified"], None),
        (["unidentified", "least_recently_updated"], "ann"),
    ],
)
def test_each_priority_narrows_down_and_nobody_is_meant_unless_one_is_left(
    priorities: Any, who: str | None
) -> None:
    """IDN-28"""
    assert meant([MEL, ZOE, ANN], priorities) == who


def test_of_two_that_were_changed_at_the_same_instant_nobody_is_meant() -> None:
    """IDN-28"""
    twin = Candidate("twin", True, at(2))
    assert meant([MEL, ZOE, twin], ["most_recently_updated"]) is None
    assert meant([], ["most_recently_updated"]) is None


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (None, True),
        ([], True),
        (["identified", "most_recently_updated"], True),
        (["identified", "unidentified"], False),
        (["newest"], False),
        ([{}], False),
        ("identified", False),
    ],
)
def test_priorities_are_of_four_words_and_not_of_two_that_exclude_each_other(given: Any, right: bool) -> None:
    """IDN-28"""
    assert (wrong_priorities(given) is None) == right
