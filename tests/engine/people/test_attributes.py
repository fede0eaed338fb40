"""Changes of attributes: operators on values, without a database."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.engine.people.attributes import REMOVED, Refused, changed, kept_properties, merged
from journeys.engine.people.standard_attributes import apply

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
KEYS = st.text("abcdefg_", min_size=1, max_size=5).filter(lambda key: key != "add")
"""None that says what is to be done."""
OBJECTS = st.recursive(
    st.dictionaries(KEYS, SCALARS, max_size=3),
    lambda inner: st.dictionaries(KEYS, st.one_of(SCALARS, inner, st.lists(inner, max_size=2)), max_size=3),
    max_leaves=8,
)
ANYTHING = st.recursive(
    st.one_of(st.none(), SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    return msgspec.json.encode(left, order="sorted") == msgspec.json.encode(right, order="sorted")


@given(SCALARS)
def test_a_plain_value_replaces_what_was_there(value: Any) -> None:
    """ATT-1: with its type."""
    assert same(changed("x", "before", value), value)


def test_null_removes_an_attribute() -> None:
    """ATT-7"""
    assert changed("x", 1, None) is REMOVED


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_an_increment_adds_and_a_missing_attribute_counts_from_zero(before: int, amount: int) -> None:
    """ATT-3"""
    assert changed("x", before, {"inc": amount}) == before + amount
    assert changed("x", None, {"inc": amount}) == amount


@pytest.mark.parametrize("before", ["1", True, [1], {"a": 1}])
def test_what_is_no_number_cannot_be_incremented(before: Any) -> None:
    """ATT-3: the attribute stays as it is."""
    with pytest.raises(Refused, match="is not a number"):
        changed("x", before, {"inc": 1})


@pytest.mark.parametrize("amount", ["1", 1.5, True, None])
def test_an_increment_is_an_integer(amount: Any) -> None:
    """ATT-3"""
    with pytest.raises(Refused, match="'inc' must be an integer"):
        changed("x", 1, {"inc": amount})


@given(st.lists(SCALARS, max_size=12))
def test_an_array_is_an_ordered_set(items: list[Any]) -> None:
    """ATT-4: each element once, true is not 1, at its last place."""
    after = changed("x", None, items)

    encoded = [msgspec.json.encode(item) for item in items]
    kept = [msgspec.json.encode(item) for item in after]
    assert set(kept) == set(encoded)
    assert len(kept) == len(set(kept))
    assert kept == sorted(kept, key=lambda item: len(encoded) - 1 - encoded[::-1].index(item))


@given(st.lists(TEXTS, max_size=8), st.lists(TEXTS, max_size=8))
def test_adding_puts_elements_at_the_end_and_removing_takes_them_away(
    before: list[str], items: list[str]
) -> None:
    """ATT-4"""
    before = changed("x", None, before)
    added = changed("x", before, {"add": items})
    removed = changed("x", added, {"remove": items})

    assert added[len(added) - len(set(items)) :] == changed("x", None, items)
    assert removed == [item for item in before if item not in items]
    assert changed("x", before, {"add": items, "remove": items}) == removed


def test_of_too_many_elements_the_oldest_go() -> None:
    """ATT-5, D6"""
    assert changed("x", list(range(500)), {"add": [500]}) == list(range(1, 501))
    assert changed("x", None, list(range(600))) == list(range(100, 600))


@given(OBJECTS, OBJECTS)
def test_an_object_replaces_and_is_merged_only_if_asked(before: Any, change: Any) -> None:
    """NST-2"""
    if change:
        assert same(changed("x", before, change), change)
    after = merged(before, change)
    assert same(merged(after, change), after)
    assert set(after) == set(before) | set(change)


def test_merging_goes_down_every_level_and_null_takes_a_key_away() -> None:
    """NST-2"""
    before = {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}

    assert changed("x", before, {"a": {"b": {"c": 9}, "e": None}}, merge=True) == {
        "a": {"b": {"c": 9, "d": 2}},
        "f": 4,
    }


PETS = [{"id": 1, "name": "Rex"}, {"id": 2, "name": "Tom"}, {"id": 1, "name": "Ann"}]


def test_objects_are_added_removed_and_updated_by_a_key() -> None:
    """NST-6: removing takes all that match."""
    one = {"$identifier_key": "id", "$identifier_value": 1}

    assert changed("pets", PETS, {"$add": [{"id": 3}]}) == [*PETS, {"id": 3}]
    assert changed("pets", PETS, {"$remove": [one]}) == [PETS[1]]
    assert changed("pets", PETS, {"$update": [{**one, "$new_object": {"id": 1}}]}) == [
        {"id": 1},
        PETS[1],
        {"id": 1},
    ]
    new = {**one, "$new_object": {"age": 2}}
    assert changed("pets", PETS, {"$update": [new]}, merge=True) == [
        {"id": 1, "name": "Rex", "age": 2},
        PETS[1],
        {"id": 1, "name": "Ann", "age": 2},
    ]


def test_in_one_request_adding_comes_before_removing_and_updating() -> None:
    """NST-7: so remove and then add needs two requests."""
    one = {"$identifier_key": "id", "$identifier_value": 3}

    assert changed("pets", [], {"$remove": [one], "$add": [{"id": 3}]}) == []
    assert changed("pets", [], {"$update": [{**one, "$new_object": {"id": 4}}], "$add": [{"id": 3}]}) == [
        {"id": 4}
    ]


def test_add_beside_dollar_add_in_one_value_is_understood() -> None:
    """One of the connectors sends both."""
    assert changed("pets", None, {"add": [{"id": 1}], "$add": [{"id": 2}]}) == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": {"b": "x" * 256}},
        {"a.b": 1},
        {"$a": 1},
        {"a b": 1},
        {"when": {"$time": "soon"}},
        {"when": {"$time": None}},
        {"a": "\0"},
        [{"a": 1}, {"b c": 1}],
    ],
)
def test_one_wrong_value_anywhere_drops_the_whole_nested_update(wrong: Any) -> None:
    """NST-1, NST-3, NST-4"""
    with pytest.raises(
        Refused, match="nested attribute 'x' contains an invalid value; its update was dropped"
    ):
        changed("x", None, wrong)


def test_a_date_within_an_object_is_kept_as_it_was_sent() -> None:
    """NST-3"""
    assert changed("x", None, {"when": {"$time": "2020-05-28"}}) == {"when": "2020-05-28"}


@pytest.mark.parametrize("wrong", ["soon", None, 7, {}, "2020-13-01"])
@pytest.mark.parametrize("form", [lambda at: {"at": at, "n": 2}, lambda at: [{"n": 2}, {"at": at}], lambda at: {"deep": [{"at": at}]}])  # fmt: skip
def test_a_wrong_date_voids_the_update_of_its_attribute(form: Any, wrong: Any) -> None:
    """NST-3: all of it, and no other attribute's; a right one is written."""
    profile = SimpleNamespace(email=None, standard={}, attributes={"x": {"n": 1}, "y": 1})
    after = apply(profile, {"x": form({"$time": wrong}), "y": 2})

    assert (after.custom, after.names) == ({"x": {"n": 1}, "y": 2}, {"y"})
    assert after.errors == ["nested attribute 'x' contains an invalid value; its update was dropped"]
    right = apply(profile, {"x": form({"$time": "2020-05-28T10:00:00Z"}), "y": 2})
    assert (right.custom, right.errors) == ({"x": form("2020-05-28T10:00:00Z"), "y": 2}, [])


def test_texts_and_names_have_a_longest_length() -> None:
    """ATT-1"""
    assert changed("x", None, "a" * 255) == "a" * 255
    with pytest.raises(Refused, match="255 characters"):
        changed("x", None, "a" * 256)
    with pytest.raises(Refused, match="255 characters"):
        changed("n" * 256, None, 1)


def test_what_is_larger_than_100_kb_is_refused() -> None:
    """NST-1"""
    with pytest.raises(Refused, match="100 KB"):
        changed("x", None, {f"k{n}": "v" * 200 for n in range(600)})


@given(ANYTHING, ANYTHING, st.booleans())
def test_no_change_whatever_fails_otherwise_than_by_saying_why(before: Any, change: Any, merge: bool) -> None:
    """And what comes out can be stored: it has no character that the database refuses."""
    with contextlib.suppress(Refused):
        after = changed("x", before, change, merge=merge)
        if after is not REMOVED:
            assert b"\\u0000" not in msgspec.json.encode(after) or b"\\u0000" in msgspec.json.encode(before)


def test_what_did_not_change_is_told_from_what_did() -> None:
    """TRK-9"""
    profile = SimpleNamespace(
        email="a@example.com", standard={"home_city": "Rome"}, attributes={"n": 1, "l": ["a"]}
    )
    same_ = {"email": "A@example.com", "home_city": "Rome", "n": 1, "l": {"add": ["a"]}, "gone": None}

    assert apply(profile, same_).names == set()
    assert apply(profile, {**same_, "n": True, "home_city": None}).names == {"n", "home_city"}


def test_properties_keep_their_structure_and_are_no_operators() -> None:
    """D3, EVT-2, EVT-6"""
    given_ = {
        "inc": 1,
        "add": ["a"],
        "cart": {"Item name": [1, {"a": True}]},
        "none": None,
        "$insert_id": "7",
    }

    kept, remarks = kept_properties(given_)
    assert kept == {"inc": 1, "add": ["a"], "cart": {"Item name": [1, {"a": True}]}}
    assert remarks == []
    assert kept_properties({"add": ["a"]})[0] == {"add": ["a"]}
    assert kept_properties({"inc": 1})[0] == {"inc": 1}


@pytest.mark.parametrize("name", ["time", "event_name", "$mine", "", "n" * 256, "a\0"])
def test_some_property_names_refuse_the_event(name: str) -> None:
    """EVT-2, TRK-8"""
    with pytest.raises(Refused):
        kept_properties({name: 1})


def test_a_property_that_is_too_long_is_dropped_alone_and_so_is_the_257th() -> None:
    """EVT-2"""
    kept, remarks = kept_properties({"a": "x" * 256, "b": 1})
    assert (kept, len(remarks)) == ({"b": 1}, 1)
    kept, remarks = kept_properties({f"p{n}": n for n in range(300)})
    assert (len(kept), len(remarks)) == (256, 1)
