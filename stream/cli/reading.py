"""Shared by the commands that read topics: where they begin, and their report if they cannot read."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

import click
from aiokafka.errors import KafkaError

from stream.cli import stopping
from stream.cli.topics import no_answer
from stream.runtime.kafka.topic_reader import MissingTopicError, Place
from stream.runtime.setting_values import micros
from stream.wire.instants import InstantError, parse_instant

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from stream.runtime.kafka.topic_reader import Since

T = TypeVar("T")

SINCE_HELP: Final = "an instant (RFC 3339), a length of time before now such as 2h, or begin"


def since(_context: click.Context, _option: click.Parameter, text: str | None) -> Since | None:
    """Convert ``begin``, an instant or a length of time before now, as a click callback. Raises click.BadParameter."""
    if text is None:
        return None
    if text == Place.BEGIN.value:
        return Place.BEGIN
    with suppress(InstantError):
        return parse_instant(text)
    try:
        return max(0, time.time_ns() // 1_000 - micros(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time to begin at: use {SINCE_HELP}") from None


def run(broker: str, work: Coroutine[object, object, T]) -> T:
    """Run what reads topics. Raises click.ClickException if it cannot, and ``Stopped`` after a signal."""
    # The client logs every failed attempt; the error below is reported once, with advice.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return stopping.run(work)
    except MissingTopicError as error:
        advice = "run `breachwatch topics create` with the same --broker and --topic-prefix"
        raise click.ClickException(f"{error}: {advice}") from error
    except KafkaError as error:
        raise no_answer(broker, error) from error


async def until_stopped(work: Coroutine[object, object, None]) -> None:
    """Run ``work`` to its end, or until Ctrl-C or SIGTERM."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
