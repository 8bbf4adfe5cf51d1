"""The interface description: as a document at `/openapi.json`, and as a page to read and try at `/docs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.core.errors import SCHEMAS, InvalidField, Problem, problem_content, problem_responses

_VALIDATION = str(InvalidField.status)


PAGE = "/docs"
_ASSETS = f"{PAGE}/assets"


class DescribedAPI(FastAPI):
    """FastAPI describes every error of validation in its own format, which is not the one that is sent.

    Its page would load Swagger UI from elsewhere on the internet, which a hospital's network does not
    reach; here the files come from the package `fastapi-offline`, and from this server.

    Args:
        messages: models that streams carry, and that have a place among the schemas though no route answers with one.
    """

    def __init__(self, *, messages: Sequence[type[BaseModel]] = (), **settings: Any) -> None:
        self._messages = messages
        super().__init__(docs_url=None, redoc_url=None, **settings)
        self.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs_assets")
        self.add_api_route(PAGE, self._page, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["schemas"] = _schemas_of(self._messages) | document["components"]["schemas"]
            self.openapi_schema = _with_problems(document)
        return self.openapi_schema

    def _page(self) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=str(self.openapi_url),
            title=self.title,
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )


def _schemas_of(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    _, document = models_json_schema([(model, "validation") for model in models], ref_template=SCHEMAS + "{model}")
    found: dict[str, Any] = document.get("$defs", {})
    return found


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document["components"]["schemas"]
    for frameworks_own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(frameworks_own, None)
    problem = Problem.model_json_schema(ref_template=SCHEMAS + "{model}")
    schemas |= problem.pop("$defs")
    schemas[Problem.__name__] = problem
    for path in document["paths"].values():
        for operation in path.values():
            responses: dict[str, Any] = operation["responses"]
            if _VALIDATION in responses:
                responses[_VALIDATION] = problem_responses(InvalidField)[InvalidField.status]
            responses["default"] = {"description": "Any other error", "content": problem_content()}
    return document
