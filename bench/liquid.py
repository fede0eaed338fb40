"""The Liquid dialect against python-liquid and Jinja2, in one run; and the cost of refusing templates with errors."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import jinja2
import liquid

from bench.hostile import stalls
from journeys.engine.content import TemplateError, Values, compile
from journeys.engine.content.render import parse

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
ROUNDS = 100
RENDERS = 50
"""Short rounds, one side after the other: what else the machine does meets all of them alike."""

_MAIL = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Your week at Corner Books</title>
  <style>
    body {margin: 0; font-family: Georgia, serif; color: #222; background: #fafafa}
    .page {max-width: 600px; margin: 0 auto; padding: 24px; background: #fff}
    .item {padding: 12px 0; border-bottom: 1px solid #eee}
    .price {float: right; font-weight: bold}
    .button {display: inline-block; padding: 12px 24px; background: #063; color: #fff; text-decoration: none}
    .small {font-size: 12px; color: #777}
  </style>
</head>
<body>
<div class="page">
  <h1>Good morning, @1@!</h1>
  <p>You live in @2@, so your parcel leaves our shop tomorrow and needs two days to reach you.</p>
  @3@<p>As a gold member you pay nothing for delivery, wherever it goes.</p>@4@<p>Delivery costs 4.90 this week, and nothing at all for gold members.</p>@5@
  @6@<p>There are still @7@ points on your account; they are good until the end of the year.</p>@8@
  <h2>Still in your basket</h2>
  @9@
  <div class="item">
    <span class="price">@10@ EUR</span>
    <strong>@11@</strong><br>
    <a href="https://books.example.com/items/@12@">Look at it once more</a>
  </div>
  @13@
  <p>What others say of it: @14@</p>
  @15@<p>The shop in your street is open today until eight in the evening.</p>@16@
  <p><a class="button" href="https://books.example.com/basket?ref=@17@">To my basket</a></p>
  <p class="small">You get this mail because you signed up for it at Corner Books, 1 Corner Street. If you would rather
  not hear from us any more, say so with a click, and we shall be silent from then on. Your language: @18@.</p>
</div>
</body>
</html>
"""
OURS = [
    "{{ ${first_name} | default: 'friend' | capitalize }}", "{{ custom_attribute.${city} | escape }}",
    "{% if custom_attribute.${tier} == 'gold' %}", "{% else %}", "{% endif %}",
    "{% if custom_attribute.${points} > 100 %}", "{{ custom_attribute.${points} }}", "{% endif %}",
    "{% for item in custom_attribute.${basket} %}", "{{ item.price }}", "{{ item.title | escape }}", "{{ item.id }}", "{% endfor %}",
    "{{ event_properties.${review} | truncate: 60 }}", "{% if context.${shop_open} %}", "{% endif %}",
    "{{ campaign.${name} | replace: ' ', '-' | downcase }}", "{{ ${language} }}",
]  # fmt: skip
_STOCK = [
    "{{ first_name | default: 'friend' | capitalize }}", "{{ custom_attribute.city | escape }}",
    "{% if custom_attribute.tier == 'gold' %}", "{% else %}", "{% endif %}",
    "{% if custom_attribute.points > 100 %}", "{{ custom_attribute.points }}", "{% endif %}",
    "{% for item in custom_attribute.basket %}", "{{ item.price }}", "{{ item.title | escape }}", "{{ item.id }}", "{% endfor %}",
    "{{ event_properties.review | truncate: 60 }}", "{% if context.shop_open %}", "{% endif %}",
    "{{ campaign.name | replace: ' ', '-' | downcase }}", "{{ language }}",
]  # fmt: skip
_JINJA = [
    "{{ first_name | default('friend', true) | capitalize }}", "{{ custom_attribute.city | escape }}",
    "{% if custom_attribute.tier == 'gold' %}", "{% else %}", "{% endif %}",
    "{% if custom_attribute.points > 100 %}", "{{ custom_attribute.points }}", "{% endif %}",
    "{% for item in custom_attribute.basket %}", "{{ item.price }}", "{{ item.title | escape }}", "{{ item.id }}", "{% endfor %}",
    "{{ event_properties.review | truncate(60, true, '...', 0) }}", "{% if context.shop_open %}", "{% endif %}",
    "{{ campaign.name | replace(' ', '-') | lower }}", "{{ language }}",
]  # fmt: skip


def mail(expressions: list[str]) -> str:
    """The mail in one of the three languages."""
    text = _MAIL
    for place in range(len(expressions), 0, -1):
        text = text.replace(f"@{place}@", expressions[place - 1])
    return text


def _attributes() -> dict[str, Any]:
    basket = [
        {"id": 1017, "title": "Pens & Paper", "price": 12.9},
        {"id": 2044, "title": "The <Long> Way", "price": 24.5},
        {"id": 3071, "title": "Tea for Two", "price": 8.0},
    ]
    return {"city": "Saint-Étienne", "tier": "gold", "points": 240, "basket": basket}


_REVIEW = {
    "review": "A quiet book that one does not forget; I read it in one night, and again in the morning."
}


def ours() -> str:
    """Rendered by this dialect: the values are built, the template comes from the cache."""
    values = Values(
        profile={"first_name": "mel", "language": "en"},
        custom_attributes=_attributes(),
        context={"shop_open": True},
        event_properties=dict(_REVIEW),
        campaign={"name": "Weekly Basket"},
        now=NOW,
    )
    return compile(_OUR_MAIL).render(values)


def _others() -> dict[str, Any]:
    return {
        "first_name": "mel",
        "language": "en",
        "custom_attribute": _attributes(),
        "context": {"shop_open": True},
        "event_properties": dict(_REVIEW),
        "campaign": {"name": "Weekly Basket"},
    }


class Stock(liquid.Environment):
    """python-liquid as it comes, with its limits on."""

    loop_iteration_limit = 10_000
    output_stream_limit = 1024 * 1024
    local_namespace_limit = 1024 * 1024


_OUR_MAIL = mail(OURS)
_STOCK_TEMPLATE = Stock().from_string(mail(_STOCK))
_JINJA_TEMPLATE = jinja2.Environment(autoescape=False).from_string(mail(_JINJA))


def python_liquid() -> str:
    """Rendered by python-liquid."""
    return _STOCK_TEMPLATE.render(_others())


def jinja() -> str:
    """Rendered by Jinja2."""
    return _JINJA_TEMPLATE.render(_others())


def _time(work: Callable[[], object], times: int) -> float:
    """Seconds of this thread's processor time: what else runs on the machine is none of them."""
    begun = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begun) / times


BROKEN: Mapping[str, Callable[[int], str]] = {
    "an output and spaces": lambda size: "{{ a" + " " * size,
    "outputs that open": lambda size: "{{ " * (size // 3),
    "tags that open": lambda size: "{% " * (size // 3),
    "a tag and spaces": lambda size: "{% if a" + " " * size,
    "an open raw": lambda size: "{% raw %}" + "{% " * (size // 3),
    "raws that open": lambda size: "{% raw %}" * (size // 9),
    "comments that open": lambda size: "{% comment %}" * (size // 13),
    "raws in an open comment": lambda size: "{% comment %}" + "{% raw %}" * (size // 9),
    "ifs that open": lambda size: "{% if a %}" * (size // 10),
    "fors that open": lambda size: "{% for a in b %}x" * (size // 17),
    "ifs after an open one": lambda size: "{% if a %}" + "{% if b %}{% endif %}" * (size // 21),
    "names that open": lambda size: "{{ ${" + "${ " * (size // 3),
    "a name with spaces": lambda size: "{% if ${" + " " * size + "{ %}{% endif %}",
    "a long expression": lambda size: "{{ a " + "| upcase " * (size // 9) + "| }}",
    "many words": lambda size: "{{ a " + "b " * (size // 2) + "}}",
    "many quotes": lambda size: "{{ a | append: " + "'\"" * (size // 2) + " }}",
    "brackets that open": lambda size: "{{ a" + "[" * size + " }}",
    "parentheses that open": lambda size: "{{ " + "(" * size + " }}",
    "dots": lambda size: "{{ a" + "." * size + " }}",
    "digits": lambda size: "{{ " + "1" * size + "a. }}",
    "many conditions": lambda size: "{% if " + "a and " * (size // 6) + "%}{% endif %}",
    "a liquid tag of spaces": lambda size: "{% liquid echo a" + " " * size + "| %}",
    "many lines": lambda size: "\n" * size + "{{",
    "an unknown tag at the end": lambda size: "{{ a }}" * (size // 7) + "{% nothing %}",
    "an unknown filter at the end": lambda size: (
        "x{% if a %}b{% endif %}" * (size // 23) + "{{ a | nothing }}"
    ),
}
"""Templates that cannot be read, of about so many characters."""


def refusal(size: int, kind: str, tries: int = 3) -> float:
    """Seconds to refuse a broken template: the best of a few tries."""
    source = BROKEN[kind](size)

    def refuse() -> None:
        try:
            parse(source)
        except TemplateError:
            return
        raise AssertionError(f"not refused: {kind}")

    return min(_time(refuse, 1) for _ in range(tries))


def refusals() -> dict[str, float]:
    """How refusing grows with the length, from 1 KB to 1 MB: time is length to the power of this; 1 is linear.

    `refuse_1mb_vs_1kb`: a byte's share of the time at 1 MB by that at 1 KB, of the kind where it is largest.
    """
    exponents, shares, slowest, name = [], [], 0.0, ""
    for kind in BROKEN:
        sizes = [1_000, 10_000, 100_000, 1_000_000]
        times = [refusal(size, kind, 3 if size < 1_000_000 else 2) for size in sizes]
        slopes = [math.log10(after / before) for before, after in pairwise(times)]
        exponents.append(statistics.mean(slopes))
        shares.append(times[-1] / times[0] * sizes[0] / sizes[-1])
        if times[-1] > slowest:
            slowest, name = times[-1], kind
        print(
            f"  {kind:<32} {1000 * times[0]:9.3f} {1000 * times[-1]:9.2f} ms  {exponents[-1]:.2f} {shares[-1]:.2f}",
            flush=True,
        )
    print(f"  the slowest: {name}")
    return {
        "liquid.refusal_exponent": round(max(exponents), 2),
        "liquid.refusal_exponent_median": round(statistics.median(exponents), 2),
        "liquid.refusal_ms_1mb": round(1000 * slowest, 1),
        "liquid.refuse_1mb_vs_1kb": round(max(shares), 2),
        "liquid.refuse_1mb_vs_1kb_median": round(statistics.median(shares), 2),
    }


def measure() -> dict[str, float]:
    """All of it."""
    assert ours().split() == python_liquid().split() == jinja().replace("&#34;", "&quot;").split()
    sides: dict[str, Callable[[], str]] = {"ours": ours, "python_liquid": python_liquid, "jinja2": jinja}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for work in sides.values():
        _time(work, RENDERS)
    for _ in range(ROUNDS):
        for name, work in sides.items():
            times[name].append(_time(work, RENDERS))
    ratios = {}
    for name in ("python_liquid", "jinja2"):
        each = [mine / theirs for mine, theirs in zip(times["ours"], times[name], strict=True)]
        low, middle, high = statistics.quantiles(each, n=4)
        ratios[f"liquid.vs_{name}"] = round(middle, 2)
        ratios[f"liquid.vs_{name}.spread"] = round(high - low, 3)
    parsed = [_time(lambda: parse(_OUR_MAIL), 5) for _ in range(9)]
    made = [_time(lambda: parse(_OUR_MAIL).function, 5) for _ in range(9)]
    template = parse(_OUR_MAIL)
    values = Values(custom_attributes=_attributes(), now=NOW)
    tree = [_time(lambda: template.render_by_tree(values), RENDERS) for _ in range(9)]
    return {
        **ratios,
        **{f"liquid.render_us.{name}": round(1e6 * statistics.median(times[name]), 1) for name in sides},
        "liquid.render_us.tree": round(1e6 * statistics.median(tree), 1),
        "liquid.parse_us": round(1e6 * statistics.median(parsed)),
        "liquid.generate_us": round(1e6 * (statistics.median(made) - statistics.median(parsed))),
        **refusals(),
        **stalls(),
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:<32} {value:,}")
