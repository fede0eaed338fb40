"""The tags that the dialect adds, rule by rule. The world that answers them is that of a context file."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from journeys.engine.content import Aborted, Call, RenderError, Reply, Retry, TemplateError, Values, compile
from journeys.engine.content.context_files import FileServices, context_of, services_of

WORLD: dict[str, Any] = {
    "now": "2026-12-07T09:05:03Z",
    "profile": {"first_name": "Mel", "user_id": "mel-1", "email_address": "mel@example.com"},
    "custom_attributes": {"id": "17", "words": "red shoes & more", "catalog": "shoes", "cart": "c1", "token": "s3"},
    "content_blocks": {
        "hello": "Hello {{${first_name}}}!",
        "sets": "{% assign shown = 'set inside' %}",
        "list": "a,b,c",
        "outer": "[{{content_blocks.${inner}}}]",
        "inner": "in({{content_blocks.${third}}})",
        "third": "third",
        "self": "x{{content_blocks.${self}}}",
        "asks": "{% connected_content https://api.example.com/word %}",
        "code": "{% promotion('spring') %}",
        "broken": "{% if %}",
    },
    "catalogs": {
        "shoes": {
            "17": {"name": "Runner", "price": 80, "text": "For {{${first_name}}}", "tag": "{% catalog_items shoes 18 %}x"},
            "18": {"name": "Walker", "price": 60},
        }
    },
    "selections": {"shoes": {"on-sale_1": [{"id": str(n), "name": f"no {n}"} for n in range(60)]}},
    "promotions": {"spring": ["SPRING-1", "SPRING-2"], "empty": []},
    "shopping_carts": {
        "c1": {"cart_id": "c1", "total_value": 140, "products": [{"product_id": "17"}, {"product_id": "18"}]},
        "c2": {"cart_id": "c2", "ordered": True, "products": []},
    },
    "product_recommendation": {"for_you": [{"name": "Sock"}]},
    "connected_content": [
        {"url": "https://api.example.com/word", "body": "sunny"},
        {"url": "https://api.example.com/person", "body": {"name": "Ann", "ids": [1, 2]}},
        {"url": "https://api.example.com/list", "body": [1, 2, 3]},
        {"url": "https://api.example.com/gone", "status": 404, "body": {"name": "nobody"}},
        {"url": "https://api.example.com/busy", "status": 503},
        {"url": "https://api.example.com/created", "status": 201, "body": {"id": 5}},
        {"url": "https://api.example.com/post", "method": "POST", "body": "posted"},
        {"url": "https://api.example.com/q?w=red shoes & more", "body": "found"},
        {"url": "https://api.example.com/liquid", "body": "Dear {{${first_name}}} {{'{{x}}'}}"},
        {"url": "https://api.example.com/nested", "body": "a{% connected_content https://api.example.com/word %}b"},
        {"url": "https://api.example.com/deep", "body": {"a": ["{{${first_name}}}"], "b": "{% catalog_items shoes 17 %}z"}},
        {"url": "https://api.example.com/bad", "body": "{% if %}"},
    ],
    "credentials": {
        "basic": {"username": "u", "password": "p"},
        "key": {"headers": {"X-Key": "1"}, "allowed_domain": "api.example.com"},
    },
}  # fmt: skip


class Watched(FileServices):
    """Answers from the file, and keeps what was asked."""

    calls: list[Call]

    async def connected(self, call: Call) -> Reply:
        self.calls = [*getattr(self, "calls", []), call]
        return await super().connected(call)


def world(**changes: Any) -> tuple[Values, Watched]:
    given = {**WORLD, **changes}
    services = services_of(given)
    return context_of(given), Watched(services._world)


async def said(source: str, **changes: Any) -> str:
    values, services = world(**changes)
    return await compile(source).render_async(values, services)


async def asked(source: str) -> Call:
    values, services = world()
    with suppress(Retry):
        await compile(source).render_async(values, services)
    return services.calls[-1]


API = "https://api.example.com"
CASES = [
    ("4.3", f"{{% connected_content {API}/word %}}", "sunny"),
    ("4.3", f"[{{% connected_content {API}/person %}}]{{{{connected.name}}}}", "[]Ann"),
    ("4.3", f"[{{% connected_content {API}/person :save p %}}]{{{{p.name}}}}{{{{p.ids[1]}}}}", "[]Ann2"),
    ("4.3", f"[{{% connected_content {API}/word :save w %}}]{{{{w | upcase}}}}", "[]SUNNY"),
    ("4.3", f"{{% connected_content {API}/person :save p %}}{{% connected_content {API}/q?w={{{{custom_attribute.${{words}}}}}} %}}", "found"),
    ("4.3", f"{{% connected_content {API}/post :method post %}}{{% connected_content {API}/post %}}", "posted"),
    ("4.3", f"{{% connected_content {API}/liquid :rerender %}}", "Dear Mel {{x}}"),
    ("4.3", f"{{% connected_content {API}/liquid %}}", "Dear {{${first_name}}} {{'{{x}}'}}"),
    ("4.3", f"{{% connected_content {API}/nested :rerender %}}", "ab"),
    ("4.3", f"{{% connected_content {API}/deep :save d :rerender %}}{{{{d.a[0]}}}}{{{{d.b}}}}{{{{items.size}}}}", "Melz"),
    ("C1", f"a{{% connected_content {API}/gone :save g %}}{{{{g.name}}}}{{% if g == nil %}}nil{{% endif %}}", "anil"),
    ("C1", f"{{% connected_content {API}/person %}}{{% connected_content {API}/gone %}}{{{{connected.name}}}}", ""),
    ("C1", "{% connected_content https://elsewhere.example.com :save x %}{% if x %}x{% else %}none{% endif %}", "none"),
    ("C2", f"{{% connected_content {API}/created :save c %}}{{{{c.__http_status_code__}}}} {{{{c.id}}}}", "201 5"),
    ("C2", f"{{% connected_content {API}/gone :save g %}}{{% if g.__http_status_code__ != 200 %}}no{{% endif %}}", "no"),
    ("C2", f"{{% connected_content {API}/list :save l %}}{{{{l.__http_status_code__}}}}{{{{l.size}}}}", "3"),
    ("C4", f"{{% connected_content {API}/wo&nbsp;rd\u00a0 %}}", "sunny"),
    ("K1", "{% catalog_items shoes 18 17 %}{{items[0].name}} {{items[1].name}} {{items[1].id}}", "Walker Runner 17"),
    ("K1", "{% catalog_items {{custom_attribute.${catalog}}} {{custom_attribute.${id}}} %}{{items[0].name}}", "Runner"),
    ("K1 L4", "{% catalog_items shoes custom_attribute.${id} %}{{items[0].name}}", "Runner"),
    ("K1", "{% assign x = '17' %}{% catalog_items shoes {{x}}, 18 %}{{items.size}}", "2"),
    ("K2", "{% catalog_items shoes 99 %}{{items.size}}[{{items[0].name}}]", "0[]"),
    ("K2", "{% catalog_items hats 17 %}{{items.size}}", "0"),
    ("K3", "{% catalog_selection_items shoes on-sale_1 %}{{items.size}} {{items[1].name}}", "50 no 1"),
    ("K3", "{% catalog_selection_items shoes nothing %}{{items.size}}", "0"),
    ("K4", "{% catalog_items shoes 17 %}{{items[0].text}}", "For {{${first_name}}}"),
    ("K4", "{% catalog_items shoes 17 :rerender %}{{items[0].text}}|{{items[0].tag}}|{{items[0].name}}", "For Mel|x|Runner"),
    ("K7", "{% catalog_items shoes 17 %}{% catalog_items shoes 18 %}{{items[0].name}}", "Walker"),
    ("K7 S1", "{% shopping_cart {{custom_attribute.${cart}}} %}{% for p in shopping_cart.products %}{% catalog_items shoes {{p.product_id}} %}{{items[0].name}} {% endfor %}", "Runner Walker "),
    ("S1", "{% shopping_cart c1 %}{{shopping_cart.cart_id}} {{shopping_cart.total_value}}", "c1 140"),
    ("S1", "{% shopping_cart c2 :abort_if_not_abandoned false %}{{shopping_cart.cart_id}}", "c2"),
    ("S1", "{% shopping_cart none %}[{{shopping_cart.cart_id}}]", "[]"),
    ("S2", "{% assign items = {{product_recommendation.${for_you}}} %}{{items[0].name}}[{{items[5].name}}]", "Sock[]"),
    ("S2", "{{product_recommendation.${none}.size}}{% for x in product_recommendation.${none} %}x{% else %}none{% endfor %}", "0none"),
    ("P1", "{% promotion(' spring ') %} {% promotion(\"spring\") %}", "SPRING-1 SPRING-1"),
    ("P5", "{% if true %}{% promotion('spring') %}{% endif %}", "SPRING-1"),
    ("P5", "{% capture c %}{% promotion('spring') %}{% endcapture %}[{{c}}]", "[SPRING-1]"),
    ("P5", "{% if true %}{% connected_content " + API + "/word %}{% endif %}", "sunny"),
    ("B1", "{{content_blocks.${hello}}}", "Hello Mel!"),
    ("B1", "{{content_blocks.${sets}}}{{shown}}", "set inside"),
    ("B1", "{% assign l = {{content_blocks.${list}}} | split: ',' %}{{l[1]}}{{l.size}}", "b3"),
    ("B1", "{{ content_blocks.${hello} | upcase }}", "HELLO MEL!"),
    ("B1", "{% if content_blocks.${list} contains 'b' %}yes{% endif %}", "yes"),
    ("B1", "{% for i in (1..2) %}{{content_blocks.${hello}}}{% endfor %}", "Hello Mel!Hello Mel!"),
    ("B1", "{{content_blocks.${asks}}} {% assign w = {{content_blocks.${asks}}} %}{{w}}", "sunny sunny"),
    ("B1", "{{content_blocks.${sets} | id: 'cb1'}}{{shown}}", "set inside"),
    ("B2", "{{content_blocks.${outer}}}", "[in()]"),
    ("B2", "{{content_blocks.${self}}}", "xx"),
    ("B3", "[{{content_blocks.${unknown}}}]", "[]"),
    ("P2 B1", "{{content_blocks.${code}}}", "SPRING-1"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "wanted"), CASES)
async def test_what_a_tag_comes_to(rule: str, source: str, wanted: str) -> None:
    assert await said(source) == wanted, rule


@pytest.mark.parametrize(("written", "reason"), [
    ("{% abort_message('why') %}", "why"),
    ('{% abort_message("why not") %}', "why not"),
    ("{% abort_message() %}", "{% abort_message %} called"),
    ("{% abort_message () %}", "{% abort_message %} called"),
    ("{% abort_message %}", "{% abort_message %} called"),
    ("{%abort_message%}", "{% abort_message %} called"),
    ("{% abort_message(no venue_name) %}", "no venue_name"),
    ("{% abort_message (it's late) %}", "it's late"),
    ("{% abort_message 'why' %}", "why"),
    ("{% abort_message('{{x}}') %}", "{{x}}"),
])  # fmt: skip
def test_an_abort_may_be_written_in_every_way_that_is_known(written: str, reason: str) -> None:
    """A1, A2, A3"""
    with pytest.raises(Aborted) as aborted:
        compile(f"before {written} after").render(Values())

    assert aborted.value.reason == reason


def test_an_abort_in_a_branch_that_is_not_taken_does_nothing() -> None:
    """A4"""
    assert compile("{% if false %}{% abort_message('no') %}{% endif %}Hi").render(Values()) == "Hi"


@pytest.mark.parametrize(("source", "extras"), [
    ("{% message_extras :key plan :value gold %}", {"plan": "gold"}),
    ("{% message_extras :key {{${first_name}}}_1 :value  two words {{custom_attribute.${words}}}  %}", {"Mel_1": "two words red shoes & more"}),
    ("{% message_extras :value gold :key plan %}", {}),
    ("{% message_extras x :key plan :value gold %}", {}),
    ("{% message_extras :key plan %}{% message_extras :key :value x %}{% message_extras %}", {}),
    ("{% message_extras :key a :value 1 %}{% message_extras :key a :value 2 %}", {"a": "1"}),
    ("{% message_extras :key 'q' :value \"v\" %}", {"'q'": '"v"'}),
    ("{% assign big = 'é' %}{% for i in (1..600) %}{% assign big = big | append: 'é' %}{% endfor %}{% message_extras :key a :value {{big}} %}{% message_extras :key b :value x %}", {"a": "é" * 499, }),
    ("{% message_extras :key a :value {{nothing}} %}", {}),
])  # fmt: skip
async def test_extras_are_noted_and_print_nothing(source: str, extras: dict[str, str]) -> None:
    """M1, M2, M3, M4"""
    values, services = world()

    assert await compile(source).render_async(values, services) == ""
    assert {key: value for key, value in services.extras.items() if key != "b"} == extras
    assert sum(len(key.encode()) + len(value.encode()) for key, value in services.extras.items()) <= 1000


@pytest.mark.parametrize(("length", "kept"), [(998, 998), (999, 999), (1001, 999)])
async def test_extras_have_a_thousand_bytes_with_their_keys(length: int, kept: int) -> None:
    """M3"""
    values, services = world()
    await compile(f"{{% message_extras :key a :value {'v' * length} %}}").render_async(values, services)

    assert services.extras == {"a": "v" * kept}


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("4.3", "", {"method": "GET", "headers": {"Content-Type": "application/json", "Accept": "*/*"}, "body": None}),
    ("4.3", ":method POST", {"method": "POST", "headers": {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}}),
    ("4.3", ":content_type text/csv", {"headers": {"Content-Type": "text/csv", "Accept": "text/csv"}}),
    ("4.3", ":method post :body a={{custom_attribute.${words}}}&b=2", {"body": "a=red shoes & more&b=2"}),
    ("4.3", ":method post :body a={{custom_attribute.${words}}}&b=2 :content_type application/json", {"body": '{"a":"red shoes & more","b":"2"}'}),
    ("4.3", ':method post :body {"a":"{{custom_attribute.${id}}}"} :content_type application/json', {"body": '{"a":"17"}'}),
    ("4.3", ':method post :body {"a": "b c", "d": [1, 2]} :content_type application/json', {"body": '{"a": "b c", "d": [1, 2]}'}),
    ("4.3", ":method post :body {{captured}} :content_type application/json", {"body": '[{"a": 1}]'}),
    ("4.3", ":method post :body {{form}} :content_type application/json", {"body": '{"x":"1","y":"2"}'}),
    ("4.3", ':headers {\n "X-One": "{{custom_attribute.${id}}}",\n "x-two": 2\n}', {"headers": {"Content-Type": "application/json", "Accept": "*/*", "X-One": "17", "x-two": "2"}}),
    ("4.3", ':headers {"content-type": "text/plain", "User-Agent": "us"}', {"headers": {"Accept": "*/*", "content-type": "text/plain", "User-Agent": "us"}}),
    ("4.3", ':headers{"X": {{custom_attribute.${id}}}}', {"headers": {"Content-Type": "application/json", "Accept": "*/*", "X": "17"}}),
    ("4.3", ":basic_auth basic", {"basic_auth": "basic", "auth_credentials": None}),
    ("4.3", ":auth_credentials key", {"auth_credentials": "key"}),
    ("C5", "", {"max_age": 300}),
    ("C5", ":cache_max_age 900", {"max_age": 900}),
    ("C5", ":cache 10", {"max_age": 300}),
    ("C5", ":cache_max_age 999999", {"max_age": 14400}),
    ("C5", ":no_cache", {"max_age": None}),
    ("C5", ":method post", {"max_age": None}),
    ("C5", ":method post :cache_max_age 600", {"max_age": 600}),
    ("C5", ':headers {"X": "{{${user_id}}}"}', {"max_age": None}),
    ("C5", ':cache_max_age 900 :headers {"X": "{{ ${ email_address } }}"}', {"max_age": None}),
    ("C3", ":retry", {"retry": True}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "options", "wanted"), CALLS)
async def test_what_is_asked_of_a_web_service(rule: str, options: str, wanted: dict[str, Any]) -> None:
    before = '{% capture captured %}[{"a": 1}]{% endcapture %}{% assign form = "x=1&y=2" %}'
    call = await asked(before + "{% connected_content https://api.example.com/post " + options + " %}")

    assert {name: getattr(call, name) for name in wanted} == wanted, rule


async def test_a_failure_with_retry_lets_the_message_wait_unless_it_is_aborted() -> None:
    """C3"""
    waits = "{% connected_content https://api.example.com/busy :save b :retry %}"
    values, services = world()
    with pytest.raises(Retry) as retry:
        await compile(waits + "{{ 'a' | divided_by: b.n }}").render_async(values, services)
    assert (retry.value.url, retry.value.status) == ("https://api.example.com/busy", 503)

    with pytest.raises(Aborted, match="too busy"):
        await said(waits + "{% if b == nil %}{% abort_message('too busy') %}{% endif %}")

    assert await said("a{% connected_content https://api.example.com/busy %}b") == "ab"


async def test_a_credential_that_is_not_there_or_not_for_this_domain_aborts_the_message() -> None:
    """C8, C10"""
    with pytest.raises(Aborted, match="no credential “kay”"):
        await said("{% connected_content https://api.example.com/word :auth_credentials kay %}")
    with pytest.raises(Aborted, match="no credential “key”"):
        await said("{% connected_content https://api.example.com/word :basic_auth key %}")
    with pytest.raises(Aborted, match="may not be sent to evil"):
        await said("{% connected_content https://evil.example.com/word :auth_credentials key %}")


@pytest.mark.parametrize("headers", [
    '{"X": "{{bad}}"}', '{"X": {{ bad | as_json_string }}}', '{"{{bad}}": "x"}', '{"": "x"}', '{"X": "{{quote}}"',
])  # fmt: skip
async def test_a_header_with_a_line_break_is_refused(headers: str) -> None:
    """C10"""
    values, services = world(vars={"bad": "a\r\nHost: evil", "quote": '"'})
    with pytest.raises(RenderError):
        await compile(
            "{% connected_content https://api.example.com/word :headers " + headers + " %}"
        ).render_async(values, services)
    assert not hasattr(services, "calls")


@pytest.mark.parametrize("headers", ['{"X-U": "{{who}}"}', '{"X-U": {{who | as_json_string}}}'])
async def test_a_header_that_is_no_ascii_is_told_in_plain_words(headers: str) -> None:
    """4.3: instead of a call that is not made, and a reply that is nil."""
    values, services = world(vars={"who": "Zoë"})
    source = "{% connected_content https://api.example.com/word :headers " + headers + " %}"
    with pytest.raises(RenderError, match="the header X-U contains “ë”: headers take ASCII only; encode it"):
        await compile(source).render_async(values, services)
    encoded = source.replace("{{who}}", "{{who | url_encode}}").replace("who | as", "who | url_encode | as")
    await compile(encoded).render_async(values, services)
    assert services.calls[-1].headers["X-U"] == "Zo%C3%AB"


async def test_white_space_around_a_header_is_dropped() -> None:
    source = '{% capture t %}\n abc\n{% endcapture %}{% connected_content https://api.example.com/word :headers {"X": "{{t}}"} %}'
    assert (await asked(source)).headers["X"] == "abc"


async def test_an_empty_list_of_promotion_codes_aborts_and_all_lists_are_known_before_rendering() -> None:
    """P2, P3"""
    for snippet in ("empty", "Spring"):
        with pytest.raises(Aborted, match="no code left"):
            await said(f"{{% promotion('{snippet}') %}}")

    source = "{% if false %}{% promotion('spring') %}{% else %}{{content_blocks.${code}}}{% promotion(\"b\") %}{% endif %}"
    template = compile(source)
    assert template.promotions == {"spring", "b"}
    blocks = WORLD["content_blocks"].get
    shown = compile("{{content_blocks.${code}}}").within(blocks)
    assert frozenset().union(*(one.promotions for one in shown)) == {"spring"}


def test_a_template_that_shows_a_block_may_make_the_blocks_calls() -> None:
    """B1"""
    assert compile("{{content_blocks.${asks}}}").needs_async
    assert not compile("{{content_blocks.${asks}}}").calls
    values, services = world()
    with pytest.raises(RenderError, match="in the content block “asks”"):
        compile("{{content_blocks.${asks}}}").render(values, services)
    assert compile("{{content_blocks.${hello}}}").render(values, services) == "Hello Mel!"


async def test_what_is_wrong_within_a_block_or_a_reply_says_so_and_cancels_the_message() -> None:
    """E1, E3"""
    with pytest.raises(RenderError, match="in the content block “broken”") as refused:
        await said("Hi\n {{content_blocks.${broken}}}")
    assert (refused.value.line, refused.value.column) == (2, 2)
    with pytest.raises(RenderError, match="in the reply"):
        await said("{% connected_content https://api.example.com/bad :rerender %}")


@pytest.mark.parametrize(("source", "column", "words"), [
    ("{% connected_content %}", 4, "an address first"),
    ("{% connected_content :save x %}", 4, "an address first"),
    ("{% connected_content 'https://a.example' %}", 22, "without quotes"),
    ("{% connected_content https://a.example :safe x %}", 40, "did you mean “save”"),
    ("{% connected_content https://a.example :save %}", 40, "takes a value"),
    ("{% connected_content https://a.example :save a.b %}", 46, "name of a variable"),
    ("{% connected_content https://a.example :method put %}", 48, "get or post"),
    ("{% connected_content https://a.example :cache_max_age soon %}", 55, "takes seconds"),
    ("{% connected_content https://a.example :headers {x} %}", 49, "not JSON"),
    ("{% connected_content https://a.example :headers [] %}", 49, "a JSON object"),
    ('{% connected_content https://a.example :headers {"X-U": "Zoë"} %}', 49, "the header X-U contains “ë”: headers take ASCII only"),
    ("{% connected_content https://a.example/{{ %}", 40, "never closed"),
    ("{% connected_content https://a.example/{{ “x” }} %}", 43, "curly quotes"),
    ("{% catalog_items shoes %}", 4, "at least one id"),
    ("{% catalog_selection_items shoes %}", 4, "a catalog and a selection"),
    ("{% shopping_cart %}", 4, "the id of a cart"),
    ("{% shopping_cart c1 :abort_if_not_abandoned maybe %}", 45, "true or false"),
    ("{% promotion(spring) %}", 4, "in quotes"),
    ("{% promotion('') %}", 4, "in quotes"),
    ("{% abort_message(“why”) %}", 17, "curly quotes"),
])  # fmt: skip
def test_a_tag_that_is_written_wrongly_is_refused_at_its_place(source: str, column: int, words: str) -> None:
    """E1, L10"""
    with pytest.raises(TemplateError, match=words) as refused:
        compile(source)
    assert (refused.value.line, refused.value.column) == (1, column)


def test_the_values_that_tags_ask_for_are_known() -> None:
    source = (
        '{% connected_content https://a.example/{{custom_attribute.${a}}} :headers {"X": "{{context.${b} | default: ${city}}}"}'
        " :method post :body x={{event_properties.${c}}} :save r %}{{r.x}}"
        "{% catalog_items shoes {{custom_attribute.${d}}} %}{{items[0].x}}{% shopping_cart context.${cart} %}{{shopping_cart.x}}"
        "{% message_extras :key k :value {{custom_attribute.${e}}} %}{{content_blocks.${f} | upcase}}{{content_blocks.${g}}}"
    )  # fmt: skip
    template = compile(source)

    assert template.needs == {
        "custom_attribute.a", "context.b", "profile.city", "event_properties.c", "custom_attribute.d", "context.cart",
        "custom_attribute.e", "content_blocks.f", "content_blocks.g",
    }  # fmt: skip
    assert template.blocks == {"f", "g"}


def test_steps_know_each_tag_that_asks_others() -> None:
    """The language may not read Liquid, so it goes by their names: each tag that makes calls, and what else may."""
    from journeys.canvas.steps.asking import ASKING
    from journeys.engine.content.liquid_dialect import DIALECT
    from journeys.engine.content.tags.call import CallNode

    sources = {
        "connected_content": "{% connected_content https://a.example/ %}",
        "catalog_items": "{% catalog_items shoes 1 %}",
        "catalog_selection_items": "{% catalog_selection_items shoes sale %}",
        "shopping_cart": "{% shopping_cart c1 %}",
        "content_blocks": "{{ content_blocks.${hello} }}",
    }
    for source in [*sources.values(), "{% liquid\ncatalog_items shoes 1\n%}"]:
        assert compile(source).needs_async, source
        assert ASKING.search(source), source
    assert ASKING.search("{{ product_recommendation.${road} }}")
    assert {name for name in DIALECT.tags if ASKING.search(name)} == {*sources, "promotion"} - {
        "content_blocks"
    }
    kinds = [CallNode]
    for kind in kinds:
        kinds += kind.__subclasses__()
    askers = {compile(source)._bound.nodes[0].__class__ for source in sources.values()}
    assert {kind for kind in kinds if not kind.__subclasses__()} <= askers, (
        "one more that asks: name it in ASKING"
    )


@pytest.mark.parametrize(("text", "value"), [
    ('\ufeff{"z":1}', {"z": 1}), ("\ufeff [1]", [1]), ("\ufeffplain", "\ufeffplain"),
    ('{"z":1e400,"y":[-1e400,2.5]}', {"z": None, "y": [None, 2.5]}), ("[1e400", "[1e400"), ("[1e400, NaN]", "[1e400, NaN]"),
])  # fmt: skip
def test_a_reply_in_json_is_data_with_a_mark_of_its_byte_order_and_with_numbers_too_large(
    text: str, value: Any
) -> None:
    """C1, C2"""
    reply = Reply(200, text)

    assert reply.value == value
    assert reply.is_text == isinstance(value, str)
