"""sse-starlette with a queue per client. Run as `python sse_starlette_app.py PORT`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent  # type: ignore[import-not-found, unused-ignore]
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

QUEUE_SIZE = 100

queues: set[asyncio.Queue[tuple[int, str]]] = set()
published = 0


async def events(_request: Request) -> Response:
    queue: asyncio.Queue[tuple[int, str]] = asyncio.Queue(QUEUE_SIZE)
    queues.add(queue)

    async def stream() -> AsyncIterator[ServerSentEvent]:
        try:
            while True:
                number, alert = await queue.get()
                yield ServerSentEvent(alert, id=str(number))
        finally:
            queues.discard(queue)

    response: Response = EventSourceResponse(stream(), ping=30)
    return response


async def publish(request: Request) -> Response:
    global published
    published += 1
    alert = (await request.body()).decode()
    for queue in queues:
        if not queue.full():
            queue.put_nowait((published, alert))
    return Response(status_code=204)


app = Starlette(routes=[Route("/events", events), Route("/publish", publish, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
        access_log=False, log_level="warning", backlog=4096, timeout_graceful_shutdown=2,
    )  # fmt: skip
