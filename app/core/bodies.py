"""Reads JSON bodies strictly: what is no JSON in UTF-8 is told to the sender as that."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response


class JSONRoute(APIRoute):
    """A route whose JSON body is read by a parser that takes nothing on trust.

    The framework's own lets half of a surrogate pair through (`"\\ud800"`), which then can be neither
    stored nor answered, and answers other encodings and endless nesting with an error that says nothing.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return from_json(await self.body())
        except ValueError as error:
            # The error that the framework expects; where in the text it lies is in the message.
            raise json.JSONDecodeError(str(error), "", 0) from None
