"""What is given to operators fits what the processes say and take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from journeys.engine.metrics import REGISTRY

DEPLOY = Path(__file__).parents[1] / "deploy"


def series() -> dict[str, set[str]]:
    """The series of a process by name, with the suffixes of their kinds, and their labels."""
    found: dict[str, set[str]] = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.describe():
            own = labels | set(getattr(family, "_labelnames", ()))
            for suffix in {
                "counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum"),
            }[family.type]:  # fmt: skip
                found[family.name + suffix] = own | ({"le"} if suffix == "_bucket" else set())
    return found


def check(expression: str) -> None:
    """Each series that an expression names is there, with the labels by which it asks."""
    known = series()
    named = re.findall(r"(journeys_\w+)(?:\{([^}]*)\})?", expression)
    assert named, expression
    labels: set[str] = set()
    for name, matchers in named:
        assert name in known, f"{expression}: there is no {name}"
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert asked <= known[name], f"{expression}: {name} has no {asked - known[name]}"
        labels |= known[name]
    grouped = {
        label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")
    }
    assert grouped <= labels | {"instance"}, f"{expression}: nothing has {grouped - labels}"


def test_the_dashboard_asks_for_series_that_are_there() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    places: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert (place["x"], place["y"]) not in places
        places.add((place["x"], place["y"]))
        assert place["x"] + place["w"] <= 24
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            check(target["expr"])
    assert {"title", "uid", "schemaVersion", "time", "templating"} <= set(dashboard)


def alerts() -> list[Any]:
    rules = YAML(typ="safe").load((DEPLOY / "alerts.yaml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_the_alert_rules_ask_for_series_that_are_there() -> None:
    found = alerts()
    assert len({rule["alert"] for rule in found}) == len(found) > 5
    for rule in found:
        check(rule["expr"])
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert set(rule["annotations"]) == {"summary", "description"}
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert label in rule["expr"], (rule["alert"], label)
