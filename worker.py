"""A Temporal worker with the Journeys plugin: an example to copy."""

import asyncio
import os

from temporalio.client import Client
from temporalio.worker import Worker

from journeys.plugin import JourneysPlugin


async def main() -> None:
    """Work until the process is stopped."""
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    plugin = JourneysPlugin(os.environ["DATABASE_URL"])
    await Worker(client, task_queue="journeys", plugins=[plugin]).run()


if __name__ == "__main__":
    asyncio.run(main())
