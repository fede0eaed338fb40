"""What a process counts and times, for Prometheus. What a transaction writes is counted once it is committed.

Every series is named here. Counters count what this process did since it began; the gauges of the database tell how it
stands for all of them (`measure`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

T = TypeVar("T")

REGISTRY = CollectorRegistry(auto_describe=True)
"""The series of this process."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
AGES = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 24 * 3600.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"journeys_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"journeys_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
    return Histogram(f"journeys_{name}", text, labels, registry=REGISTRY, buckets=tuple(buckets))


BURSTS = _counter(
    "bursts", "Bursts, by result: done, failed, or set_aside after ten like failures.", "result"
)
BURST_SECONDS = _histogram("burst_seconds", "Seconds from the call of a burst to its reply.", SECONDS)
BURST_ENTRIES = _histogram("burst_batch_entries", "Alarms that share the transaction of a burst.", SIZES)

ENTRIES_ADMITTED = _counter("entries_admitted", "People who entered a canvas.")
ENTRIES_REFUSED = _counter("entries_refused", "People whom a gate kept out of a canvas.", "gate")

EVENTS = _counter("events_recorded", "Events that were stored, by kind: event, purchase, message.", "kind")
OBJECTS = _counter(
    "track_objects", "Objects of /users/track, by array and result: accepted, refused.", "array", "result"
)

MERGES = _counter("merges", "Merges of two people, by result: done, declined.", "result")

DISPATCHES_WRITTEN = _counter("dispatches_written", "Messages that canvases wrote.", "channel")
DISPATCHES_SETTLED = _counter(
    "dispatches_settled", "Messages that were settled, by outcome.", "channel", "outcome"
)
DISPATCHES_REFUSED = _counter(
    "dispatches_refused", "Messages that were not sent, by the reason.", "channel", "reason"
)
DISPATCH_AGE = _histogram(
    "dispatch_age_seconds",
    "Seconds from the instant of a message to its settlement, on the clock of canvases.",
    AGES,
    "channel",
)
RENDER_SECONDS = _histogram(
    "render_seconds",
    "Seconds to prepare a message: conditions, Liquid, Connected Content.",
    SECONDS,
    "channel",
)
PROVIDER_SECONDS = _histogram(
    "provider_seconds", "Seconds of a call of a provider, by its outcome.", SECONDS, "channel", "outcome"
)

ALARM_CALLS = _counter(
    "alarm_calls",
    "Calls by which Temporal is told of entries, by kind (start, nudge, cancel) and result.",
    "kind",
    "result",
)
OVERDUE = _counter("entries_overdue_found", "Entries that the watchdog met past their alarm.")

REQUESTS = _histogram(
    "http_request_seconds", "Seconds of a request to the API.", SECONDS, "route", "method", "status"
)

ALARMS_PENDING = _gauge("alarms_pending", "Entries of which Temporal is not told yet (database).")
ALARMS_PENDING_AGE = _gauge(
    "alarms_pending_oldest_seconds", "Seconds since the oldest of them was written (database)."
)
ENTRIES_OVERDUE = _gauge(
    "entries_overdue", "Entries asleep past their alarm by more than a minute (database)."
)
DISPATCHES = _gauge("dispatches", "Messages that are not settled, by state (database).", "channel", "state")
DISPATCHES_AGE = _gauge(
    "dispatches_oldest_seconds",
    "Seconds for which the oldest due message of a channel waits (database).",
    "channel",
)
CANVASES_SET_ASIDE = _gauge("canvases_set_aside", "Canvases that this process cannot read.")


class _Sized(Collector):
    """The pools of connections and the caches of this process, as they stand when they are asked for."""

    def __init__(self) -> None:
        self.databases: WeakSet[Any] = WeakSet()
        self.caches: WeakSet[Any] = WeakSet()

    def describe(self) -> Iterable[Metric]:
        """See base class."""
        return self._families().values()

    @staticmethod
    def _families() -> dict[str, Any]:
        return {
            "pool": GaugeMetricFamily(
                "journeys_database_connections", "Connections to the database, by state.", labels=["state"]
            ),
            "most": GaugeMetricFamily(
                "journeys_database_connections_limit",
                "The most connections that the pools of this process open.",
            ),
            "values": GaugeMetricFamily("journeys_cache_values", "Values in a cache.", labels=["cache"]),
            "bytes": GaugeMetricFamily(
                "journeys_cache_bytes", "About how many bytes a cache holds.", labels=["cache"]
            ),
            "asked": CounterMetricFamily(
                "journeys_cache_lookups",
                "Lookups in a cache, by result: hit, miss.",
                labels=["cache", "result"],
            ),
        }

    def collect(self) -> Iterable[Metric]:
        """See base class."""
        found = self._families()
        pools = [database.pool for database in list(self.databases)]
        idle = sum(pool.get_idle_size() for pool in pools)
        found["pool"].add_metric(["idle"], idle)
        found["pool"].add_metric(["used"], sum(pool.get_size() for pool in pools) - idle)
        found["most"].add_metric([], sum(pool.get_max_size() for pool in pools))
        sums: dict[str, list[int]] = {}
        for cache in list(self.caches):
            kept = sums.setdefault(cache.name, [0, 0, 0, 0])
            for place, number in enumerate((len(cache), cache.used, cache.hits, cache.misses)):
                kept[place] += number
        for name, (values, used, hits, misses) in sorted(sums.items()):
            found["values"].add_metric([name], values)
            found["bytes"].add_metric([name], used)
            found["asked"].add_metric([name, "hit"], hits)
            found["asked"].add_metric([name, "miss"], misses)
        return found.values()


SIZED = _Sized()
REGISTRY.register(SIZED)

_committing: ContextVar[list[Callable[[], None]] | None] = ContextVar("committing", default=None)


def counted(counter: Counter, amount: float = 1, **labels: str) -> None:
    """Count what was written: at the commit of the transaction that is open here, or at once where none is.

    Example:
        >>> before = REGISTRY.get_sample_value("journeys_entries_refused_total", {"gate": "audience"}) or 0
        >>> counted(ENTRIES_REFUSED, gate="audience")
        >>> REGISTRY.get_sample_value("journeys_entries_refused_total", {"gate": "audience"}) - before
        1.0
    """
    if amount:
        _once_committed(lambda: (counter.labels(**labels) if labels else counter).inc(amount))


def observed(series: Histogram, value: float, **labels: str) -> None:
    """Observe a value of what was written: when `counted` counts."""
    _once_committed(lambda: (series.labels(**labels) if labels else series).observe(value))


def _once_committed(work: Callable[[], None]) -> None:
    waiting = _committing.get()
    if waiting is None:
        work()
    else:
        waiting.append(work)


@contextmanager
def committing() -> Iterator[None]:
    """A transaction, or a savepoint within one: what is counted within it counts once all around it has ended well."""
    around = _committing.get()
    mine: list[Callable[[], None]] = []
    token = _committing.set(mine)
    try:
        yield
    finally:
        _committing.reset(token)
    if around is not None:
        around.extend(mine)
        return
    for each in mine:
        each()


async def timed(series: Histogram, work: Awaitable[T]) -> T:
    """Do the work, and observe how many seconds it took, whatever came of it."""
    began = time.monotonic()
    try:
        return await work
    finally:
        series.observe(time.monotonic() - began)


def exposition() -> bytes:
    """The series of this process, as Prometheus reads them."""
    return generate_latest(REGISTRY)
