"""A slice of a backtest in a process of its own."""

from __future__ import annotations

import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, Self

import msgspec

from stream.runtime import gc_tuning
from stream.runtime.backtest_slice import Advances, MakeEngine, Slice, SliceOutput, Totals

if TYPE_CHECKING:
    from collections.abc import Callable

# Encoded as one message: pickling the values one by one costs several times as much.
_write: Final = msgspec.msgpack.Encoder().encode
_read_advances: Final = msgspec.msgpack.Decoder(Advances).decode
_read_output: Final = msgspec.msgpack.Decoder(SliceOutput).decode


class SliceProcess:
    """A slice in a process of its own. The pool has one process, because the process holds the slice's tickets."""

    def __init__(self, make_engine: MakeEngine, feed_lag_limit: int, number: int, of: int) -> None:
        arguments = (make_engine, feed_lag_limit, number, of)
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=arguments)
        # A terminal sends Ctrl-C to all processes. Only this one handles it, and then ends the others; they inherit the mask.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._pool.submit(_nothing)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def decode(self, block: bytes) -> Callable[[], Advances]:
        advances = self._pool.submit(_decode, block)
        return lambda: _read_advances(advances.result())

    def process(self, advances: Advances) -> Callable[[], SliceOutput]:
        output = self._pool.submit(_process, _write(advances))
        return lambda: _read_output(output.result())

    def totals(self) -> Totals:
        return self._pool.submit(_totals).result()


_own: list[Slice] = []
"""The one slice of this process, if it is a slice's process."""


def _begin(make_engine: MakeEngine, feed_lag_limit: int, number: int, of: int) -> None:
    gc_tuning.configure()
    _own.append(Slice(make_engine(), feed_lag_limit, number, of))


def _nothing() -> None:
    """Lets the pool start its process."""


def _decode(block: bytes) -> bytes:
    return _write(_own[0].decode(block)())


def _process(advances: bytes) -> bytes:
    return _write(_own[0].process(_read_advances(advances))())


def _totals() -> Totals:
    # The slice is let go of here. At the end of the process, the garbage collector would visit all its tickets.
    return _own.pop().totals()
