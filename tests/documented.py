"""Whether the API answers as its OpenAPI document says: by a status that is described, with a body of its shape."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2
import jsonschema_rs

ELSEWHERE = (404, 405)
"""Of a path with a name in it: the name may lead to another route, or to none."""


class Answers:
    """The answers that a document describes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths, self._components = document["paths"], document["components"]

    def check(self, method: str, path: str, answer: httpx2.Response) -> None:
        """Raises AssertionError where an answer to an operation is none that is described."""
        operation = self._paths[path][method.lower()]
        status = str(answer.status_code)
        if answer.status_code in ELSEWHERE and "{" in path:
            return
        assert status in operation["responses"], (method, path, status, answer.text[:500])
        content = operation["responses"][status].get("content")
        if content is not None:
            for error in self._validator(method, path, status).iter_errors(answer.json()):
                raise AssertionError(f"{method} {path} {status}: {error.message}: {answer.text[:500]}")

    @cache  # noqa: B019 - as many as there are operations, for one test
    def _validator(self, method: str, path: str, status: str) -> Any:
        described = self._paths[path][method.lower()]["responses"][status]["content"]["application/json"][
            "schema"
        ]
        return jsonschema_rs.Draft202012Validator({**described, "components": self._components})
