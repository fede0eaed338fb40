"""What a user update says: values, increments, events."""

from __future__ import annotations

from typing import Any

import pytest

from journeys.canvas.yaml_definitions import read_text


@pytest.mark.parametrize("kind", ["attributes", "events"])
def test_a_date_is_the_text_that_stands_in_the_file(kind: str) -> None:
    """In a trial, which keeps what was read, as in the store, which keeps JSON."""
    value = "{due: 2027-03-01, more: [{on: 2027-03-01T09:00:00}]}"
    update = f"attributes: {value}" if kind == "attributes" else f"events: [{{name: e, properties: {value}}}]"
    [found], _ = read_text(
        f"kind: canvas\nformat: 1\nname: c\nschedule: {{api: true}}\nsteps: [{{type: user_update, id: u, {update}}}]\n"
    )
    step: Any = found.value.steps[0]
    kept = step.attributes if kind == "attributes" else step.events[0].properties
    assert kept == {"due": "2027-03-01", "more": [{"on": "2027-03-01T09:00:00"}]}


@pytest.mark.parametrize("amount", ["ten", "'5'", "true"])
def test_an_increment_is_a_number(amount: str) -> None:
    """ATT-3"""
    update = f"{{type: user_update, id: u, attributes: {{a: {{increment: {amount}}}}}}}"
    _, [problem] = read_text(
        f"kind: canvas\nformat: 1\nname: c\nschedule: {{api: true}}\nsteps: [{update}]\n"
    )
    assert problem.code == "J100" and problem.message.startswith("an increment is a number, not “")
