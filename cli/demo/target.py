"""What the demo's workflows call: a small shop and its services, on this machine alone."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from cli.client.errors import UNUSABLE, ClientError

HOST: Final = "127.0.0.1"
# The port in the workflow files of the demo.
PORT: Final = 8707
FAILURES_BEFORE_PAYMENT: Final = 2
START_SECONDS: Final = 10.0
_REGIONS: Final = ("north", "east", "south", "west", "coast", "hills", "islands", "capital", "lakes", "atlantis")
_SECONDS_OF_WORK: Final = 0.15
_COUNTED: Final = {
    "/reviews": "review",
    "/shipments": "tracking",
    "/transfers": "transfer",
    "/reports": "report",
    "/mail": "mail",
    "/pages": "page",
    "/incidents": "incident",
}


class DemoTarget:
    """The services. What comes twice with the same Idempotency-Key is done once, as good services do."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._attempts: Counter[str] = Counter()
        self._answers: dict[str, dict[str, Any]] = {}
        self._numbers: Counter[str] = Counter()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer in a thread of its own; raises ClientError where the port is taken."""
        loop = asyncio.new_event_loop()
        runner = web.AppRunner(self._make_app(), access_log=None)
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            try:
                asyncio.run_coroutine_threadsafe(self._listen(runner), loop).result(START_SECONDS)
            except OSError:
                message = f"The port {self.port} of the demo's target is taken. Name another by --target-port."
                raise ClientError(message, UNUSABLE) from None
            yield
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(START_SECONDS)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(START_SECONDS)
            loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        await web.TCPSite(runner, HOST, self.port, shutdown_timeout=1).start()

    def _make_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/orders/{order}", self._show_order)
        app.router.add_post("/payments", self._take_payment)
        app.router.add_get("/regions", self._list_regions)
        app.router.add_get("/sales/{region}", self._show_sales)
        for path in _COUNTED:
            app.router.add_post(path, self._take)
        return app

    async def _show_order(self, request: web.Request) -> web.Response:
        order = request.match_info["order"]
        items = [{"sku": "lamp", "n": 2}, {"sku": "table", "n": 1}]
        return web.json_response({"id": order, "customer": "Ada", "total": 240, "items": items})

    async def _take_payment(self, request: web.Request) -> web.Response:
        """As busy as payment services are: it takes an order only when it is asked for the third time."""
        key = request.headers.get("Idempotency-Key", "")
        self._attempts[key] += 1
        if self._attempts[key] <= FAILURES_BEFORE_PAYMENT:
            return web.json_response({"error": "try again later"}, status=503)
        return await self._take(request, "payment")

    async def _list_regions(self, _request: web.Request) -> web.Response:
        return web.json_response([{"id": region} for region in _REGIONS])

    async def _show_sales(self, request: web.Request) -> web.Response:
        region = request.match_info["region"]
        await asyncio.sleep(_SECONDS_OF_WORK)
        if region not in _REGIONS or region == "atlantis":
            return web.json_response({"error": "no such region"}, status=404)
        return web.json_response({"region": region, "sales": 200 + 150 * _REGIONS.index(region)})

    async def _take(self, request: web.Request, what: str | None = None) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        if key not in self._answers:
            name = what or _COUNTED[request.path]
            self._numbers[name] += 1
            self._answers[key] = {name: f"{name}-{self._numbers[name]}"}
        return web.json_response(self._answers[key], status=201)
