"""What is given to operators fits what the processes say and take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from ruamel.yaml import YAML

from journeys.cli.app import whole
from journeys.cli.settings import known_variables
from journeys.engine.metrics import REGISTRY, exposition
from journeys.workflows.temporal_build import cache_folder

GRAFANAS = re.compile(r"\$\{?\w+(:\w+)?\}?")
"""What Grafana puts in for itself: an interval, or the values of a choice."""

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
    """An expression is right PromQL, and each series that it names is there, with the labels by which it asks."""
    promql_parser.parse(GRAFANAS.sub(lambda found: "5m" if "interval" in found[0] else ".*", expression))
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


@pytest.mark.parametrize(
    "expression",
    [
        "sum(rate(journeys_bursts_total[5m])",
        "rate(journeys_bursts_total)",
        "journeys_burst_total > 0",
        'journeys_bursts_total{outcome="done"}',
        "sum by (channel) (journeys_bursts_total)",
        "max(journeys_entries_overdue) > > 0",
    ],
)
def test_an_expression_that_is_wrong_is_found(expression: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        check(expression)


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


FIRES = [
    ("EntriesOverdue", 6, ["entries_overdue 3"], {}, "3 entries are past their alarm by more than a minute, for five minutes"),
    ("AlarmsNotTold", 6, ["alarms_pending_oldest_seconds 150"], {}, "Temporal is not told of entries for 2m 30s"),
    (
        "MessagesWait", 6, ['dispatches_oldest_seconds{channel="email"} 900', 'dispatches_oldest_seconds{channel="sms"} 9'],
        {"channel": "email"}, "The oldest message on email waits for 15m 0s",
    ),
    (
        "ProviderFails", 21,
        ['provider_seconds_count{channel="email",outcome="sent"} 0+60x30', 'provider_seconds_count{channel="email",outcome="retry"} 0+20x30'],
        {"channel": "email"}, "25% of the calls on email fail",
    ),
    ("BurstsFail", 21, ['bursts_total{result="set_aside"} 0+1x30', 'bursts_total{result="done"} 0+60x30'], {}, "Bursts fail, or were set aside"),
    (
        "ApiFails", 11,
        ['http_request_seconds_count{status="201"} 0+95x30', 'http_request_seconds_count{status="503"} 0+5x30'],
        {}, "5% of the requests fail",
    ),
    (
        "DatabaseConnectionsUsedUp", 11,
        ['database_connections{instance="a",state="used"} 20', 'database_connections_limit{instance="a"} 20',
         'database_connections{instance="b",state="used"} 19', 'database_connections_limit{instance="b"} 20'],
        {"instance": "a"}, "a uses all its connections to the database",
    ),
    ("CanvasSetAside", 6, ['canvases_set_aside{instance="a"} 2', 'canvases_set_aside{instance="b"} 0'], {"instance": "a"}, "a cannot read 2 canvases"),
]  # fmt: skip
"""An alert, the minutes after which it fires, the series that make it (a value, or one that grows by the minute), its
labels and what it says."""
WELL = [
    "entries_overdue 0", "alarms_pending_oldest_seconds 2", 'dispatches_oldest_seconds{channel="email"} 9',
    'provider_seconds_count{channel="email",outcome="sent"} 0+60x30', 'provider_seconds_count{channel="email",outcome="retry"} 0+1x30',
    'bursts_total{result="done"} 0+60x30', 'http_request_seconds_count{status="201"} 0+1000x30',
    'http_request_seconds_count{status="503"} 0+5x30', 'database_connections{instance="a",state="used"} 19',
    'database_connections_limit{instance="a"} 20', 'canvases_set_aside{instance="a"} 0',
]  # fmt: skip
"""How the series of processes stand that do well."""


def promtool(*words: str, given: str = "") -> str:
    """What Prometheus' own checker says; skips the test where it is not."""
    built = cache_folder() / "promtool"
    program = shutil.which("promtool") or (built if built.exists() else None)
    if program is None:
        pytest.skip("there is no promtool: `make promtool` builds it, once")
    done = subprocess.run([program, *words], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(series: list[str]) -> list[dict[str, str]]:
    """Series as `promtool` reads them, for half an hour."""
    parts = [one.rpartition(" ") for one in series]
    return [
        {"series": f"journeys_{name}", "values": value if "x" in value else f"{value}x30"}
        for name, _, value in parts
    ]


def test_prometheus_itself_accepts_the_rules_and_the_series() -> None:
    assert "8 rules found" in promtool(
        "check", "rules", "--lint=all", "--lint-fatal", str(DEPLOY / "alerts.yaml")
    )
    promtool("check", "metrics", "--lint=all", given=exposition().decode())


def test_each_alert_fires_for_what_it_is_and_none_where_all_is_well(tmp_path: Path) -> None:
    rules = {rule["alert"].removeprefix("Journeys"): rule for rule in alerts()}
    assert [name for name, *_ in FIRES] == list(rules)
    tests: list[Any] = []
    for name, minutes, series, labels, summary in FIRES:
        rule = rules[name]
        expected = {
            "exp_labels": labels | rule["labels"],
            "exp_annotations": rule["annotations"] | {"summary": summary},
        }
        tests.append({
            "interval": "1m",
            "input_series": written(series),
            "alert_rule_test": [
                {"alertname": rule["alert"], "eval_time": f"{minutes}m", "exp_alerts": [expected]},
                {"alertname": rule["alert"], "eval_time": f"{int(rule['for'][:-1]) - 1}m", "exp_alerts": []},
            ],
        })  # fmt: skip
    well = [{"alertname": rule["alert"], "eval_time": "25m", "exp_alerts": []} for rule in rules.values()]
    tests.append({"interval": "1m", "input_series": written(WELL), "alert_rule_test": well})
    (tmp_path / "tests.yaml").write_text(
        json.dumps({"rule_files": [str(DEPLOY / "alerts.yaml")], "evaluation_interval": "1m", "tests": tests})
    )

    promtool("test", "rules", str(tmp_path / "tests.yaml"))


def commands() -> dict[str, list[str]]:
    """What the files start, as one would type it after `journeys`."""
    found: dict[str, list[str]] = {}
    for path in (DEPLOY / "systemd").glob("*.service"):
        line = next(line for line in path.read_text().splitlines() if line.startswith("ExecStart="))
        found[path.name] = line.replace("%i", "9464").split()[1:]
    compose = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        found[name] = [str(word) for word in service["command"]]
    docker = (DEPLOY / "Dockerfile").read_text()
    found["Dockerfile"] = json.loads(re.findall(r"^CMD (\[.*\])$", docker, re.MULTILINE)[0])
    return found


def test_what_the_files_start_are_commands_with_options_that_there_are() -> None:
    started = commands()
    assert len(started) == 5
    for file, words in started.items():
        whole().parse_args(words, exit_on_error=False, print_error=False)
        assert words[0] in ("serve", "worker"), file


def test_the_files_name_settings_that_there_are() -> None:
    known = {variable.name for variable in known_variables()}
    text = "\n".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    named = {
        name.removesuffix("_FILE") for name in re.findall(r"\b(?:JOURNEYS|TEMPORAL|DATABASE)_[A-Z_]+\b", text)
    }
    assert named <= known, named - known
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for path in " ".join(copied).split():
        assert (DEPLOY.parent / path).exists(), path
