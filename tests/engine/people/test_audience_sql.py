"""People are found in SQL just where `matches` says so; where SQL cannot say it, nobody who matches is left out."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from journeys.canvas.conditions import OPERATORS
from journeys.canvas.filters import Filter
from journeys.engine.audience.match import matches
from journeys.engine.entries.audience_reading import matching as who_match
from journeys.engine.people.audience_sql import MOST_PARTS, to_sql
from journeys.engine.people.profiles import load
from journeys.engine.people.standard_attributes import COLUMNS, STANDARD, apply, faults
from journeys.engine.store import Database
from tests.stage import MONDAY, Stage, canvas, stage_on
from tests.strategies import examples

FILTER: TypeAdapter[Any] = TypeAdapter(Filter)
DEFINITIONS = (
    canvas("  - {type: delay, id: w, duration: 1 day}")
    + "---\nkind: segment\nformat: 1\nname: rich\nwhen: {any: [{attribute: a, more_than: 1}, {event: bought, times: {at_least: 2}}]}\n"
    + "---\nkind: segment\nformat: 1\nname: poor\nwhen: {none: [{segment: rich}, {attribute: a, matches: g.ld}]}\n"
)

VALUES: list[Any] = [
    None, True, False, 0, 1, -5, 2.5, 1e300, 2**53, 2**53 + 1, float(2**53), 1234567890123456768, 1.2345678901234568e18,
    "", "gold", "Gold", "GOLD tier", "running", "5", "5.0", "Mon", "Mon 1", "a\nb", "x%_\\", "quoted ' \" {0} «0» $1",
    "2026-12-07", "2026-12-07T09:00", "2026-12-07T09:00:00Z", "2026-12-07 09:00:00.123456+05:45", "2026-12-06T09:00:00+00:00",
    "20261207T090000", "2026-W50-1", "12/07/2026", "Mon 12 07 09:00:00 2026", "2026-02-29", "2024-02-29", "2026-02-30",
    "2026-12-07T24:00", " 2026-12-07 ", "2026-12-07\n", "gold\n", "0999-01-01", "2999-12-31T23:59:59.999999Z", "3001-01-01",
    "Straße", "STRASSE", "İstanbul", "istanbul", "\u212aelvin", "kelvin", "ſun", "sun", "ΑΣ", "ας", "naïve", "é", "😀 gold",
    "g" * 254 + "old", "x" * 300, [], [1, "gold"], [None], ["2026-12-07"], [[1]], [True], [2**53 + 1], ["gold", None], {},
    {"tier": "gold"}, {"tier": ["gold", "b", 1]}, {"tier": None}, {"tier": {"tier": "gold"}}, {"0": "gold"},
    [{"tier": "gold"}, {"tier": 5}, {}, 3], [[{"tier": "gold"}]], [{"tier": ["gold"]}], [{"tier": None}],
]  # fmt: skip
PATHS = [
    "a", "a.tier", "a[]", "a[].tier", "a.tier[]", "a[].tier[]", '"a"', "a.0", "b", "none.at.all", "with'quote", "e\0f",
    "email", "email.x", "country", "first_name", "external_id", "time_zone", "dob", "push_tokens", "push_tokens[]",
    "push_tokens[].token", "facebook.id", "facebook", "unformatted_phone", "home_city",
]  # fmt: skip
PATTERNS = [
    "gold",
    "^gold",
    "gold$",
    "^gold$",
    "g.ld",
    "SUN",
    "kelvin",
    "istanbul",
    "[0-9]+",
    r"x%_\\",
    r"a\nb",
    "",
    "é",
    r"5\.0",
    "^",
    "tier$",
]

plain = [value for value in VALUES if not isinstance(value, list | dict)]
operands = st.one_of(
    st.sampled_from(
        [*plain, "x\0y", "\ud800", "old", "OLD", "ld t", "GOLD", "%", "rAß", "I", "K", float("inf"), -(2**53)]
    ),
    st.sampled_from(["a", "b", "email", "a[].tier", "dob", "none"]).map(lambda path: {"attribute": path}),
    st.just({"context": "x"}),
)
spans = st.sampled_from(["1 day", "1 hour", "36500 days", "1 second"])


@st.composite
def conditions(draw: Any) -> dict[str, Any]:
    operator = draw(st.sampled_from(OPERATORS))
    if operator in ("one_of", "none_of"):
        return {operator: draw(st.lists(operands, min_size=1, max_size=3))}
    if operator == "between":
        return {operator: [draw(operands), draw(operands)]}
    if operator == "exists":
        return {operator: draw(st.booleans())}
    if operator == "matches":
        return {operator: draw(st.sampled_from(PATTERNS))}
    if operator in ("within_last", "within_next"):
        return {operator: draw(spans)}
    return {operator: draw(operands)}


times = st.builds(
    lambda how, count: {"times": {how: count}},
    st.sampled_from(["equals", "more_than", "less_than", "at_least", "at_most"]),
    st.integers(-1, 4),
)
within = st.one_of(st.just({}), spans.map(lambda span: {"within_last": span}))


@st.composite
def done(draw: Any) -> dict[str, Any]:
    subject = draw(st.sampled_from([
        {"event": "bought"}, {"event": "liked"}, {"purchase": "shoe"}, {"purchase": True}, {"event": "never"},
    ]))  # fmt: skip
    where = draw(st.lists(st.tuples(st.sampled_from(["n", "n[]", "n.tier", "m"]), conditions()), max_size=2))
    written = [{"property": path, **condition} for path, condition in where]
    return {**subject, "where": written, **draw(st.one_of(st.just({}), times)), **draw(within)}


@st.composite
def engaged(draw: Any) -> dict[str, Any]:
    found = {"message": draw(st.sampled_from(["sent", "opened", "clicked"]))}
    for name, values in (
        ("step", ["hello", "other", "x\0"]),
        ("canvas", ["story", "other"]),
        ("campaign", ["c"]),
    ):
        value = draw(st.one_of(st.none(), st.sampled_from(values)))
        found |= {} if value is None else {name: value}
    return found | draw(within)


states = st.sampled_from(["opted_in", "subscribed", "unsubscribed"])
leaves = st.one_of(
    st.builds(lambda path, condition: {"attribute": path, **condition}, st.sampled_from(PATHS), conditions()),
    st.builds(lambda condition: {"context": "x", **condition}, conditions()),
    done(),
    engaged(),
    st.builds(
        lambda how, state: {"consent": "email", how: state}, st.sampled_from(["equals", "not_equals"]), states
    ),
    st.builds(
        lambda how, several: {"consent": "push", how: several},
        st.sampled_from(["one_of", "none_of"]),
        st.lists(states, min_size=1, max_size=3),
    ),
    st.builds(
        lambda group, how, several: {"subscription": group, how: several},
        st.sampled_from(["news", "texts", "none"]),
        st.sampled_from(["one_of", "none_of"]),
        st.lists(st.sampled_from(["subscribed", "unsubscribed", "unknown"]), min_size=1, max_size=3),
    ),
    st.sampled_from(
        [{"segment": "rich"}, {"segment": "poor"}, {"segment": "unknown"}, {"bucket": [0, 4999]}]
    ),
)
written_filters = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda word, several: {word: several},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)

INSTANTS = [
    timedelta(0),
    timedelta(seconds=1),
    timedelta(hours=-1),
    timedelta(days=-1),
    timedelta(days=-1, seconds=-1),
    timedelta(days=-400),
]


async def fill(stage: Stage) -> list[UUID]:
    """People of all kinds: one for each value, each with a little of everything else."""
    people = []
    for place, value in enumerate([*VALUES, *[...] * 8]):
        columns: dict[str, Any] = {
            "attributes": {"b": VALUES[place * 7 % len(VALUES)], "with'quote": "gold"}
            | ({} if value is ... else {"a": value})
        }
        if place % 2:
            columns |= {
                "email": f"p{place % 9}@example.com",
                "country": ["FR", "DE"][place % 4 == 1],
                "first_name": "Gold",
            }
        if place % 3 == 0:
            columns["zone"] = "Europe/Paris"
            columns["standard"] = {
                "dob": "1990-12-31", "push_tokens": [{"token": "gold"}, {"token": place}], "facebook": {"id": place},
                "unformatted_phone": "gold",
            }  # fmt: skip
        if place % 3 == 1:
            columns["attributes"] |= {"unformatted_phone": "030", "push_tokens": ["gold"]}
        people.append(await stage.person(**columns))
    for place, person in enumerate(people):
        for number in range(place % 5):
            kind, name = [
                ("event", "bought"),
                ("event", "liked"),
                ("purchase", "shoe"),
                ("purchase", "sock"),
                ("message", "opened"),
            ][(place + number) % 5]
            properties = {"n": VALUES[(place * 3 + number) % len(VALUES)], "m": number, "quantity": number}
            if kind == "message":
                properties = {
                    "step": ["hello", "other", 5][number % 3],
                    "canvas": "story",
                    "campaign": ["c", None][place % 2],
                }
            await stage.db.pool.execute(
                "insert into events (workspace, person, shard, kind, name, at, properties) values ($1, $2, $3, $4, $5, $6, $7)",
                stage.workspace, person.id, person.shard, kind, name, MONDAY + INSTANTS[(place + 2 * number) % len(INSTANTS)], properties,
            )  # fmt: skip
        if place % 4:
            channel, state = (
                ["email", "push"][place % 2],
                ["opted_in", "subscribed", "unsubscribed"][place % 3],
            )
            await stage.db.pool.execute(
                "insert into consents values ($1, $2, $3, $4, now())",
                stage.workspace,
                person.id,
                channel,
                state,
            )
        if place % 3:
            said = place % 2 + 1
            await stage.db.pool.executemany(
                "insert into subscriptions (workspace, person, name, channel, state, at) values ($1, $2, $3, $4, $5, now())",
                [
                    (stage.workspace, person.id, "news", "email", ["subscribed", "unsubscribed"][place % 2]),
                    (
                        stage.workspace,
                        person.id,
                        "texts",
                        "push",
                        ["subscribed", "unsubscribed"][place % 5 % 2],
                    ),
                ][:said],
            )
    await stage.db.pool.execute("update people set bucket = 6000 where external_id > 'p-8'")
    return [person.id for person in people]


STAGES: dict[int, tuple[Stage, list[UUID]]] = {}


async def staged(db: Database) -> tuple[Stage, list[UUID]]:
    """The people of a test's database, once."""
    if id(db) not in STAGES:
        STAGES.clear()
        stage = await stage_on(db, DEFINITIONS)
        STAGES[id(db)] = stage, await fill(stage)
    return STAGES[id(db)]


async def found(stage: Stage, what: Any, *, canvas: str | None = None) -> tuple[set[UUID], bool]:
    """Whom SQL finds, and whether it says that it is exact."""
    publication = await stage.published.of(stage.workspace)
    said = to_sql(what, now=stage.clock.now(), segments=publication.segments, canvas=canvas, first=2)
    query = f"select p.id from people p where p.workspace = $1 and {said.text}"
    rows = await stage.db.pool.fetch(query, stage.workspace, *said.parameters)
    return {row["id"] for row in rows}, said.exact


async def matching(stage: Stage, what: Any, people: Sequence[UUID]) -> set[UUID]:
    """Who matches, as the store reads them and Python judges them."""
    publication = await stage.published.of(stage.workspace)
    profiles = list((await load(stage.db.pool, stage.workspace, people)).values())
    found = await who_match(stage.db.pool, publication, what, profiles, stage.clock.now())
    return {one.id for one in found}


def filter_of(written: Any) -> Any:
    try:
        return FILTER.validate_python(written)
    except (ValidationError, UnicodeEncodeError):
        return None


async def check(stage: Stage, people: Sequence[UUID], written: Any) -> None:
    for what in (filter_of(written), filter_of({"none": [written]})):
        matched = await matching(stage, what, people)
        named, exact = await found(stage, what)
        assert matched <= named, "nobody who matches is left out"
        assert not exact or matched == named, "nobody else is found where SQL is exact"


@given(written=written_filters)
@settings(
    max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
async def test_people_are_found_in_sql_as_they_match(db: Database, written: Any) -> None:
    """CTX-25, NST-8, EXT-3, ATT-6, SUB-1: every filter that there is, of every kind of value, and its contrary."""
    assume(filter_of(written) is not None)
    stage, people = await staged(db)

    await check(stage, people, written)


async def test_each_operator_meets_each_value(db: Database) -> None:
    """The table that chance might leave out: each comparison with each literal, of an attribute that may be anything."""
    stage, people = await staged(db)
    profiles = (await load(stage.db.pool, stage.workspace, people)).values()
    persons = {one.id: one.as_person("UTC") for one in profiles}
    asked: list[Any] = []
    for operator in OPERATORS:
        for place, operand in enumerate(plain):
            literal: Any = {
                "one_of": [operand], "none_of": [operand], "between": [operand, operand], "exists": operand is True,
                "within_last": "2 days", "within_next": "2 days", "matches": PATTERNS[place % len(PATTERNS)],
            }.get(operator, operand)  # fmt: skip
            written = {"attribute": "a[]" if place % 5 == 4 else "a", operator: literal}
            asked += [written, {"none": [written]}]
    asked = [
        what
        for each in {repr(each): each for each in asked}.values()
        if (what := filter_of(each)) is not None
    ]
    assert len(asked) > 1000
    for start in range(0, len(asked), 100):
        some, texts, parameters = asked[start : start + 100], [], [stage.workspace]
        said = []
        for what in some:
            said.append(to_sql(what, now=MONDAY, first=len(parameters) + 1))
            texts.append(f"({said[-1].text}) is true")
            parameters += said[-1].parameters
        query = f"select p.id, array[{', '.join(texts)}] as holds from people p where p.workspace = $1"
        for row in await stage.db.pool.fetch(query, *parameters):
            for what, one, holds in zip(some, said, row["holds"], strict=True):
                matched = matches(what, persons[row["id"]], now=MONDAY)
                assert holds == matched if one.exact else holds >= matched, (what, persons[row["id"]])


async def test_a_step_without_a_canvas_is_one_of_the_canvas_that_asks(db: Database) -> None:
    stage, _ = await staged(db)
    step, other = ({"message": "opened", "step": "hello", **more} for more in ({}, {"canvas": "story"}))

    assert len((await found(stage, FILTER.validate_python(step), canvas="story"))[0]) > 0
    for canvas_ in (None, "story"):
        anywhere = await found(stage, FILTER.validate_python(step), canvas=canvas_)
        assert anywhere == await found(stage, FILTER.validate_python(other), canvas="elsewhere")
    assert await found(stage, FILTER.validate_python(step), canvas="elsewhere") == (set(), True)


EXACT = [
    {"attribute": "a", "equals": "gold"}, {"attribute": "a.tier", "one_of": ["gold", 5]}, {"attribute": "a[].tier", "equals": "gold"},
    {"attribute": "a", "more_than": 2.5}, {"attribute": "a", "at_most": "gold"}, {"attribute": "a", "contains": "GOLD"},
    {"attribute": "a", "starts_with": "go"}, {"attribute": "a", "ends_with": "ld"}, {"attribute": "a", "matches": "^gold$"},
    {"attribute": "email", "matches": r"@example\.com$"}, {"attribute": "country", "none_of": ["FR"]}, {"attribute": "a", "exists": False},
    {"event": "bought", "where": [{"property": "n", "more_than": 0}], "times": {"at_least": 2}, "within_last": "30 days"},
    {"none": [{"event": "bought", "within_last": "30 days"}]}, {"purchase": True, "times": {"equals": 0}},
    {"message": "opened", "step": "hello", "canvas": "story"}, {"consent": "email", "not_equals": "unsubscribed"},
    {"all": [{"segment": "rich"}, {"bucket": [0, 4999]}]},
]  # fmt: skip


@pytest.mark.parametrize("written", EXACT, ids=str)
async def test_what_audiences_usually_ask_is_exact(written: Any) -> None:
    rich = FILTER.validate_python({"attribute": "a", "more_than": 1})
    said = to_sql(FILTER.validate_python(written), now=MONDAY, segments={"rich": rich})

    assert said.exact


def test_no_text_of_an_author_stands_in_the_statement() -> None:
    """Names, values, paths and patterns are parameters."""
    evil = "x'); drop table people; -- {0} «0» $1"
    written = {"all": [
        {"attribute": f'"{evil}".{evil}[]', "equals": evil}, {"attribute": "a", "contains": evil}, {"event": evil},
        {"event": "e", "where": [{"property": evil, "one_of": [evil, 1]}]}, {"purchase": evil}, {"attribute": "email", "equals": evil},
        {"message": "opened", "step": evil, "canvas": evil}, {"attribute": "a", "matches": "drop table"}, {"attribute": "a", "less_than": evil},
    ]}  # fmt: skip

    said = to_sql(FILTER.validate_python(written), now=MONDAY)

    assert "drop" not in said.text and "«" not in said.text
    assert sorted(set(map(int, re.findall(r"\$(\d+)", said.text)))) == list(
        range(1, len(said.parameters) + 1)
    )
    assert (
        to_sql(FILTER.validate_python({"bucket": [1, 2]}), now=MONDAY, first=5).text
        == "p.bucket between $5::int and $6::int"
    )


def test_a_segment_that_contains_itself_and_an_audience_without_end_are_left_to_matches() -> None:
    segments = {"a": FILTER.validate_python({"any": [{"segment": "b"}, {"segment": "b"}]})}
    segments["b"] = FILTER.validate_python({"segment": "a"})
    assert not to_sql(segments["a"], now=MONDAY, segments=segments).exact

    segments = {"s0": FILTER.validate_python({"attribute": "a", "equals": 1})}
    for number in range(1, 200):
        within = {"all": [{"segment": f"s{number - 1}"}, {"none": [{"segment": f"s{number - 1}"}]}]}
        segments[f"s{number}"] = FILTER.validate_python(within)
    said = to_sql(segments["s199"], now=MONDAY, segments=segments)
    assert not said.exact and len(said.text) < 200 * MOST_PARTS


def test_two_letters_beyond_ascii_become_ascii_in_lower_case() -> None:
    """What `contains` and its kin rely on; `matches` folds two others."""
    letters = [
        chr(code)
        for code in range(128, sys.maxunicode + 1)
        if any(each < "\x80" for each in chr(code).lower())
    ]

    assert letters == ["İ", "\u212a"]


def test_standard_attributes_that_are_columns_are_kept_nowhere_else() -> None:
    """What finding them by an index relies on."""

    class Nobody:
        standard: dict[str, Any] = {}
        attributes: dict[str, Any] = {}

        def __getattr__(self, name: str) -> None:
            return None

    given = dict.fromkeys(COLUMNS, "FR") | {
        "external_id": "x",
        "email": "a@example.com",
        "phone": "no number",
        "own": 1,
    }
    changed = apply(Nobody(), given)

    assert faults({"email": "a@example.com"}) == []
    assert set(changed.custom) == {"own"}
    assert not set(changed.standard) & (set(COLUMNS) | {"external_id"}) and set(
        changed.standard
    ) <= STANDARD | {"unformatted_phone"}
