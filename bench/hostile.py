"""How long the event loop is blocked while templates that use much processor time are rendered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from bench.pauses import longest_pause
from journeys.cli.servers import up
from journeys.engine.content import RenderError, Services, Template, Values, compile

VALUES = Values(
    profile={"first_name": "Mel"},
    custom_attributes={"list": [f"n{n}" for n in range(50)], "deep": None},
    now=datetime(2026, 12, 7, 9, tzinfo=UTC),
)
TEN = "{% assign s = 'aaaaaaaaaa' %}"
MEGA = TEN + "{% assign s = s | append: s %}" * 16
"""A variable `s` of 655,360 characters."""
_LETTERS = MEGA + "{% assign l = s | slice: 0, 99999 | split: '' %}"

EATERS: Mapping[str, str] = {
    "texts replaced": MEGA + "{% for a in (1..9999) %}{% assign t = s | replace: 'a', 'b' %}{% endfor %}",
    "tags stripped": MEGA
    + "{% assign s = s | slice: 0, 90000 | replace: 'a', '<!--' %}"
    + "{% for a in (1..9999) %}{% assign t = s | strip_html | size %}{% endfor %}",
    "lists sorted": _LETTERS + "{% for a in (1..9999) %}{% assign t = l | sort_natural | size %}{% endfor %}",
    "lists sorted in a row": _LETTERS + "{{ l " + "| sort_natural | reverse " * 200 + "| size }}",
    "lists made of lists": _LETTERS + "{% for a in (1..9999) %}{% assign t = l | map: 'x' %}{% endfor %}",
    "data read": MEGA
    + "{% assign s = s | slice: 0, 90000 | replace: 'a', '[1],' | prepend: '[' | append: '2]' %}"
    + "{% for a in (1..9999) %}{% assign t = s | json_parse | size %}{% endfor %}",
    "digests": MEGA + "{% for a in (1..9999) %}{% assign t = s | sha2 %}{% endfor %}",
    "blocks that go round": "{% for a in (1..9) %}{% for b in (1..1000) %}{{content_blocks.${work}}}{% endfor %}{% endfor %}",
    "long cells run anew": "{% for a in (1..9999) %}{% catalog_items shoes 1 :rerender %}{% endfor %}",
    "calls between": MEGA
    + "{% for a in (1..9999) %}{% connected_content https://a.example :save r %}"
    + "{% assign t = s | replace: 'a', 'b' | upcase | downcase | size %}{% endfor %}",
}
"""Each would go on for longer than a second of processor time."""


class World(Services):
    """Answers what these templates ask, at once."""

    def block(self, name: str) -> str | None:
        """See base class."""
        chain = "| plus: 1 | times: 3 | append: 'x' | upcase | slice: 0, 2 " * 20
        return f"{{% capture x %}}{{{{ a {chain}}}}}{{% endcapture %}}" if name == "work" else None

    async def items(self, catalog: str, ids: object) -> list[dict[str, object]]:
        """See base class."""
        del catalog, ids
        return [{"id": n, "text": "{{ 'a' | append: 'b' | upcase }}" * 30} for n in range(3)]


async def stall(template: Template) -> float:
    """The longest pause of the event loop while a template is rendered, in seconds."""

    async def render() -> None:
        with suppress(RenderError):
            await template.render_async(VALUES, World())

    return await longest_pause(render())


def stalls(tries: int = 3) -> dict[str, float]:
    """The longest pauses, in milliseconds: the best of a few tries for each template, since others use the machine too."""
    found = {}
    up()
    for name, source in EATERS.items():
        template = compile(source)
        assert template.needs_async or template.function is not None
        found[name] = 1000 * min(asyncio.run(stall(template)) for _ in range(tries))
        print(f"  {name:<32} {found[name]:9.1f} ms", flush=True)
    return {"liquid.stall_ms": round(max(found.values()), 1)}


if __name__ == "__main__":
    stalls()
