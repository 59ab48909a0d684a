"""Consumers without a group, from start to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def started(consumer: Any) -> AsyncIterator[Any]:
    """Start an aiokafka consumer that has no group, and stop it in the end.

    ``start`` leaves a task behind that has not begun. If ``stop`` cancels the task before its first step, ``stop`` raises
    CancelledError, as if the caller itself were cancelled. One turn of the event loop lets the task begin.

    Raises ``aiokafka.errors.KafkaError``.
    """
    try:
        await consumer.start()
        await asyncio.sleep(0)
        yield consumer
    finally:
        await consumer.stop()
