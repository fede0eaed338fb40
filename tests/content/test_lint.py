"""What the linter finds in templates that parse: code, place, words."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeys.canvas.problems import CODES
from journeys.channels.base import kinds
from journeys.engine.content import compile_html
from journeys.engine.content.known_names import EMAIL, EMPTY, EMPTY_NAMES, EMPTY_SPACES, NAMESPACES, STANDARD
from journeys.engine.content.lint import ANY, Setting, lint
from journeys.engine.workspaces.validate import validate

GIVEN = {
    space: names and names - EMPTY_NAMES.get(space, frozenset())
    for space, names in NAMESPACES.items()
    if space not in EMPTY_SPACES and space != "content_blocks"
}
"""The namespaces that have values, and their names."""

EMAILS = Setting(
    "email",
    blocks={"footer"},
    catalogs={"shoes", "hats"},
    selections={"shoes": ["on_sale"], "hats": []},
    promotions={"spring"},
    groups={"news"},
)
FOUND = [
    ("E1", "a\n {{ x | foo }}", "J302", 2, 9, "no filter “foo”"),
    ("E1", "{% foo %}", "J302", 1, 4, "no tag “foo”"),
    ("L10", "{{ “a” }}", "J302", 1, 4, "curly quotes"),
    ("V7", "{% if ${city} | upcase == 'X' %}x{% endif %}", "J302", 1, 15, "filters are not supported in a condition"),
    ("V7", "{% assign x = ${city} == 'X' %}", "J302", 1, 23, "“==” is not allowed here"),
    ("2", "Hi\n {{${frist_name}}}", "J310", 2, 4, "no standard attribute “${frist_name}” (did you mean “first_name”?)"),
    ("N3", "{{ ${external_id} }}", "J310", 1, 4, "did you mean “user_id”?"),
    ("2", "{% if {{${emial_address}}} %}x{% endif %}", "J310", 1, 9, "did you mean “email_address”?"),
    ("2", "{{custom_atribute.${x}}}", "J310", 1, 3, "no namespace “custom_atribute” (did you mean “custom_attribute”?)"),
    ("2", "{{subscribed_state.${email_globl}}}", "J314", 1, 3, "no subscription group “email_globl” (did you mean “email_global”?)"),
    ("2", "{{${email_footer}}}", "J310", 1, 3, "always empty here (write {{content_blocks.${footer}}}"),
    ("2", "{{most_recently_used_device.${model}}}", "J310", 1, 3, "always empty here"),
    ("2", "{{campaign.${api_id}}}", "J310", 1, 3, "always empty here"),
    ("2", "{{canvas.${id}}}", "J310", 1, 3, "“canvas” has no “id”"),
    ("4.3", "{% connected_content https://a.example/{{${frist_name}}} %}", "J310", 1, 42, "frist_name"),
    ("B3", "{{content_blocks.${foter}}}", "J311", 1, 3, "no content block “foter” (did you mean “footer”?)"),
    ("B1", "{% assign x = {{content_blocks.${foter}}} %}", "J311", 1, 17, "no content block"),
    ("K2", "{% catalog_items shoos 1 %}", "J311", 1, 18, "no catalog “shoos” (did you mean “shoes”?)"),
    ("K2", "{% catalog_selection_items shoos on_sale %}", "J311", 1, 28, "no catalog"),
    ("P1", "{% promotion('sprng') %}", "J311", 1, 4, "no promotion list “sprng” (did you mean “spring”?)"),
    ("P1", "{% if false %}{% capture c %}{% promotion 'Autumn' %}{% endcapture %}{% endif %}", "J311", 1, 33, "no promotion list “Autumn”"),
    ("K4", "{% catalog_items shoes 1 :rerendr %}", "J906", 1, 26, "“:rerendr” is not an option (did you mean “:rerender”?)"),
    ("K3", "{% catalog_selection_items shoes on_sail %}", "J911", 1, 34, "the catalog “shoes” has no selection “on_sail” (did you mean “on_sale”?)"),
    ("L11", "Dear\n you, ${first_name}", "J902", 2, 7, "“${first_name}” is printed as it is (write {{${first_name}}})"),
    ("L11", "a custom_attribute.${x} b", "J902", 1, 3, "is printed as it is"),
    ("L11", "{% if true %}  \n ${city}{% endif %}", "J902", 2, 2, "is printed as it is"),
    ("L12", "{% assign language = 'fr' %}", "J903", 1, 11, "does not change the standard attribute “${language}”"),
    ("L12", "{% capture city %}x{% endcapture %}", "J903", 1, 12, "does not change the standard attribute “${city}”"),
    ("DT4", "{{ 'now' | time_zone: '-0005' }}", "J904", 1, 12, "no time zone “-0005”"),
    ("DT4", "{{ 'now' | time_zone: -5 }}", "J904", 1, 12, "a number is not a time zone"),
    ("DT4", "{{ 'now' | time_zone: 'Europe/Pari' }}", "J904", 1, 12, "did you mean “Europe/Paris”?"),
    ("A3", "{% abort_message('no {{${city}}}') %}", "J905", 1, 4, "is not run"),
    ("4.3", "{% connected_content https://a.example ?x=1 :save r %}", "J906", 1, 40, "“?x=1” belongs to no option"),
    ("4.3", "{% connected_content https://a.example :save r s %}", "J906", 1, 48, "“s” belongs to no option"),
    ("M2", "{% message_extras :value v :key k %}", "J907", 1, 4, "dropped"),
    ("M4", "{% message_extras :key k :value 'v' %}", "J907", 1, 33, "quotes are sent"),
    ("T5", "{% if true %}a{% endif vip %}", "J912", 1, 24, "“vip” after “endif” has no effect (remove it)"),
    ("T5", "{% for x in (1..2) %}a{% else if x %}b{% endfor %}", "J912", 1, 31, "“else if” is an “else”: its condition is ignored (write {% else %}{% if … %})"),
    ("T5", "{% unless true %}a{% else if true %}b{% endunless %}", "J912", 1, 27, "(write {% elsif … %})"),
    ("T5", "{% if true %}a{% else vip %}b{% endif %}", "J912", 1, 23, "“vip” after “else” has no effect"),
    ("T5", "{% if true %}a{% else %}b{%- else %}c{% endif %}", "J912", 1, 30, "another “else”: its branch is never taken"),
    ("T5", "{% unless true %}a{% else %}b\n{% elsif true %}c{% endunless %}", "J912", 2, 4, "comes after “else”"),
    ("T5", "{% case 1 %}{% else %}b{% else %}c{% endcase %}", "J912", 1, 27, "both are printed"),
    ("T5", "{% case 1 %}{% else %}E{% when 1 %}W{% endcase %}", "J912", 1, 27, "“when” comes after “else”"),
    ("T5", "{% case 1 %} text{% when 1 %}b{% endcase %}", "J912", 1, 14, "never shown"),
    ("T5", "{% case 1 %}{{ 1 }}{% if true %}{{ 2 }}{% endif %}{% when 1 %}b{% endcase %}", "J912", 1, 13, "never shown"),
    ("T5", "a{% comment %}x{% endcomment foo %}", "J912", 1, 30, "“foo” after “endcomment” has no effect"),
    ("T5", "{% raw %}{% endcomment bar %}{%- endraw foo -%}", "J912", 1, 41, "“foo” after “endraw” has no effect"),
    ("A3", "{% abort_message('x') foo %}", "J912", 1, 23, "with “foo” the quotes become part of the reason"),
    ("A3", "{% abort_message 'x' foo %}", "J912", 1, 22, "put it within the quotes"),
    ("E1", "{{ " + "9" * 300 + " }}", "J302", 1, 4, "too many digits"),
    ("E1", "{{ 1 | plus: " + "9" * 5000 + " }}", "J302", 1, 14, "too many digits"),
    ("E1", "{{ " + "9" * 400 + ".5 }}", "J302", 1, 4, "too many digits"),
    ("E1", "{% if ${city}[" + "9" * 300 + "] %}x{% endif %}", "J302", 1, 14, "too many digits"),
    ("T5", "{% for x in (1..2) %}{% break if x == 1 %}{% endfor %}", "J912", 1, 31, "“break” takes no condition: it always applies (write {% if … %}{% break %}{% endif %})"),
    ("T5", "{% liquid\n if true\n  echo 1\n endif vip\n%}", "J912", 4, 8, "“vip” after “endif”"),
    ("T5", "{% increment n m %}", "J912", 1, 16, "“m” has no effect"),
    ("E2", "{{ first_name }}", "J909", 1, 4, "nothing sets the variable “first_name”: it is always empty (did you mean “${first_name}”?)"),
    ("E2", "{{ totl }}{% assign total = 1 %}", "J909", 1, 4, "assign it first"),
    ("2", "a\n{{custom_attribute.${pl\u0430n}}}", "J917", 2, 3, "the name “pl\u0430n” is written with a character that hardly belongs to it. “\u0430” is U+0430"),
    ("2", "{{context.${cart}.items[1].pr\u03b9ce}}", "J917", 1, 3, "GREEK SMALL LETTER IOTA"),
    ("2", "{{custom_attribute.${lines}[custom_attribute.${n\u200bo}]}}", "J917", 1, 29, "which cannot be seen"),
    ("2", "{{${first_n\u0430me}}}", "J310", 1, 3, "did you mean “first_name”? “\u0430” is U+0430"),
    ("2", "{% assign t\u043ftal = 1 %}", "J917", 1, 11, "type the name anew"),
    ("2", "{{custom_attribute.${Country}}}", "J918", 1, 3, "“Country” is a custom attribute: standard ones are in lower case (did you mean “${country}”?)"),
    ("2", "{{ 1 | plus: custom_attribute.${E-mail} }}", "J918", 1, 14, "did you mean “${email_address}”?"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "code", "line", "column", "words"), FOUND)
def test_what_looks_wrong_is_found_at_its_place(
    rule: str, source: str, code: str, line: int, column: int, words: str
) -> None:
    found = lint(source, EMAILS)

    assert [(one.code, one.line, one.column) for one in found] == [(code, line, column)], rule
    assert words in f"{found[0].message} ({found[0].hint})"
    assert code in CODES


@pytest.mark.parametrize("source", [
    "".join(f"{{{{${{{name}}}}}}}" for name in sorted((STANDARD | EMAIL) - set(EMPTY))),
    "".join(f"{{{{{space}.${{{name}}}}}}}" for space, names in GIVEN.items() for name in sorted(names or {"my own"})),
    "{{ custom_attribute.${zip code} }}{{event_properties.${songs}[0].album}}{{custom_attribute.${cart[0]}.x}}",
    "{{content_blocks.${footer}}}{{ set_by_the_block }}",
    "{% catalog_items shoes 1 %}{{items[0].x}}{% catalog_items {{context.${any}}} 1 %}",
    "{% catalog_selection_items shoes on_sale :rerender %}{% catalog_selection_items hats any %}{% catalog_selection_items shoes {{context.${any}}} %}",
    "{% connected_content https://a.example :save r :retry %}{{r.x}}{% shopping_cart c %}{{shopping_cart.x}}",
    "{% connected_content https://a.example %}{{connected.x}}",
    "{% for x in (1..3) %}{{ forloop.index }}{{ x }}{% endfor %}{% assign y = 1 %}{{ y }}{% capture z %}a{% endcapture %}{{ z }}",
    "{% increment n %}{{ 'now' | date: '%s' | time_zone: 'Europe/Paris' | time_zone: ${time_zone} }}{{ 'now' | time_zone: {{${time_zone}}} }}",
    "<script>let a = `${name} ${custom.x}`;</script>",
    "{% message_extras :key a :value it's fine %}{% abort_message('it''s late') %}",
    "{% if true %}{% else %}{% if true %}{% else %}{% endif %}{% endif %}{% for x in (1..2) %}{% else %}{% endfor %}{% increment x %}",
    "{% liquid\nif true\nelse\nendif\n%}{% case 1 %}{% when 1 %}{% else %}{% endcase %}{{ ${city} | lid: 'x' }}",
    "{% raw %}{% endcomment foo %}{% endraw -%}{% case 1 %}\n{% when 1 %}a{% endcase %}{% comment %}{% endcomment -%}{% abort_message ('a') %}",
    "{% raw %}{{ anything }}{% endraw %}{% comment %}{{ ${nope} }}{% endcomment %}",
])  # fmt: skip
def test_what_is_right_is_left_alone(source: str) -> None:
    assert lint(source, EMAILS) == []


@pytest.mark.parametrize(("source", "found"), [
    ("{{ a | foo }}\n{{ 'b' | bar: 1 }} {{ 'c' | upcase }}\n  {% assign x = 1 | baz %}", [(1, 8), (2, 10), (3, 21)]),
    ("{{ a | foo: {{ b | bar }} }}{{ c | baz }}", [(1, 8), (1, 36)]),
    ("{% nope %}{% if true %}{{ a | foo }}{% endif %}", [(1, 4), (1, 31)]),
    ("{% iff a %}{{ a | foo }}{% endiff %}", [(1, 4), (1, 19)]),
    ("{{ a | foo }}{% if a | upcase %}{% endif %}{{ b | bar }}", [(1, 8), (1, 22), (1, 51)]),
    ("{{ a | foo }}{% endif %}", [(1, 8), (1, 17)]),
    ("{{ a | foo }}{% if a %}", [(1, 8), (1, 17)]),
    ("{{ a | foo }} {{ b", [(1, 8), (1, 15)]),
    ("{% if custom_attribute.${x} = 1 %}a{% endif %}{{ y | nope }}{{ “z” }}", [(1, 29), (1, 54), (1, 64)]),
    ("{% if “a” %}x{% elsif y = 2 %}y{% else %}{% for x of y %}{{ x | nope }}{% endfor %}{% endif %}{% unless %}{% endunless %}", [(1, 7), (1, 25), (1, 51), (1, 65), (1, 98)]),
    ("{% case a | upcase %}{% when 1, %}x{% else 3 %}{% endcase %}{% capture %}y{% endcapture %}", [(1, 11), (1, 32), (1, 44), (1, 64)]),
    ("{% liquid\n assign a = b | nope\n if a = 2\n echo a | foo\n endif\n !\n if a\n%}{{ a }}{{ “z” }}", [(2, 17), (3, 7), (4, 11), (6, 2), (7, 2), (8, 13)]),
    ("{% liquid\n for x\n echo x\n endfor\n%}{{ “z” }}", [(2, 6), (5, 6)]),
    ("{{{ a }}} {{ b | nope }}{% %}\n{{${x} {{ “z” }}", [(1, 1), (1, 18), (1, 25), (2, 1), (2, 11)]),
    ("{{ b | nope }}{% raw %} {{ b | nope }}", [(1, 8), (1, 15)]),
    ("{% for a in b %}{% if a %}{% endfor %}{{ “z” }}", [(1, 30), (1, 42)]),
    ("{% iff a %}" + "{% endif %}" * 60, [(1, 4)]),
    ("{{{}}}" * 30, [(1, 1 + 6 * n) for n in range(20)]),
    ("{{ a | foo }}" + "{% if true %}" * 120, [(1, 8), (1, 420)]),
    ("{% connected_content https://{{ “z” }}/ :save r %}{{ r.x }}{{ “z” }}", [(1, 33), (1, 63)]),
    ("{{ a | foo }}" * 30, [(1, 8 + 13 * n) for n in range(20)]),
])  # fmt: skip
def test_each_error_of_a_template_is_found_and_none_that_follows_from_another(
    source: str, found: list[tuple[int, int]]
) -> None:
    """E1"""
    assert [(one.code, one.line, one.column) for one in lint(source, EMAILS)] == [
        ("J302", *at) for at in found
    ]


def test_what_looks_wrong_is_found_beside_what_cannot_be_read_but_not_what_may_follow_from_it() -> None:
    """E1"""
    source = "{{ ${frist_name} }}{{ x | nope }}{% assign y = z | nope %}{{ y }}{% if a = 1 %}{{ b }} ${city}{% endif %}"
    wanted = [("J310", 4), ("J302", 27), ("J302", 52), ("J302", 74), ("J909", 83), ("J902", 88)]
    assert [(one.code, one.column) for one in lint(source, EMAILS)] == wanted
    html = "<!-- {{ “z” }} -->" + source
    assert [(one.code, one.column - 18) for one in lint(html, EMAILS, compile_html)] == wanted


def test_of_a_very_long_template_the_first_error_is_told() -> None:
    """E1"""
    assert [one.column for one in lint("{{ a | foo }}" * 2 + "x" * 100_000, EMAILS)] == [8]
    assert [one.message for one in lint("{{}}" * 20_001 + "{{ “a” }}", EMAILS)] == [
        "the template has more than 20,000 outputs and tags"
    ]


def test_what_a_channel_cannot_do_is_found() -> None:
    """C3, K4, P3, section 2"""

    def codes(source: str, channel: str | None) -> list[str]:
        return [one.code for one in lint(source, Setting(channel))]

    retry = "{% connected_content https://a.example :retry %}"
    assert codes("{% promotion('x') %}", "banner") == ["J312"]
    assert codes("{% promotion('x') %}", "email") == []
    assert codes("{% catalog_items a 1 :rerender %}", "banner") == ["J312"]
    assert codes("{% catalog_items a 1 %}", "banner") == []
    assert codes(retry, None) == codes(retry, "in_app") == ["J908"]
    assert codes(retry, "email") == codes(retry, ANY) == []
    assert codes("{{${set_user_to_unsubscribed_url}}}", "sms") == ["J310"]
    assert codes("{{${set_user_to_unsubscribed_url}}}", ANY) == []
    assert codes("{{ set_outside }}", ANY) == []
    assert codes("{{ event_properties.${x} }}", None) == ["J910"]
    assert codes("{{ subscribed_state.${email_global} }}", None) == ["J310"]
    assert codes("{{ event_properties.${x} }}", "email") == codes("{{ event_properties.${x} }}", ANY) == []
    assert codes("{{content_blocks.${x}}}{% catalog_items y 1 %}", "email") == []


MAIL = "kind: template\nformat: 1\nname: t\nchannel: email\nsender: {{address: a@b.c}}\nsubject: {}\nhtml: |\n  <p>\n  {}\n"


def problems(tmp_path: Path, *texts: str) -> list[tuple[str, int, int]]:
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
    found = validate([tmp_path], kinds())
    return [(one.code, one.where.line, one.where.column) for one in found.problems]


def test_a_template_is_checked_with_line_and_column_in_its_file(tmp_path: Path) -> None:
    text = MAIL.format("Hi {{${nam}}}", "{{${unsubscribe_url}}} {{${frist_name}}}")
    assert problems(tmp_path, text) == [("J310", 6, 15), ("J310", 9, 28)]
    text = MAIL.format("'Hi {{${nam}}}'", "{{${unsubscribe_url}}}")
    assert problems(tmp_path, text) == [("J310", 6, 16)]


def test_an_unsubscribe_link_may_stand_in_a_comment_or_in_a_block(tmp_path: Path) -> None:
    """L8"""
    block = "kind: content_block\nformat: 1\nname: foot\ncontent: '{{${set_user_to_unsubscribed_url}}}'\n"
    assert problems(tmp_path, MAIL.format("Hi", "<!-- {{${set_user_to_unsubscribed_url}}} -->")) == []
    assert problems(tmp_path, MAIL.format("Hi", "{{ ${ set_user_to_one_click_list_unsubscribe } }}")) == []
    for nothing in ("unsubscribe_url", "{{ unsubscribe_url }}", "{{${email_footer}}}", "{{${preference_center_url}}}",
                    "{{preference_center.${mine}}}"):  # fmt: skip
        assert ("J901", 7, 1) in problems(tmp_path, MAIL.format("Hi", nothing)), nothing
    outer = "---\nkind: content_block\nformat: 1\nname: outer\ncontent: '{{content_blocks.${foot}}}'\n"
    assert problems(tmp_path, MAIL.format("Hi", "{{content_blocks.${foot}}}"), block) == []
    assert problems(tmp_path, MAIL.format("Hi", "{{content_blocks.${outer}}}"), block + outer) == []
    assert problems(tmp_path, MAIL.format("Hi", "{{content_blocks.${foo}}}"), block) == [
        ("J901", 7, 1),
        ("J311", 9, 5),
    ]


ELSEWHERE = [
    ("kind: workspace\nformat: 1\nname: w\nsender: {address: a@b.c, name: '{{${first_name}}} of Acme'}\n", (4, 32)),
    ("kind: template\nformat: 1\nname: t\nchannel: webhook\nurl: https://a.example\nheaders:\n  'x-{{${city}}}': a\n", (7, 3)),
    ("kind: template\nformat: 1\nname: t\nchannel: webhook\nurl: https://a.example\nbody:\n  - '{{${city}}}': '{{${city}}}'\n", (7, 5)),
    ("kind: segment\nformat: 1\nname: s\nwhen: {attribute: city, equals: '{{${city}}}'}\n", (4, 33)),
    ("kind: segment\nformat: 1\nname: s\nwhen: {event: '{% if 1 %}'}\n", (4, 15)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place"), ELSEWHERE)
def test_liquid_where_none_is_run_is_told(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    """L11: in keys, header names, filters, names of events, and the workspace's sender."""
    assert problems(tmp_path, text) == [("J913", *place)]


def test_the_sender_of_a_template_may_hold_liquid_which_is_checked(tmp_path: Path) -> None:
    mail = MAIL.format("Hi", "{{${unsubscribe_url}}}")
    sender = "sender: {name: '{{${first_name}}} of Acme', address: '{{context.${who}}}@a.example'}"
    assert problems(tmp_path, mail.replace("sender: {address: a@b.c}", sender)) == []
    wrong = "sender: {name: '{{${frist_name}}}', address: '{{ x | nope }}'}"
    assert [one[0] for one in problems(tmp_path, mail.replace("sender: {address: a@b.c}", wrong))] == [
        "J310",
        "J302",
    ]


def test_liquid_in_steps_and_blocks_is_checked_as_well(tmp_path: Path) -> None:
    canvas = (
        "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\nsteps:\n"
        "  - type: context\n    id: c\n    set:\n      - {name: x, value: '{{ ${frist_name} }}'}\n"
        '  - type: user_update\n    id: u\n    attributes: {greeting: "{{ ${contry} }}"}\n'
    )  # fmt: skip
    block = "kind: content_block\nformat: 1\nname: foot\ncontent: |\n  a\n  {{ ${contry} }}\n"
    assert problems(tmp_path, canvas, block) == [("J310", 9, 30), ("J310", 12, 32), ("J310", 6, 6)]


ASKING = [
    "{% catalog_items shoes 1 %}{{items[0].id}}",
    "a{% connected_content https://a.example :save r %}",
    "{% shopping_cart c1 %}{% promotion('spring') %}",
    "{{product_recommendation.${best} | size}}",
    "{{content_blocks.${foot}}} {{context.${title}}}",
]


@pytest.mark.parametrize("value", ASKING)
def test_a_user_update_may_ask_whatever_a_context_step_may(tmp_path: Path, value: str) -> None:
    """UPD-3"""
    catalog = "kind: catalog\nformat: 1\nname: shoes\nfields: [{name: id, type: string}]\n"
    block = "kind: content_block\nformat: 1\nname: foot\ncontent: Yours\n"
    assert problems(tmp_path, UPDATE.format(value), block, catalog) == []


def test_texts_at_any_depth_of_a_user_update_are_checked(tmp_path: Path) -> None:
    """UPD-3: each at its place."""
    assert problems(tmp_path, UPDATE.format("{% catalog_items")) == [("J302", 8, 29)]
    nested = UPDATE.replace('"{}"', "[a, {{b: '{{{{ ${{contry}} }}}}'}}]").format()
    assert problems(tmp_path, nested) == [("J310", 8, 40)]
    logged = (
        nested.replace("attributes: {greeting:", "events: [{name: e, properties: {greeting:").rstrip()
        + "}]\n"
    )
    assert [code for code, _, _ in problems(tmp_path, logged)] == ["J310"]


UPDATE = (
    "kind: canvas\nformat: 1\nname: c\nschedule: {{api: true}}\nsteps:\n"
    "  - type: user_update\n    id: u\n"
    '    attributes: {{greeting: "{}"}}\n'
)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{% catalog_items shoes 1 %}", "J311"),
        ("{% catalog_selection_items shoes on_sale %}", "J311"),
        ("{{content_blocks.${footer}}}", "J311"),
        ("{% promotion('spring') %}", "J311"),
    ],
)
def test_where_there_is_none_at_all_every_name_is_wrong(source: str, code: str) -> None:
    """An empty collection is known to be empty; None is not known."""
    assert [one.code for one in lint(source, Setting("email", (), (), {}, ()))] == [code]
    assert lint(source, Setting("email")) == []
