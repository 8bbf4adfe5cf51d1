"""The interface description (`/openapi.json`), with errors described as they are answered."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from app.core.errors import SCHEMAS, InvalidField, Problem, problem_content, problem_responses

_VALIDATION = str(InvalidField.status)


class DescribedAPI(FastAPI):
    """FastAPI describes every error of validation in its own format, which is not the one that is sent."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _with_problems(super().openapi())
        return self.openapi_schema


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
