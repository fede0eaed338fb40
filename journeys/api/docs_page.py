"""The pages for people who open the API in a browser: `/`, and `/docs`, which needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import journeys
from journeys.api.known_operations import Operation
from journeys.api.requests import answer

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}

STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;border:1px solid #8884;padding:.5rem}
details{border-top:1px solid #8884;padding:.4rem 0}summary{cursor:pointer}summary b{display:inline-block;width:4.5rem}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.15rem 1rem .15rem 0}
"""

_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "post", "put", "patch", "delete")


def page(described: Mapping[str, Any], later: Sequence[Operation]) -> str:
    """The documentation, made of the OpenAPI document, and the operations of Braze's API that are not built."""
    info = described["info"]
    title = f"{info['title']} {info['version']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        "<p>Send the key as <code>Authorization: Bearer jk_…</code>; every answer is a JSON object with a <code>message</code>.",
        'For programs: <a href="openapi.json">openapi.json</a>. <a href="#not-built">Not built yet</a>.</p>',
        *_routes(whole(described["paths"], described["components"]["schemas"])),
        '<h2 id="not-built">Operations of Braze’s API that are not built</h2>',
        "<p>Calls of these are answered with 404 and their name.</p>",
        *_later(later),
    ]
    return _html(f"The API of {title}", "\n".join(parts))


def whole(said: Any, schemas: Mapping[str, Any]) -> Any:
    """A part of the document with the schemas that it names written out, without the titles that say their names again.

    Example:
        >>> whole({"$ref": "#/components/schemas/Message"}, {"Message": {"title": "Message", "type": "object"}})
        {'type': 'object'}
    """
    if isinstance(said, list):
        return [whole(each, schemas) for each in said]
    if not isinstance(said, Mapping):
        return said
    if isinstance(said.get("$ref"), str):
        more = {name: each for name, each in said.items() if name != "$ref"}
        return whole({**schemas[said["$ref"].rpartition("/")[2]], **more}, schemas)
    return {
        name: whole(each, schemas)
        for name, each in said.items()
        if not (name == "title" and isinstance(each, str)) and (name, each) != ("default", None)
    }


def _html(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>\n{body}\n</html>"
    )


def _routes(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method in _METHODS:
            if method in operations:
                shared = operations.get("parameters", ())
                yield "".join(_operation(method, path, operations[method], shared))


def _operation(method: str, path: str, said: Mapping[str, Any], shared: Iterable[Any]) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {_words(said.get('summary', ''))}</summary>"
    if said.get("description"):
        yield f"<p>{_words(said['description'])}</p>"
    parameters = [*shared, *said.get("parameters", ())]
    if parameters:
        yield "<table><tr><th>parameter</th><th>in</th><th></th></tr>"
        for one in parameters:
            about = _words(one.get("description", ""))
            yield f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td><td>{about}</td></tr>"
        yield "</table>"
    if "requestBody" in said:
        yield f"<p>Body:</p>{_schema(said['requestBody'])}"
    yield "<p>Answers:</p><table>"
    for status, one in said["responses"].items():
        yield f"<tr><td>{escape(status)}</td><td>{_words(one['description'])}{_schema(one) if status < '300' else ''}</td></tr>"
    yield "</table></details>"


def _schema(said: Mapping[str, Any]) -> str:
    schemas = [content["schema"] for content in said.get("content", {}).values() if "schema" in content]
    return "".join(f"<pre>{escape(json.dumps(one, indent=2, ensure_ascii=False))}</pre>" for one in schemas)


def _words(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _later(later: Sequence[Operation]) -> Iterator[str]:
    for chapter, operations in groupby(later, key=lambda one: one.chapter):
        yield f"<h3>{escape(chapter)}</h3><table>"
        for one in operations:
            yield f"<tr><td>{one.method}</td><td><code>{escape(one.path)}</code></td><td>{escape(one.about)}</td></tr>"
        yield "</table>"


async def front(request: Request) -> Response:
    """Says what this is, and where its documentation is: to a browser as a page, to a program as JSON."""
    what = f"Journeys {journeys.__version__}"
    if "text/html" in request.headers.get("accept", ""):
        links = (
            '<a href="docs">documentation</a>, <a href="openapi.json">OpenAPI</a>, <a href="ready">state</a>'
        )
        body = f"<h1>{what}</h1><p>This is the API of an engine for customer journeys: {links}.</p>"
        return HTMLResponse(_html(what, body), headers={**HEADERS, "vary": "accept"})
    said = {"message": what, "documentation": "/docs", "openapi": "/openapi.json"}
    return answer(200, said, {"vary": "accept"})


def routes(described: Mapping[str, Any], later: Sequence[Operation]) -> list[Route]:
    """The two routes; they need no key."""
    text = page(described, later)

    async def docs(request: Request) -> Response:
        del request
        return HTMLResponse(text, headers=HEADERS)

    return [Route("/", front, methods=["GET"]), Route("/docs", docs, methods=["GET"])]
