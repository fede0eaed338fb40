"""Made-up templates, and values for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from journeys.engine.content.filters import FILTERS, takes

NAMES = ("a", "b", "item", "limit", "custom_attribute", "context", "x", "forloop")
TEXTS = (
    "",
    " ",
    "Mel",
    "a,b,c",
    "12",
    "3.5",
    "<b>&",
    "é ü",
    "2026-12-07",
    "%Y-%m",
    "-1",
    "name",
    "now",
    "Europe/Paris",
)
ATTRIBUTES = (
    "text", "blank", "empty", "number", "real", "no", "yes", "list", "mixed", "people", "object", "nothing", "when",
    "list[0]", "people[1].name", "two words",
)  # fmt: skip
KEYS = ("name", "size", "first", "last", "age", "tags")

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.floats(-9, 9, width=16).map(lambda n: round(n, 2)),
    st.sampled_from(TEXTS),
)  # fmt: skip
objects = st.dictionaries(
    st.sampled_from(KEYS), st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4
)
values = st.one_of(scalars, st.lists(scalars, max_size=5), objects, st.lists(objects, max_size=4))

attributes = st.fixed_dictionaries(
    {
        "text": st.sampled_from(TEXTS), "blank": st.just("  "), "empty": st.just(""), "number": st.integers(-5, 300),
        "real": st.floats(-9, 9, width=16), "no": st.just(False), "yes": st.just(True),
        "list": st.lists(scalars, max_size=6), "mixed": values, "people": st.lists(objects, max_size=4), "object": objects,
        "nothing": st.none(), "two words": st.sampled_from(TEXTS),
    },
)  # fmt: skip

worlds: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "now": st.just("2026-12-07T09:05:03Z"),
        "profile": st.fixed_dictionaries(
            {}, optional={"first_name": st.sampled_from(TEXTS), "n": st.integers(-2, 5)}
        ),
        "custom_attributes": attributes,
        "context": st.fixed_dictionaries({"x": values}, optional={"name": scalars}),
        "vars": st.fixed_dictionaries({"a": values, "b": scalars}, optional={"item": values}),
    }
)
"""Context files."""

literals = st.one_of(
    st.sampled_from(("true", "false", "nil", "blank", "empty")),
    st.integers(-3, 12).map(str),
    st.sampled_from(("0.5", "-2.25", "12.0", "0.0", "-0.0")),
    st.sampled_from(TEXTS).map(lambda text: f"'{text}'"),
)
roots = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(ATTRIBUTES).map(lambda name: f"custom_attribute.${{{name}}}"),
    st.sampled_from(("${first_name}", "${n}", "context.${x}", "context.${name}", "canvas_entry_properties.${x}")),
    st.sampled_from(("forloop.index", "forloop.last", "forloop.rindex0", "forloop.parentloop.index", "forloop.length", "item.name", "x.age")),
)  # fmt: skip
steps = st.one_of(
    st.sampled_from(KEYS).map(lambda key: f".{key}"),
    st.integers(-2, 3).map(lambda place: f"[{place}]"),
    st.sampled_from(KEYS).map(lambda key: f"['{key}']"),
    st.sampled_from(("a", "item", "x.name", "custom_attribute.${text}")).map(lambda name: f"[{name}]"),
)
paths = st.builds(lambda root, rest: root + "".join(rest), roots, st.lists(steps, max_size=2))
ranges = st.builds(
    lambda begin, end: f"({begin}..{end})", st.integers(-2, 4), st.one_of(st.integers(0, 9).map(str), paths)
)
primitives = st.one_of(literals, paths, paths, ranges)


@st.composite
def _filter(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(FILTERS)))
    wanted = takes(name)
    given = draw(st.lists(st.one_of(literals, paths), min_size=wanted.least, max_size=wanted.most))
    if wanted.named and draw(st.booleans()):
        given.append(f"{draw(st.sampled_from(sorted(wanted.named)))}: {draw(literals)}")
    return f" | {name}" + (": " + ", ".join(given) if given else "")


filters = _filter()
filtered = st.builds(lambda left, chain: left + "".join(chain), primitives, st.lists(filters, max_size=3))

comparisons = st.one_of(
    primitives,
    st.builds(
        lambda left, sign, right: f"{left} {sign} {right}",
        primitives,
        st.sampled_from(("==", "!=", "<", ">", "<=", ">=", "contains")),
        primitives,
    ),
)
conditions = st.builds(
    lambda first, more: first + "".join(f" {word} {one}" for word, one in more),
    comparisons,
    st.lists(st.tuples(st.sampled_from(("and", "or")), comparisons), max_size=2),
)
loops = st.builds(
    lambda name, over, more: f"{name} in {over}{more}",
    st.sampled_from(("a", "item", "x", "limit", "forloop")),
    st.one_of(paths, ranges),
    st.sampled_from(("", "", "", " limit:2", " offset:1", " reversed", " limit:1 offset:2", " offset:continue", " limit:item", " offset:'2'")),
)  # fmt: skip

plain = st.one_of(
    st.sampled_from((" ", "\n", "text", "é", "  \n ", "{ }", "$x", "</p>")),
    st.builds(lambda value, dash: f"{{{{{dash} {value} {dash}}}}}", filtered, st.sampled_from(("", "-"))),
    st.builds(
        lambda name, value: f"{{% assign {name} = {value} %}}", st.sampled_from(("a", "b", "item", "context", "y")), filtered
    ),
    st.builds(lambda value: f"{{% echo {value} %}}", filtered),
    st.sampled_from(
        (
            "{% comment %}{{ a }}{% endcomment %}", "{% raw %}{{ a }}{% endraw %}", "{% # note %}",
            "{% abort_message('enough') %}", "{% liquid assign b = 3\necho b\nif a\necho 'a'\nendif %}",
        )
    ),
)  # fmt: skip


stateful = st.sampled_from(
    (
        "{% increment n %}",
        "{% decrement a %}",
        "{% cycle 'o', 'e' %}",
        "{% cycle a: 1, 2 %}",
        "{% tablerow a in (1..3) cols:2 %}{{ a }}{% endtablerow %}",
        "{% tablerow a in custom_attribute.${list} limit:2 %}{{ a }}{{ tablerowloop.col }}{% endtablerow %}",
        "{% random 9 %}",
        "{% message_extras :key a{{ b }} :value {{ item }} %}",
        "{% tablerow a in b %}{{ tablerowloop.col_last }}{% endtablerow %}",
    )
)
"""What looks at the scope, or changes it, by itself."""


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, max_size=4).map("".join)
    leaving = st.sampled_from(
        (
            "",
            "",
            "",
            "{% break %}",
            "{% if item %}{% continue %}{% endif %}",
            "{% if forloop.index > 1 %}{% break %}{% endif %}",
        )
    )
    return st.one_of(
        st.builds(
            lambda condition, yes, others, no: f"{{% if {condition} %}}{yes}"
            + "".join(f"{{% elsif {one} %}}{text}" for one, text in others)
            + (f"{{% else %}}{no}" if no is not None else "")
            + "{% endif %}",
            conditions, body, st.lists(st.tuples(conditions, body), max_size=2), st.none() | body,
        ),
        st.builds(lambda condition, text: f"{{% unless {condition} %}}{text}{{% endunless %}}", conditions, body),
        st.builds(
            lambda loop, text, leave, no: f"{{% for {loop} %}}{text}{leave}{text}" + (f"{{% else %}}{no}" if no is not None else "") + "{% endfor %}",
            loops, body, leaving, st.none() | body,
        ),
        st.builds(
            lambda over, branches, no: f"{{% case {over} %}}"
            + "".join(f"{{% when {', '.join(when)} %}}{text}" for when, text in branches)
            + f"{{% else %}}{no}{{% endcase %}}",
            paths, st.lists(st.tuples(st.lists(primitives, min_size=1, max_size=2), body), min_size=1, max_size=2), body,
        ),
        st.builds(lambda name, text: f"{{% capture {name} %}}{text}{{% endcapture %}}", st.sampled_from(("a", "item", "z")), body),
    )  # fmt: skip


def _sources(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.recursive(leaves, _blocks, max_leaves=12), min_size=2, max_size=8).map("".join)


sources = st.one_of(_sources(plain), _sources(plain), _sources(st.one_of(plain, plain, plain, stateful)))
"""Templates; a few of them cannot be read."""

calling = st.sampled_from(
    (
        "{% connected_content https://api.example.com/person?n={{a}} :save person %}{{ person.name }}",
        "{% connected_content https://api.example.com/word %}",
        "{% connected_content https://api.example.com/liquid :rerender :save a %}{{ a.name }}{{ a.list[0] }}",
        "{% connected_content https://api.example.com/word :method post :body n={{ a }}&m={{ b }} :retry %}",
        "{% catalog_items shoes 17 {{ item }} %}{{ items[0].name }}",
        "{% catalog_items shoes 2 17 :rerender %}{% for item in items %}{{ item.name }}{{ item.note }}{% endfor %}",
        "{% catalog_selection_items shoes on_sale %}{{ items | map: 'name' | join }}",
        "{% catalog_selection_items shoes {{ 'on_sale' }} :rerender %}{{ items[0].note | upcase }}",
        "{{ product_recommendation.${likely} | map: 'name' | first }}",
        "{% random 100 %}{% random %}",
        "{% message_extras :key k{{ a }} :value {{ b }} %}",
        "{% promotion('spring') %}",
        "{{content_blocks.${hello}}}",
        "{% assign b = {{content_blocks.${sets}}} | upcase %}",
        "{{content_blocks.${asks}}}",
        "{{content_blocks.${leaves}}}",
        "{% shopping_cart c1 %}{{ shopping_cart.total_value }}",
    )
)
calls = st.one_of(_sources(st.one_of(plain, plain, calling)), _sources(st.one_of(plain, calling, stateful)))
"""Templates that ask somebody."""

ANSWERS: dict[str, Any] = {
    "content_blocks": {
        "hello": "Hello {{${first_name}}} {{ item }}{{ forloop.index }}!",
        "sets": "{% assign a = 'set inside' %}{{ a }}",
        "asks": "{% connected_content https://api.example.com/word :save a %}[{{ a }}]",
        "leaves": "{% if forloop.index == 2 %}{% break %}{% endif %}on",
    },
    "catalogs": {
        "shoes": {
            "17": {
                "name": "Runner",
                "note": "for {{ ${first_name} | default: 'you' }}{% assign b = 'cell' %}",
            },
            "2": {
                "name": "Walker",
                "note": "{% if a %}{{ a }}{% endif %}{% connected_content https://x.example %}",
            },
        }
    },
    "selections": {
        "shoes": {"on_sale": [{"name": "Runner", "note": "{{ b }}"}, {"name": "Walker", "note": 3}]}
    },
    "product_recommendation": {"likely": [{"name": "Runner"}]},
    "promotions": {"spring": ["SPRING-1"]},
    "shopping_carts": {"c1": {"cart_id": "c1", "total_value": 140}},
    "connected_content": [
        {"url": "https://api.example.com/person?n=", "body": {"name": "Ann"}},
        {"url": "https://api.example.com/person?n=2", "body": {"name": "Bea"}},
        {"url": "https://api.example.com/word", "method": "GET", "body": "sunny"},
        {"url": "https://api.example.com/word", "method": "POST", "status": 503, "body": "busy"},
        {
            "url": "https://api.example.com/liquid",
            "body": {"name": "{{ item | default: 'x' }}", "list": ["{{ b }}", 1]},
        },
    ],
}
"""What they are answered."""
