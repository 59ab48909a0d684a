"""Serves the metrics and the health checks of ``breachwatch writeback``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from stream.runtime.listen_address import Address
    from stream.writeback.metrics import WritebackMetrics
    from stream.writeback.service import Service

_ALIVE_SECONDS: Final = 60.0
"""A loop that has not read the outputs for so long hangs. While Kafka is away it goes on reading, and gets nothing."""


class Server:
    """``/metrics``, ``/healthz`` (it runs), ``/readyz`` (it has read the outputs, and each desk takes changes)."""

    def __init__(self, service: Service, metrics: WritebackMetrics) -> None:
        self._service: Final = service
        self._metrics: Final = metrics
        app = web.Application()
        app.router.add_get("/metrics", self._exposed)
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._ready)
        self._runner: Final = web.AppRunner(app, access_log=None)

    async def start(self, address: Address) -> Address:
        """Listen there, and return the address with the port that was taken. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, address.host, address.port).start()
        return address._replace(port=self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _exposed(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _alive(self, _: web.Request) -> web.Response:
        silent = time.monotonic() - self._service.polled
        if silent > _ALIVE_SECONDS:
            return web.Response(status=503, text=f"the outputs were last read {silent:.0f} s ago\n")
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        failing = [f"{desk.file.name}: {desk.problem}" for desk in self._service.desks if desk.problem]
        if not self._service.caught_up:
            failing.insert(0, "the outputs are not yet read to their end")
        return web.Response(status=503 if failing else 200, text="\n".join(failing or ["ready"]) + "\n")
