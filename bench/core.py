"""The pure core: advances and simulated people per second."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from journeys.engine.core.simulate import simulate

DEFINITIONS = Path(__file__).parents[1] / "definitions"


def measure(people: int = 100_000) -> dict[str, float]:
    """Take people through the onboarding canvas, of eight steps, on one core."""
    plan = compile(load([DEFINITIONS / "onboarding.yaml"]).canvases["onboarding"].value)
    begun = time.perf_counter()
    report = simulate(plan, people, starts=datetime(2026, 12, 7, 9, tzinfo=UTC), seed=1)
    seconds = time.perf_counter() - begun
    steps = sum(report.reached.values())
    return {
        "core.people_per_second": round(people / seconds),
        "core.steps_per_second": round(steps / seconds),
        "core.simulate_100000_seconds": round(seconds * 100_000 / people, 1),
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:<32} {value:,}")
