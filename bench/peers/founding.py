"""The founding document's design: a queue of 100 messages per client, JSON written anew for each client.

Run as `python founding.py PORT`. It checks no token and keeps no log, which the real one would.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

QUEUE_SIZE = 100
KEEPALIVE_SECONDS = 30.0

app = FastAPI()
queues: set[asyncio.Queue[tuple[int, dict[str, Any]]]] = set()
published = 0


@app.get("/events")
async def events() -> StreamingResponse:
    queue: asyncio.Queue[tuple[int, dict[str, Any]]] = asyncio.Queue(QUEUE_SIZE)
    queues.add(queue)

    async def stream() -> AsyncIterator[str]:
        try:
            while True:  # Starlette ends it when the client goes
                try:
                    number, alert = await asyncio.wait_for(queue.get(), KEEPALIVE_SECONDS)
                except TimeoutError:
                    yield ": keepalive\n\n"
                else:
                    yield f"id: {number}\ndata: {json.dumps(alert)}\n\n"
        finally:
            queues.discard(queue)

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


@app.post("/publish", status_code=204)
async def publish(request: Request) -> Response:
    global published
    published += 1
    alert = await request.json()
    for queue in queues:
        if not queue.full():  # the document's answer to a slow client
            queue.put_nowait((published, alert))
    return Response(status_code=204)


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
        access_log=False, log_level="warning", backlog=4096, timeout_graceful_shutdown=2,
    )  # fmt: skip
