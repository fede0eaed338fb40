"""Which filter keeps somebody out of an audience, and what it saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from journeys.canvas.events_and_commands import Occurrence
from journeys.canvas.filters import Filter
from journeys.engine.audience.kept_out import LONGEST, Judged, kept_out, looked_up
from journeys.engine.audience.match import Person, Said, matches
from journeys.engine.audience.tallies import Tally

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
READ: TypeAdapter[Any] = TypeAdapter(Filter)
RUNS = {"attribute": "sport", "equals": "running"}
OLD = {"attribute": "age", "at_least": 18}
SEGMENTS = {"runners": READ.validate_python({"all": [OLD, RUNS]})}


def did(no: int, kind: Any, name: str, days: int, **properties: Any) -> Occurrence:
    return Occurrence(no=no, kind=kind, name=name, at=NOW - timedelta(days=days), properties=properties)


DONE = [
    did(1, "event", "liked", 9, category="running"),
    did(2, "event", "liked", 3, category="chess"),
    did(3, "purchase", "shoes", 5),
    did(4, "message", "opened", 2, step="hello", canvas="story"),
]
MEL = Person(
    "mel",
    bucket=77,
    standard={"language": "nl"},
    custom={"sport": "chess", "age": 20, "sizes": [{"n": 1}, {"n": 2}], "long": "x" * 900},
    history={(each.kind, each.name): [one for one in DONE if one.name == each.name] for each in DONE},
    consents={"email": "unsubscribed"},
    subscriptions={"news": Said("email", "subscribed")},
)

CASES: list[tuple[dict[str, Any], str, Any]] = [
    (RUNS, "sport = running", "chess"),
    ({"attribute": "shoe", "exists": True}, "shoe exists true", None),
    ({"attribute": "sizes[].n", "equals": 3}, "sizes[].n = 3", [1, 2]),
    ({"context": "x", "equals": 1}, "context x = 1", None),
    ({"consent": "email", "equals": "opted_in"}, "consent email = opted_in", "unsubscribed"),
    ({"subscription": "news", "equals": "subscribed"}, "subscription news = subscribed", "unsubscribed"),
    ({"bucket": [100, 200]}, "bucket 100, 200", 77),
    ({"event": "signed_up"}, "event signed_up", {"times": 0}),
    (
        {"event": "liked", "times": {"at_least": 3}},
        "event liked ≥ 3 times",
        {"times": 2, "last": NOW - timedelta(days=3)},
    ),
    (
        {"event": "liked", "where": [{"property": "category", "equals": "running"}], "times": {"more_than": 1}},
        "event liked where category = running > 1 times",
        {"times": 1, "last": NOW - timedelta(days=9)},
    ),
    (
        {"purchase": True, "within_last": "1 day"},
        "any purchase within the last 1 day",
        {"times": 0},
    ),
    ({"message": "opened", "step": "bye"}, "message opened of step bye", {"times": 0}),
    ({"segment": "nobody"}, "segment nobody", "there is no such segment"),
    ({"all": [OLD, RUNS, {"attribute": "x", "equals": 1}]}, "sport = running", "chess"),
    ({"any": [RUNS]}, "sport = running", "chess"),
    (
        {"any": [RUNS, {"attribute": "age", "equals": 3}]},
        "sport = running or age = 3",
        {"sport = running": "chess", "age = 3": 20},
    ),
    ({"none": [RUNS, OLD]}, "not (age ≥ 18)", 20),
    (
        {"none": [{"any": [RUNS, {"message": "opened"}]}]},
        "not (message opened)",
        {"last": NOW - timedelta(days=2)},
    ),
    ({"none": [{"all": [OLD, {"attribute": "sport", "equals": "chess"}]}]},
     "not (age ≥ 18 and sport = chess)", {"age ≥ 18": 20, "sport = chess": "chess"}),
    ({"none": [{"none": [RUNS, {"bucket": [0, 1]}]}]},
     "not (not sport = running nor bucket 0, 1)", {"sport = running": "chess", "bucket 0, 1": 77}),
    ({"none": [{"none": [RUNS]}]}, "sport = running", "chess"),
]  # fmt: skip


@pytest.mark.parametrize(("audience", "words", "saw"), CASES, ids=[words for _, words, _ in CASES])
def test_the_innermost_filter_that_decides_it_is_told_with_what_it_saw(
    audience: dict[str, Any], words: str, saw: Any
) -> None:
    what = READ.validate_python(audience)
    assert not matches(what, MEL, now=NOW, segments=SEGMENTS, canvas="story")

    assert kept_out(what, MEL, now=NOW, segments=SEGMENTS, canvas="story") == {"filter": words, "saw": saw}


def test_a_filter_of_a_segment_is_told_with_the_segment() -> None:
    said = kept_out(READ.validate_python({"segment": "runners"}), MEL, now=NOW, segments=SEGMENTS)
    both = READ.validate_python({"any": [{"segment": "runners"}, {"bucket": [0, 1]}, {"segment": "ghosts"}]})

    assert said == {"filter": "sport = running", "saw": "chess", "segment": "runners"}
    assert kept_out(both, MEL, now=NOW, segments=SEGMENTS)["saw"] == {
        "segment runners": {"age ≥ 18": 20, "sport = running": "chess"},
        "bucket 0, 1": 77,
        "segment ghosts": "there is no such segment",
    }


def test_of_a_long_value_the_beginning_is_kept() -> None:
    said = kept_out(READ.validate_python({"attribute": "long", "equals": "y"}), MEL, now=NOW)
    assert said["saw"] == "x" * LONGEST + "…"


def test_a_person_is_held_against_each_filter_of_an_audience_with_what_it_sees() -> None:
    """AUD-6: down to the filters of a segment; one that there is not holds of nobody."""
    audience = READ.validate_python(
        {
            "all": [
                {"segment": "runners"},
                {"any": [{"bucket": [70, 80]}, {"event": "signed_up"}]},
                {
                    "none": [
                        {"consent": "email", "equals": "unsubscribed"},
                        {"segment": "gone"},
                    ]
                },
            ]
        }
    )

    assert looked_up(audience, MEL, now=NOW, segments=SEGMENTS) == Judged(
        "all of these",
        holds=False,
        parts=(
            Judged(
                "segment runners",
                holds=False,
                parts=(
                    Judged(
                        "all of these",
                        holds=False,
                        parts=(Judged("age ≥ 18", True, 20), Judged("sport = running", False, "chess")),
                    ),
                ),
            ),
            Judged(
                "any of these",
                holds=True,
                parts=(Judged("bucket 70, 80", True, 77), Judged("event signed_up", False, {"times": 0})),
            ),
            Judged(
                "none of these",
                holds=False,
                parts=(
                    Judged("consent email = unsubscribed", True, "unsubscribed"),
                    Judged("segment gone", False, "there is no such segment"),
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("tally", "saw"), [(Tally(7, NOW), {"times": 7, "last": NOW}), (Tally(7), {"times": 7})]
)
def test_what_is_counted_on_arrival_is_what_a_filter_saw(tally: Tally, saw: dict[str, Any]) -> None:
    """EVT-3: with the last instant, where it is known."""
    what = READ.validate_python({"event": "liked", "times": {"at_least": 9}})
    mel = Person("mel", tallies={("event", "liked"): tally})

    assert looked_up(what, mel, now=NOW).saw == saw
