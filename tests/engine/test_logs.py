"""Log events of the library: without a configuration of logging only warnings are shown."""

from __future__ import annotations

import subprocess
import sys

SAYS = """
from journeys.engine.logs import logger
log = logger("journeys.somewhere")
log.debug("drain_cancelled", channel="email")
log.info("told", count=3)
log.warning("overdue", entry="e-1", percent="100%")
"""


def test_a_program_that_has_not_configured_logging_sees_warnings_and_no_more() -> None:
    said = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("", "overdue entry=e-1 percent=100%\n")


def test_who_configures_the_standard_library_has_every_line() -> None:
    kept = (
        f"import logging\nlogging.basicConfig(level=0, format='%(levelname)s %(name)s %(message)s')\n{SAYS}"
    )
    said = subprocess.run([sys.executable, "-c", kept], capture_output=True, text=True, check=True)
    assert said.stderr.splitlines() == [
        "DEBUG journeys.somewhere drain_cancelled channel=email",
        "INFO journeys.somewhere told count=3",
        "WARNING journeys.somewhere overdue entry=e-1 percent=100%",
    ]
