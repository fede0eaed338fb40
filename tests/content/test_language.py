"""Names, values, comparisons, white space, and what is refused: the language without its filters (liquid.md 1, 3, 4)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journeys.engine.content import RenderError, TemplateError, Values, compile, compile_html, problems
from journeys.engine.content.html_comments import without_comments

NOW = datetime(2026, 12, 7, 9, 5, 3, tzinfo=UTC)
VALUES = Values(
    profile={"first_name": "Mel", "time_zone": "Europe/Paris", "n": 3, "language": "en", "a b": "spaced", "list": [1, 2]},
    custom_attributes={
        "zip code": "75011", "points": 10, "balance": 5, "wishlist": ["a", "b"], "obj": {"key": "v", "deep": {"x": 1}}, "prénom": "Zoë",
        "cart_items": [{"name": "shoe"}], "cart_items[7]": "literal", "no": False, "at": NOW, "later": NOW + timedelta(days=1), "empty": "", "blank": " \n", "list": [],
        "it's": "odd",
    },
    event_properties={"songs": [{"album": {"name": "Blue"}}]},
    context={"x": [1, {"y": None}]},
    namespaces={"product": {"id": 7}, "zero": 0, "text": "Hertz Gold", "names": ["Hertz Gold", 1, None, [2]], "o": {"a": 1, "b": 2}},
    now=NOW,
)  # fmt: skip


def said(source: str) -> str:
    return compile(source).render(VALUES)


CASES: list[tuple[str, str, str]] = [
    ("L3", "{{${a b}}}{{custom_attribute.${prénom}}}{{ custom_attribute.${it's} | append: '!' }}", "spacedZoëodd!"),
    ("L4", "{% assign n = {{custom_attribute.${points} | plus: 50}} %}{{n}}", "60"),
    ("L4", "{{custom_attribute.${points} | plus: {{custom_attribute.${balance}}}}}", "15"),
    ("L4", "{{custom_attribute.${points} | plus: {{custom_attribute.${balance} | times: 2}} | minus: 1}}", "19"),
    ("L4", "{% if {{custom_attribute.${points}}} > 5 and {{${n}}} == 3 %}y{% endif %}{% unless {{${n}}} %}n{% endunless %}", "y"),
    ("L4", "{% case {{${first_name}}} %}{% when 'Mel' %}m{% endcase %}{% for x in {{custom_attribute.${wishlist}}} %}{{x}}{% endfor %}", "mab"),
    ("T5", "{% if true %}a{% endif really %}b{% unless true %}{% else what %}c{% endunless -%} d", "abcd"),
    ("T5", "{% for x in (1..2) %}{{x}}{% else none %}no{% endfor x %}{% case 1 %}{% when 1 %}a{% endcase 1 %}", "12a"),
    ("T5", "{% capture x %}a{% endcapture x %}{{x}}{% tablerow y in (1..1) %}{{y}}{% endtablerow y %}", 'a<tr class="row1">\n<td class="col1">1</td></tr>\n'),
    ("T5", "{% for x in (1..3) %}{% if x == 2 %}{% continue if x %}{% endif %}{{x}}{% break if x == 9 %}{% endfor %}", "1"),
    ("T5", "{% liquid\nif true\necho 1\nelse if false\necho 2\nendif here\n%}", "1"),
    ("B1", "{{${first_name} | lid: 'abc123'}}{{ 'a' | id: 'x' | upcase | lid: 'y' }}{% assign z = 'b' | lid: 'z' %}{{ z }}", "MelAb"),
    ("L5", "a {{-${first_name}-}} b {%-if true-%} c {%-endif-%} d", "aMelbcd"),
    ("L5", "{% for x in {{custom_attribute.${wishlist}}}%}{{x}}{% endfor %}", "ab"),
    ("L5", "{%if false%}a{%elsif{{${n}}}>0%}b{%endif%}{%if ${first_name}=='Mel'%}c{%endif%}", "bc"),
    ("L5", "{{ 'now' | date: '%s' | plus: 0 | time_zone:{{${time_zone}}} | date:'%H:%M' }}", "10:05"),
    ("L5", "{{ ${first_name} | default: 'x' }}{{\n  ${first_name}\n  | upcase\n  | append:\n    '!'\n}}{%\nif true\n%}z{%\nendif\n%}", "MelMEL!z"),
    ("L6", "{{event_properties.${songs}[0].album.name}}{{event_properties.${songs[0]}.album.name}}{{${list[1]}}}", "BlueBlue2"),
    ("L6", "{{custom_attribute.${cart_items[7]}}}{{custom_attribute.${cart_items[0]}.name}}{{custom_attribute.${cart_items[3]}.name}}", "literalshoe"),
    ("L7", "{{custom_attribute.${obj}[0].key}}{{custom_attribute.${obj}[1].key}}{{custom_attribute.${obj[0]}.deep.x}}", "v1"),
    ("L11", "<script>const a = `${first_name}`;</script>", "<script>const a = `${first_name}`;</script>"),
    ("L12", "{% assign language = 'fr' %}{{${language}}}{{language}}", "enfr"),
    ("E2", "{{ nothing.at.all[3]['x'] }}{{ zero.x }}{{ text[0] }}{{ [zero] }}{{ names[99] }}{{ names['x'] }}{{ o[1] }}", ""),
    ("V1", "{% if zero %}a{% endif %}{% if custom_attribute.${empty} %}b{% endif %}{% if custom_attribute.${list} %}c{% endif %}{% if nil %}d{% endif %}", "abc"),
    ("V1", "{% assign list = '[{\"n\":1,\"k\":0},{\"n\":2,\"k\":false},{\"n\":3},{\"n\":4,\"k\":\"\"}]' | json_parse | where: 'k' %}{{ list | map: 'n' | join }}{{ false | default: 'd' }}{{ 0 | default: 'e' }}", "1 4d0"),
    ("V3", "{% if zero == blank %}0{% endif %}{% if custom_attribute.${blank} == blank %}a{% endif %}{% if nothing == blank %}b{% endif %}{% if false == blank %}c{% endif %}{% if custom_attribute.${list} == blank %}d{% endif %}{% if nothing == empty %}e{% endif %}{% if custom_attribute.${blank} == empty %}f{% endif %}", "abcd"),
    ("V3", "{% case nothing %}{% when blank %}b{% else %}n{% endcase %}{% case custom_attribute.${empty} %}{% when empty %}e{% endcase %}", "be"),
    ("V4", "{% if true or false and false %}a{% endif %}{% if false and true or true %}b{% endif %}{% if false or true and true %}c{% endif %}", "ac"),
    ("V5", "{% if names contains 'Hertz' %}a{% endif %}{% if names contains 'Hertz Gold' %}b{% endif %}{% if text contains 'Gold' %}c{% endif %}{% if o contains 'a' %}d{% endif %}{% if nil contains 'a' %}e{% endif %}{% if text contains nil %}f{% endif %}{% if 15 contains 1 %}g{% endif %}{% if 'a1' contains 1 %}h{% endif %}", "bcdh"),
    ("V6", "{% if 2 < 10 %}a{% endif %}{% if 2.5 > 2 %}b{% endif %}{% if 3 <= 2 %}c{% endif %}", "ab"),
    ("V2", "{{ names[0] }}{{ names[-1] }}{{ names[99] }}{{ names[-99] }}", "Hertz Gold2"),
    ("V6", "{% if nil < 1 %}a{% endif %}{% if true >= 0 %}b{% endif %}{% if names > 1 %}c{% endif %}{% if o < 1 %}d{% endif %}{% if 'b' > 'a' %}e{% endif %}{% if '1795' >= '1702' %}f{% endif %}{% if 1 == 1.0 %}g{% endif %}{% if 'true' == true %}h{% endif %}{% if 1 <> 2 %}i{% endif %}", "efgi"),
    ("V6", "{% if custom_attribute.${at} < custom_attribute.${later} %}a{% endif %}{% if custom_attribute.${at} > custom_attribute.${later} %}b{% endif %}{% if custom_attribute.${at} >= custom_attribute.${at} %}c{% endif %}", "ac"),
    ("E6", "{% if custom_attribute.${at} != blank %}a{% endif %}{% if custom_attribute.${at} == '' %}b{% endif %}{% if custom_attribute.${at} > '' %}c{% endif %}{% if custom_attribute.${at} < blank %}d{% endif %}", "a"),
    ("V8", "{{ names }}|{{ 1.0 }}|{{ true }}|{{ nil }}|{{ (1..3) }}|{{ blank }}", "Hertz Gold12|1.0|true||1..3|"),
    ("V8", "{{ o }} {{ custom_attribute.${cart_items} }}", '{"a":1,"b":2} {"name":"shoe"}'),
    ("N4", "{{ context }}", '{"x":[1,{"y":null}]}'),
    ("T1", "a{% if true %} \n {% assign x = 1 %} {% endif %}b{% for i in (1..2) %} {% comment %}c{% endcomment %} {% endfor %}c", "abc"),
    ("T1", "a{% if true %} {% elsif true %}x{% endif %}b{% for i in names limit:1 %} {% else %}x{% endfor %}c", "a b c"),
    ("T1", "{% capture x %} {% endcapture %}[{{ x }}]{% if true %} {% raw %} {% endraw %} {% endif %}|", "[ ]   |"),
    ("T1", "{% for i in (1..2) %} {% break %} {% endfor %}|{% case 1 %} {% when 1 %} {% endcase %}|", " ||"),
    ("T1", "{% if true %}x{% elsif true %} {% endif %}|{% if false %}x{% elsif true %} {% endif %}|{% unless true %}x{% elsif true %} {% endunless %}|", "x| | |"),
    ("T1", "{% case 1 %}x{% when 1 %} {% endcase %}|{% case 1 %} {% when 1 %} {% else %} {% endcase %}|", " ||"),
    ("T1", "{% case 1 %}{% when 1 %} {% when 2 %}x{% endcase %}|{% case 1 %}{% when 1 %} {% else %}x{% endcase %}|", " | |"),
    ("T2", "a\n{% assign x = 1 %}\nb", "a\n\nb"),
    ("T3", "{% for x in nothing %}a{% else %}b{% endfor %}{% for x in text %}{{ x }}{% endfor %}{% for x in '' %}a{% else %}c{% endfor %}{% for p in o %}{{ p[0] }}={{ p[1] }},{% endfor %}", "bHertz Goldca=1,b=2,"),
    ("4", "{% assign reversed = 'a,b' | split: ',' | reverse %}{{ reversed | join }}{% assign limit = 1 %}{% assign offset = 1 %}{% assign with = 2 %}{% assign for = 3 %}{{ limit }}{{ offset }}{{ with }}{{ for }}", "b a1123"),
    ("4", "{% for i in (1..6) reversed limit:2 offset:1 %}{{ i }}{% endfor %}{% for i in (1..4) limit:2 %}{{ i }}{% endfor %}{% for i in (1..4) offset:continue %}{{ i }}{% endfor %}{% for i in (1..4) limit:0 %}x{% else %}0{% endfor %}", "3212340"),
    ("4", "{% for a in (1..2) %}{% for b in (1..2) %}{{ forloop.parentloop.index }}{{ forloop.index }}{{ forloop.rindex0 }}{% if forloop.last %};{% endif %}{% endfor %}{% endfor %}", "111120;211220;"),
    ("4", "{% for i in (1..5) %}{% if i == 2 %}{% continue %}{% elsif i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "13"),
    ("4", "{% case 2 %}{% when 1 or 2, 3 %}a{% when 2 %}b{% else %}c{% endcase %}{% case 'x' %}junk{% when 'y' %}a{% else %}c{% endcase %}", "abc"),
    ("4", "{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'g': 1, 2 %}{% cycle 'g': 1, 2 %}", "aba12"),
    ("4", "{% increment c %}{% increment c %}{{ c }}{% decrement d %}{% decrement d %}", "012-1-2"),
    ("4", "{% tablerow x in (1..3) cols:2 %}{{ x }}{% endtablerow %}", '<tr class="row1">\n<td class="col1">1</td><td class="col2">2</td></tr>\n<tr class="row2"><td class="col1">3</td></tr>\n'),
    ("4", "{% tablerow x in (1..2) %}{{ tablerowloop.row }}{{ tablerowloop.col_last }}{% endtablerow %}{% tablerow x in (1..2) cols:0 %}{{ x }}{% endtablerow %}", '<tr class="row1">\n<td class="col1">1false</td><td class="col2">1false</td></tr>\n<tr class="row1">\n<td class="col1">1</td><td class="col2">2</td></tr>\n'),
    ("4", "{% liquid\nassign x = ${n} | plus: 1\nif x > 3\n  echo x\nendif\n# no more\n%}{% # a comment %}{% echo 'e' | upcase %}", "4E"),
    ("4", "{% comment %}{% comment %}{{ a }}{% endcomment %}{% raw %}{% endcomment %}{% endraw %}{% endcomment %}x{% raw %}{{ ${x} }}{%{% endraw %}", "x{{ ${x} }}{%"),
    ("4", "a  {{- 1 -}}  b \n{%- if true -%}\n c\n{%- endif -%}\n d", "a1bcd"),
    ("4", "a\r\n b\r{{ 'x' }}\r\n", "a\r\n b\rx\r\n"),
    ("4", "{% for i in (1..3) %}{% capture c %}{{ i }}{% if i == 2 %}{% break %}{% endif %}.{% endcapture %}{% endfor %}{{ c }}", "2"),
    ("L10", '{"id": {{ product.id }}}', '{"id": 7}'),
    ("L10", "{{ '{{' }} {{ '}' }}", "{{ }"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "wanted"), CASES)
def test_what_the_language_means(rule: str, source: str, wanted: str) -> None:
    """By the function and by the tree. L3, L4, L5, L6, L7, L11, L12, V1, V2, V3, V4, V5, V6, V8, N4, T1, T2, T3, E2, E6, L10"""
    assert said(source) == wanted, rule
    assert compile(source).render_by_tree(VALUES) == wanted, rule


REFUSED = [
    ("{{ “a” }}", 1, 4, "curly quotes", ""), ("{% if a == ‘b’ %}{% endif %}", 1, 12, "curly quotes", ""),
    ("a {{{ b }}}", 1, 3, "not three", ""), ("{{ {{ b }} }}", 1, 4, "two braces are expected", ""), ("{{ b | plus: {{{c}}} }}", 1, 16, "braces", ""),
    ("{{ a }", 1, 1, "never closed by }}", ""), ("{{ a | plus: {{b }}", 1, 1, "never closed", ""),
    ("{% if a | size > 1 %}{% endif %}", 1, 9, "filters are not supported in a condition", "assign first"),
    ("{% if {{a | size}} > 1 %}{% endif %}", 1, 13, "filters are not supported in a condition", "assign first"),
    ("{% case a | upcase %}{% endcase %}", 1, 11, "filters are not supported in", "assign first"),
    ("{% case a %}{% when b | upcase %}{% endcase %}", 1, 23, "filters are not supported in", ""),
    ("{% for x in a | sort %}{% endfor %}", 1, 15, "is not allowed in a loop", ""), ("{{ a[b | upcase] }}", 1, 8, "filters are not supported in brackets", "assign first"),
    ("{% assign x = a == b %}", 1, 17, "“==” is not allowed here", "compare in {% if %}"), ("{% assign x = a and b %}", 1, 17, "“and” is not allowed here", ""),
    ("{% assign x = 1 + 2 %}", 1, 17, "“+” is not allowed here", "| plus"), ("{% assign x = 3 * 2 %}", 1, 17, "“*”", "| times"), ("{% assign x = a -1 %}", 1, 17, "“-1”", "| minus: 1"),
    ("{% if a && b %}{% endif %}", 1, 9, "write “and”", ""), ("{% if a || b %}{% endif %}", 1, 9, "write “or”", ""),
    ("{% if not a %}{% endif %}", 1, 7, "“not” is not supported", "unless"), ("{% if (a or b) and c %}{% endif %}", 1, 7, "parentheses are not supported", ""),
    ("{% if a = b %}{% endif %}", 1, 9, "“=” is not a comparison", "write “==”"), ("{% if a b %}{% endif %}", 1, 9, "nothing may follow", ""),
    ("{% if a &gt; 1 %}{% endif %}", 1, 9, "“&gt;” is written as in HTML", "write >"), ("{% if a &amp;&amp; b %}{% endif %}", 1, 9, "“&amp;”", "write &"),
    ("{{ a | default: &quot;x&quot; }}", 1, 17, "“&quot;”", 'write "'), ("{{ a | append: &#39;x&#39; }}", 1, 16, "“&#39;”", "write '"), ("{{ a&nbsp;| upcase }}", 1, 5, "“&nbsp;”", "a plain space"),
    ("{% if a OR b %}{% endif %}", 1, 9, "“OR” is not known", "“or”, in small letters"), ("{% if a == 1 AND b %}{% endif %}", 1, 14, "“AND” is not known", "“and”"),
    ("{% if a Contains b %}{% endif %}", 1, 9, "“Contains” is not known", "“contains”"), ("{% case a %}{% when 1 Or 2 %}{% endcase %}", 1, 23, "“Or” is not known", "“or”"),
    ("{% assign x 5 %}", 1, 13, "name = value", ""), ("{% assign 'x %}", 1, 11, "never closed", ""), ("{% if %}{% endif %}", 1, 4, "expression is missing", ""),
    ("{% for x of y %}{% endfor %}", 1, 10, "item in list", ""), ("{% for x in y limt:2 %}{% endfor %}", 1, 15, "“limt” is not allowed in a loop", "limit"),
    ("\n{% for x in y %}", 2, 4, "never closed by {% endfor %}", ""), ("{% if a %}{% endfor %}", 1, 14, "{% endfor %} has no open tag", ""),
    ("{{ $name }}", 1, 4, "“$name” is not a name", "write ${name}"), ("{{ a. }}", 1, 5, "a name is expected after “.”", ""), ("{% unles a %}{% endunless %}", 1, 4, "no tag “unles”", "unless"),
    ("{% render 'x' %}", 1, 4, "no tag “render”", ""), ("{% random 'x' | upcase %}", 1, 15, "filters are not supported", ""), ("{% endif %}", 1, 4, "endif", ""), ("{% else %}", 1, 4, "else", ""),
    ("{% content %}", 1, 4, "no tag “content”", "did you mean “comment”?"), ("{% output 1 %}", 1, 4, "no tag “output”", "allowed: abort_message"), ("{% liquid\nillegal 1 %}", 2, 1, "no tag “illegal”", "and 18 more"),
    ("{% if a %}{% elseif b %}{% endif %}", 1, 14, "no tag “elseif”", "did you mean “elsif”?"), ("{% rwa %}", 1, 4, "no tag “rwa”", "did you mean “raw”?"), ("{% endraw %}", 1, 4, "{% endraw %} has no open tag", ""),
    ("{{ a | zzz }}", 1, 8, "no filter “zzz”", "and 57 more"),
    ("abc\n{% assign x = %}\nline two\nline three", 2, 14, "a value is missing", ""), ("{% for x in %}\n\n", 1, 12, "a value is missing", ""), ("{% if a == %}x\n", 1, 11, "a value is missing", ""),
    ("{% if a and %}\n", 1, 12, "a value is missing", ""), ("{% case a %}{% when 1, %}\n{% endcase %}", 1, 23, "a value is missing", ""), ("\n{{ a | }}\n", 2, 7, "the name of a filter", ""),
    ("{{ a[ }}\nb", 1, 6, "a value is missing", ""), ("{{ a | plus: b: }}\n", 1, 16, "a value is missing", ""), ("{% liquid\n assign x =\n echo 1 %}", 2, 12, "a value is missing", ""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "column", "words", "hint"), REFUSED)
def test_what_cannot_be_meant_is_refused_at_its_place_with_what_to_write(
    source: str, line: int, column: int, words: str, hint: str
) -> None:
    """V4, V7, L10, E1"""
    with pytest.raises(TemplateError) as refused:
        compile(source)

    assert words in refused.value.message, refused.value.message
    assert hint in refused.value.hint, refused.value.hint
    assert (refused.value.line, refused.value.column) == (line, column), refused.value.message


@pytest.mark.parametrize(
    "tag", ["include 'x'", "render 'x'", "ifchanged %}{% endifchanged", "doc %}{% enddoc"]
)
def test_tags_of_other_dialects_are_not_known(tag: str) -> None:
    """L1"""
    [problem] = problems(f"{{% {tag} %}}")
    assert f"no tag “{tag.split()[0]}”" in problem.message


@pytest.mark.parametrize("source", ["{% if 'a' > 1 %}x{% endif %}", "{% if custom_attribute.${at} > 5 %}x{% endif %}", "{% for i in (1..text) offset: text %}{% endfor %}", "{% random 0 %}", "{% random text %}"])  # fmt: skip
def test_values_that_do_not_go_together_cancel_the_message(source: str) -> None:
    """E3, V6"""
    with pytest.raises(RenderError):
        said(source)


def test_lots_are_between_0_and_1_or_whole_numbers_below_a_bound_and_come_from_the_message() -> None:
    """T4"""
    source = compile("{% random %} {% random 10 %} {% random ${n} %} {% random {{${n}}} %}")
    first = source.render(Values(profile={"n": 3}, draw=random.Random(5).random)).split()
    assert first == source.render(Values(profile={"n": 3}, draw=random.Random(5).random)).split()
    for seed in range(200):
        real, *whole = source.render(Values(profile={"n": 3}, draw=random.Random(seed).random)).split()
        assert 0 <= float(real) < 1
        assert [int(each) < bound for each, bound in zip(whole, (10, 3, 3), strict=True)] == [True] * 3
    assert compile("{% random %}").render(Values()) != compile("{% random %}").render(Values())


def test_comments_of_html_are_gone_before_liquid_is_read_but_conditional_ones_stay() -> None:
    """L8"""
    source = (
        "a<!-- {{ broken --><!--[if mso]><b>{{ zero }}</b><![endif]-->"
        "<!--[if !mso]><!-->c<!--<![endif]--><!--\n{% abort_message() %}\n-->d<!-- open {{ text }}"
    )
    wanted = "a<!--[if mso]><b>0</b><![endif]--><!--[if !mso]><!-->c<!--<![endif]-->d<!-- open Hertz Gold"
    assert compile_html(source).render(VALUES) == wanted
    assert compile(without_comments(source)).render(VALUES) == wanted
    with pytest.raises(TemplateError):
        compile(source)


def test_what_is_wrong_after_a_comment_is_told_at_its_place_in_the_source() -> None:
    """L8, E1"""
    [error] = problems("x<!-- {{ \n -->\n<!-- y -->  {{ a | nope }}", compile_html)
    assert (error.line, error.column) == (3, 20)
    [error] = problems("<!-- -->\n  {{ a", compile_html)
    assert (error.line, error.column) == (2, 3)
    with pytest.raises(RenderError) as failed:
        compile_html("<!-- -->{{ 1 | divided_by: 0 }}").render(VALUES)
    assert failed.value.column == 16


def test_an_attribute_that_an_index_follows_is_asked_for_by_its_name() -> None:
    assert compile("{{custom_attribute.${cart[0]}.name}}{{$isoTimestamp}}{{${a[1]}}}").needs == {
        "custom_attribute.cart",
        "profile.a",
    }


def test_values_are_never_changed_by_rendering() -> None:
    given: dict[str, Any] = {"l": [3, [1, 2]], "o": {"b": [1]}}
    compile(
        "{{ l | concat: l | reverse | join }}{% assign l = 1 %}{% increment l %}{{ o | as_json_string }}"
    ).render(Values(namespaces=given))
    assert given == {"l": [3, [1, 2]], "o": {"b": [1]}}
