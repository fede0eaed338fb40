"""The golden traces: what each definition does, in every branch, has not changed unnoticed."""

from __future__ import annotations

import pytest

from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from journeys.engine.core.traces import traces
from tests.golden.traces import DEFINITIONS, FOLDER, MONDAY, all_traces

TRACES = all_traces()


@pytest.mark.parametrize("name", TRACES)
def test_the_trace_of_each_definition_is_as_it_was(name: str) -> None:
    assert (FOLDER / f"{name}.txt").read_text(encoding="utf-8") == TRACES[name], (
        "if this is wanted: `make golden`"
    )


@pytest.mark.parametrize("name", TRACES)
def test_the_traces_take_every_branch(name: str) -> None:
    plan = compile(load([DEFINITIONS]).canvases[name].value)
    ways = {f"{step.id}: {way}" for step in plan.steps.values() for way in step.branches()}

    assert ways <= set(traces(plan, MONDAY))
