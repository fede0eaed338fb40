"""The circuit breaker: stops calls for a while to a host that fails nearly always (C6)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

COUNTED = frozenset({408, 429, 502, 503, 504, 529, 599})
"""Statuses that count as failures of the host."""

FAILURES = 3_000
SHARE = 0.9
WINDOW = 60.0
"""With more failures than this, and a larger share of all calls, in this many seconds …"""

REST = 60.0
"""… the host is not called for this many seconds; then one call probes it."""

HOSTS = 10_000
"""How many hosts are remembered; the least recently called are forgotten first."""


@dataclass(slots=True)
class _Host:
    """Calls of the moving window, a second at a time: (second, calls, failures)."""

    seconds: deque[list[int]] = field(default_factory=deque)
    calls: int = 0
    failures: int = 0
    rests_until: float | None = None
    probing: bool = False


class Breaker:
    """Counts by workspace and host, in this process. `clock` gives seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = monotonic,
        *,
        failures: int = FAILURES,
        hosts: int = HOSTS,
    ) -> None:
        self._clock = clock
        self._failures = failures
        self._most = hosts
        self._hosts: OrderedDict[tuple[int, str], _Host] = OrderedDict()

    def allows(self, workspace: int, host: str) -> bool:
        """Whether the host may be called now. One True after a rest is the probe: say what came of it."""
        found = self._hosts.get((workspace, host))
        if found is None or found.rests_until is None:
            return True
        if self._clock() < found.rests_until or found.probing:  # C6
            return False
        found.probing = True
        return True

    def heard(self, workspace: int, host: str, status: int) -> None:
        """Count what came of a call."""
        found = self._hosts.setdefault((workspace, host), _Host())
        self._hosts.move_to_end((workspace, host))
        while len(self._hosts) > self._most:
            self._hosts.popitem(last=False)
        now, failed = self._clock(), status in COUNTED
        if found.rests_until is not None:
            self._after_rest(workspace, host, found, now, failed=failed)
            return
        self._count(found, int(now), failed=failed)
        if found.failures > self._failures and found.failures > SHARE * found.calls:  # C6
            found.rests_until = now + REST

    def forget(self, workspace: int, host: str) -> None:
        """The probe did not finish: the next call may probe."""
        found = self._hosts.get((workspace, host))
        if found is not None:
            found.probing = False

    def _after_rest(self, workspace: int, host: str, found: _Host, now: float, *, failed: bool) -> None:
        """A probe decides; calls that were under way when the rest began do not."""
        if not found.probing:
            return
        found.probing = False
        if failed:
            found.rests_until = now + REST
        else:
            del self._hosts[workspace, host]

    @staticmethod
    def _count(found: _Host, second: int, *, failed: bool) -> None:
        while found.seconds and found.seconds[0][0] <= second - WINDOW:
            _, calls, failures = found.seconds.popleft()
            found.calls -= calls
            found.failures -= failures
        if not found.seconds or found.seconds[-1][0] != second:
            found.seconds.append([second, 0, 0])
        found.seconds[-1][1] += 1
        found.seconds[-1][2] += failed
        found.calls += 1
        found.failures += failed
