"""The filters of the dialect, group by group (liquid.md section 5)."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.engine.content import RenderError, TemplateError, Values, compile
from journeys.engine.content.filters import FILTERS
from journeys.engine.content.liquid_dialect import DIALECT

NOW = datetime(2026, 12, 7, 9, 5, 3, tzinfo=UTC)
DATA: dict[str, Any] = {
    "at": datetime(2021, 6, 3, 17, 13, 41, tzinfo=UTC), "bare": datetime(2021, 6, 3, 17, 13), "none": None, "words": ["b", None, "A", "c"], "nested": [1, [2, [3]]],
    "things": [{"k": "q", "n": 2}, {"k": "p", "n": 1}, {"k": "r"}], "o": {"a": 1, "b": ["x"]}, "big": 10**20, "f": 2.5,
    "mixed": [1, 1.0, True, "1", [1], {"a": 1}, {"a": 1}], "empty": [], "json": '{"a": [1, {"b": null}]}', "key": "b",
    "quote": 'a"b\\c\n\té', "range": 3,
}  # fmt: skip


def said(source: str) -> str:
    return compile(source).render(Values(namespaces=DATA, now=NOW))


LISTED = [
    "join",
    "first",
    "last",
    "compact",
    "concat",
    "map",
    "reverse",
    "size",
    "slice",
    "sort",
    "sort_natural",
    "uniq",
    "where",
    "abs",
    "at_most",
    "at_least",
    "ceil",
    "divided_by",
    "floor",
    "minus",
    "plus",
    "round",
    "times",
    "modulo",
    "money",
    "append",
    "capitalize",
    "downcase",
    "escape",
    "newline_to_br",
    "prepend",
    "remove",
    "remove_first",
    "replace",
    "replace_first",
    "slice",
    "split",
    "strip",
    "strip_html",
    "strip_newlines",
    "truncate",
    "truncatewords",
    "upcase",
    "md5",
    "sha1",
    "sha2",
    "lstrip",
    "rstrip",
    "hmac_sha1_hex",
    "hmac_sha1",
    "hmac_sha1_base64",
    "hmac_sha256_hex",
    "hmac_sha256_base64",
    "hmac_sha256",
    "hmac_sha512",
    "base64_encode",
    "base64_decode",
    "url_encode",
    "url_escape",
    "url_param_escape",
    "json_escape",
    "json_parse",
    "as_json_string",
    "property_accessor",
    "number_with_delimiter",
    "default",
    "date",
    "time_zone",
]


def test_there_are_the_listed_filters_and_no_others() -> None:
    """Section 5."""
    assert set(FILTERS) == set(DIALECT.filters) == set(LISTED)


@pytest.mark.parametrize(("name", "hint"), [
    ("sum", ""), ("find_index", ""), ("has", ""), ("reject", ""), ("safe", ""), ("squish", ""), ("handleize", ""),
    ("money_with_currency", ""), ("url_decode", "url_encode"), ("Upcase", "upcase"), ("uppcase", "upcase"), ("time_zon", "time_zone"),
])  # fmt: skip
def test_any_other_filter_is_refused_with_the_nearest_that_exists(name: str, hint: str) -> None:
    """E1, section 5."""
    with pytest.raises(TemplateError, match=f"there is no filter “{name}”") as refused:
        compile(f"{{{{ x | {name} }}}}")
    assert (refused.value.line, refused.value.column) == (1, 8)
    assert hint in refused.value.hint


NUMBERS = [
    ("V9", "{{ 0.1 | plus: 0.2 }} {{ 4.5 | minus: 4.4 }} {{ 1.1 | times: 3 }}", "0.3 0.1 3.3"),
    ("V9", "{{ '12abc' | plus: 1 }} {{ '1,000' | plus: 1 }} {{ '' | plus: 1 }} {{ ' 7 ' | plus: 0 }} {{ '-3.50' | plus: 0 }} {{ '3.' | plus: 0 }} {{ '+4' | plus: 1 }}", "13 2 1 7 -3.5 3 5"),
    ("V9", "{{ nil | plus: 1 }} {{ true | plus: 1 }} {{ words | plus: 1 }} {{ 5 | plus: nil }}", "1 1 1 5"),
    ("V10", "{{ -91368000 | divided_by: 86400 }} {{ 7 | divided_by: 2 }} {{ 7 | divided_by: 2.0 }} {{ 7.0 | divided_by: 2 }} {{ 10 | divided_by: 3.0 }}", "-1058 3 3.5 3.5 3.3333333333333335"),
    ("V10", "{{ -7 | modulo: 3 }} {{ 7 | modulo: -3 }} {{ 7.5 | modulo: -2 }} {{ '7' | modulo: 4 }}", "2 -2 -0.5 3"),
    ("V10", "{{ 2.5 | round }} {{ 0.5 | round }} {{ -2.5 | round }} {{ 1250.5 | round }} {{ 5.666 | round: 2 }} {{ 1.005 | round: 2 }} {{ 555 | round: -1 }} {{ 5 | round: 2 }}", "3 1 -3 1251 5.67 1.01 560 5"),
    ("V10", "{{ 1.2 | ceil }} {{ -1.2 | ceil }} {{ 1.8 | floor }} {{ -1.2 | floor }} {{ '3.5' | ceil }} {{ 'x' | ceil }}", "2 -1 1 -2 4 0"),
    ("V10", "{{ -6.0 | modulo: 3 }} {{ 0.0 | times: -1 | modulo: 3 }} {{ 0.0 | times: -1 | abs }} {{ 0.0 | times: -1 }}", "0.0 0.0 0.0 -0.0"),
    ("V10", "{{ -5 | abs }} {{ '-5.5' | abs }} {{ 3 | at_least: 4.5 }} {{ '9' | at_most: 4 }} {{ 4 | at_most: 4.0 }}", "5 5.5 4.5 4 4"),
    ("V8", "{{ 1000000000000000 | times: 1.0 }} {{ -1234567890123456.0 }} {{ 999999999999999.0 }} {{ 1000000000000000.5 }}", "1.0e+15 -1.234567890123456e+15 999999999999999.0 1000000000000000.5"),
    ("V8", "{{ big | times: 1.0 }} {{ 0.00001 | plus: 0 }} {{ 12.0 }} {{ 3 | times: 1.0 }}", "1.0e+20 1.0e-05 12.0 3.0"),
    ("9", "{{ at | plus: 0 }} {{ 'now' | date: '%s' | minus: 3 }}", "1622740421 1796634300"),
    ("5 money", "{{ 145 | money }} {{ 17.8 | money }} {{ 1.45 | money }} {{ 1234567.891 | money }} {{ -0.5 | money }} {{ 2.675 | money }} {{ '9.5' | plus: 0 | money }}", "145.00 17.80 1.45 1234567.89 -0.50 2.68 9.50"),
    ("5 money", "{{ 'nine' | money }}{{ nil | money }}", "nine"),
    ("5 other", "{{ 1234567.5 | number_with_delimiter }} {{ 123 | number_with_delimiter }} {{ -1234 | number_with_delimiter }} {{ '1234567' | number_with_delimiter }} {{ 'x1234' | number_with_delimiter }}{{ nil | number_with_delimiter }}", "1,234,567.5 123 -1,234 1,234,567 x1234"),
]  # fmt: skip

LISTS = [
    ("5 array", "{{ words | compact | join: '-' }} {{ words | reverse | join }} {{ nested | reverse | join: '' }} {{ nested | size }}", "b-A-c c A  b 321 2"),
    ("5 array", "{{ words | sort | join: ',' }} {{ words | sort_natural | join: ',' }} {{ things | sort: 'n' | map: 'k' | join }} {{ things | map: 'n' | join: ',' }}", "A,b,c, A,b,c, p q r 2,1,"),
    ("5 array", "{{ things | where: 'k', 'p' | size }} {{ things | where: 'n' | size }} {{ things | compact: 'n' | size }} {{ mixed | uniq | size }} {{ things | uniq: 'none' | size }}", "1 2 2 5 1"),
    ("5 array", "{{ words | concat: nested | size }} {{ words | first }}{{ words | last }} {{ 'hello' | first }}{{ 'hello' | last }} {{ o | first | join: '=' }} {{ (1..4) | last }}", "6 bc ho a=1 4"),
    ("5 array", "{{ none | join }}{{ none | sort | size }}{{ 5 | join: ',' }}{{ 'a' | reverse }}{{ 'ab' | sort }}{{ o | reverse | size }}", "05aab1"),
    ("F4", "{{ 'Liquid' | slice: 2 }} {{ 'Liquid' | slice: -3, 2 }} {{ 'Liquid' | slice: 9 }}{{ words | slice: 1, 2 | join: ',' }} {{ 'Liquid' | slice: -9 }}{{ 'Liquid' | slice: '1', '2' }}", "q ui ,A iq"),
    ("F2", "{{ 'a*b*' | split: '*' | size }} {{ '' | split: ',' | size }} {{ 'ab' | split: '' | join: '-' }} {{ ' a  b ' | split: ' ' | join: '-' }} {{ '1,,2,,' | split: ',' | size }} {{ ',a' | split: ',' | size }}", "2 0 a-b a-b 3 2"),
    ("F3", "{{ 'x' | append: nil }}{{ 'x' | append: true }}{{ 1 | prepend: 2.5 }} {{ words | join: nil }} {{ 'xnilx' | replace: 'nil', nil }}", "xxtrue2.51 bAc xx"),
]  # fmt: skip

TEXTS = [
    ("F4", "{{ 'one two three' | truncatewords: 2 }} {{ 'one two' | truncatewords: 2 }} {{ 'a b c' | truncatewords: 0, '--' }} {{ 'Ground control' | truncate: 9 }} {{ 'Ground' | truncate: 6 }} {{ 'Ground' | truncate: 2, '!' }}", "one two... one two a-- Ground... Ground G!"),
    ("F4", "{{ 'hELLO wORLD' | capitalize }} {{ 'éa' | upcase }} {{ 'ÉA' | downcase }} {{ ' x ' | strip }}|{{ ' x ' | lstrip }}|{{ ' x ' | rstrip }}|", "Hello world ÉA éa x|x | x|"),
    ("F4", "{{ \"<a href='x'>&\" | escape }} {{ nil | escape }}{{ '&lt;' | escape }}", "&lt;a href=&#39;x&#39;&gt;&amp; &amp;lt;"),
    ("5 string", "{{ 'a-b-a' | replace: 'a', 'x' }} {{ 'a-b-a' | replace_first: 'a', 'x' }} {{ 'a-b-a' | remove: 'a' }} {{ 'a-b-a' | remove_first: 'a' }} {{ 'ab' | replace: '', '.' }}", "x-b-x x-b-a -b- -b-a .a.b."),
    ("5 string", "{{ 'a' | replace: 'a', '\\\\' }}{{ 'xay' | replace: 'a', '[\\&\\0\\1\\k]' }}{{ 'xaya' | replace: 'a', '<\\`>' }}{{ 'xaya' | replace_first: 'a', \"<\\'>\" }}{{ 'ab' | replace: '', '\\&.' }}{{ '\"' | replace: '\"', '\\\"' }}", '\\x[aa\\k]yx<x>y<xay>x<ya>ya.a.b.\\"'),
    ("F4", "{{ 'ΑΣ' | downcase }}{{ 'xΣ' | capitalize }}", "ασXσ"),
    ("5 string", "{{ '<p>a<!-- <b> --><script>x()</script> <style>y</style>b</p> < c' | strip_html }}|{{ quote | newline_to_br | strip_newlines }}|", 'a b < c|a"b\\c<br />\té|'),
    ("V8", "{{ nested | append: '!' }} {{ o | append: '!' }} {{ words | upcase }}", '[1, [2, [3]]]! {"a":1,"b":["x"]}! ["B", NIL, "A", "C"]'),
]  # fmt: skip

CODED = [
    ("5 hash", "{{ 'a' | md5 }} {{ 'a' | sha1 }} {{ 'a' | sha2 }}", "0cc175b9c0f1b6a831c399e269772661 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("5 hash", "{{ 'what do ya want for nothing?' | hmac_sha256_hex: 'Jefe' }} {{ 'what do ya want for nothing?' | hmac_sha1: 'Jefe' }} {{ 'what do ya want for nothing?' | hmac_sha1_base64: 'Jefe' }} {{ 'what do ya want for nothing?' | hmac_sha512: 'Jefe' | slice: 0, 16 }}", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843 effcdf6ae5eb2fa2d27416d5f184df9c259a7c79 7/zfauXrL6LSdBbV8YTfnCWafHk= 164b7a7bfcf819e2"),
    ("5 encode", "{{ 'a b&c=é/*~' | url_encode }} {{ 'hey<>hi & a=b?c/d:e' | url_escape }} {{ 'a b&c=é/~-._' | url_param_escape }}", "a+b%26c%3D%C3%A9%2F%2A~ hey%3C%3Ehi%20&%20a=b?c/d:e a%20b%26c%3D%C3%A9%2F~-._"),
    ("5 encode", "{{ 'é?' | base64_encode }} {{ 'w6k/' | base64_decode }} {{ nil | base64_encode }}", "w6k/ é? "),
    ("5 json", "{{ quote | json_escape }} {{ o | as_json_string }} {{ words | as_json_string }} {{ none | as_json_string }} {{ 'é\"' | as_json_string }} {{ f | as_json_string }}", 'a\\"b\\\\c\\n\\té {"a":1,"b":["x"]} ["b",null,"A","c"] null "é\\"" 2.5'),
    ("5 json", "{% assign j = json | json_parse %}{{ j.a[0] }}{{ j.a[1].b }} {{ '{bad' | json_parse }}{{ 'NaN' | json_parse }}{{ '[1,2]' | json_parse | size }}", "1 2"),
    ("5 json", "{{ '{\"a\":[1e400,-1e400,1e300]}' | json_parse | as_json_string }} {{ '1e400' | json_parse }}", '{"a":[null,null,1e+300]} '),
    ("5 other", "{{ o | property_accessor: 'a' }} {{ o | property_accessor: key }} {{ o | property_accessor: 'c' }}{{ none | property_accessor: 'c' }}{{ 'text' | property_accessor: 'c' }}", "1 x "),
    ("F1", "{{ none | default: 1 }}{{ false | default: 2 }}{{ '' | default: 3 }}{{ empty | default: 4 }}{{ ' ' | default: 5 }}{{ 0 | default: 6 }}{{ false | default: 7, allow_false: true }}{{ nil | default: 8, allow_false: true }}", "1234 0false8"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "wanted"), [*NUMBERS, *LISTS, *TEXTS, *CODED])
def test_what_filters_give(rule: str, source: str, wanted: str) -> None:
    """V8, V9, V10, F1, F2, F3, F4: the rule beside each case."""
    # mixed lists print booleans and objects, empty is a word of the language
    assert said(source) == wanted, rule


DATES = [
    ("2021-06-03 17:13:41 UTC", "2021-06-03 17:13:41 +0000"), ("2021-06-03T17:13Z", "2021-06-03 17:13:00 +0000"),
    ("2021-06-03T17:13:41.250+01:00", "2021-06-03 17:13:41 +0100"), ("2021-06-03 17:13:41 -0800", "2021-06-03 17:13:41 -0800"),
    ("2021-06-03", "2021-06-03 00:00:00 +0000"), ("2021-06-03T24:00", "2021-06-04 00:00:00 +0000"),
    ("2025-08-05T08:15:30:250-0800", "2025-08-05 08:15:30 -0800"), ("March 14, 2016", "2016-03-14 00:00:00 +0000"),
    ("10:30", "2026-12-07 10:30:00 +0000"), ("14/03/2016", "2016-03-14 00:00:00 +0000"), ("04/03/2016", "2016-03-04 00:00:00 +0000"),
    ("3 Jun 2021 10:30 pm", "2021-06-03 22:30:00 +0000"), ("Thu, 03 Jun 2021 17:13:41 GMT", "2021-06-03 17:13:41 +0000"),
    ("June 3rd, 2021", "2021-06-03 00:00:00 +0000"), ("2021/06/03", "2021-06-03 00:00:00 +0000"), ("1622740421", "2021-06-03 17:13:41 +0000"),
    ("2021-02-30", "2021-03-02 00:00:00 +0000"), ("NOW", "2026-12-07 09:05:03 +0000"), ("today", "2026-12-07 09:05:03 +0000"),
    ("31-12-2020", "2020-12-31 00:00:00 +0000"), ("01-02-2020", "2020-02-01 00:00:00 +0000"), ("31-12-2020 10:30", "2020-12-31 10:30:00 +0000"), ("31-02-2020", "2020-03-02 00:00:00 +0000"),
    ("31-12-2020T10:30:00+01:00", "2020-12-31 10:30:00 +0100"), ("Fri, 31-12-2020", "2020-12-31 00:00:00 +0000"), ("01-02-20", "2001-02-20 00:00:00 +0000"), ("1/2/20 3pm", "2001-02-20 15:00:00 +0000"),
    ("31.12.20", "2031-12-20 00:00:00 +0000"), ("69-1-2", "1969-01-02 00:00:00 +0000"), ("2020-060", "2020-02-29 00:00:00 +0000"), ("2020-366", "2020-12-31 00:00:00 +0000"), ("2020-060 10:00", "2020-02-29 10:00:00 +0000"),
    ("2020/12", "2020-12-01 00:00:00 +0000"), ("12/31", "2026-12-31 00:00:00 +0000"), ("July", "2026-07-01 00:00:00 +0000"), ("Sept.", "2026-09-01 00:00:00 +0000"), ("may 10:30", "2026-05-01 10:30:00 +0000"),
    ("2020-01-02T10", "2020-01-02 00:00:00 +0000"), ("2020-12-31T235959Z", "2020-12-31 00:00:00 +0000"), ("2014-08-28 EST", "2014-08-28 00:00:00 +0000"), ("March 14, 2016 UTC", "2016-03-14 00:00:00 +0000"), ("2014-08-28 -0800", "2014-08-28 00:00:00 +0000"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "wanted"), DATES)
def test_the_forms_of_dates_that_are_read(written: str, wanted: str) -> None:
    """DT1, DT2"""
    assert said(f"{{{{ '{written}' | date: '%F %T %z' }}}}") == wanted


@pytest.mark.parametrize(
    "written", ["03/14/2016", "soon", "", "2021-13-01", "2021-06-32", "25:00", "10:61", "May be", "Mayday", "12-31-2020", "13-13-2020", "31-12-99", "00-02-2020", "2021-366", "2020-000", "2020-1", "31/12", "1.2", "2020-12-31 soon", "1" * 400, "x" * 10_000, "-5", "2021-06-03T10:00:00 XYZ"]
)  # fmt: skip
def test_text_that_is_no_date_is_printed_unchanged(written: str) -> None:
    """DT1, DT2"""
    assert said(f"{{{{ '{written}' | date: '%F' }}}}") == written


FORMS = [
    ("%a %A %b %B %h", "Thu Thursday Jun June Jun"), ("%c", "Thu Jun  3 17:13:41 2021"), ("%C %d %e|%D %F", "20 03  3|06/03/21 2021-06-03"),
    ("%H %I %k|%l|%j", "17 05 17| 5|154"), ("%L %m %M %N %3N %6N", "000 06 13 000000000 000 000000"), ("%p %P %r %R", "PM pm 05:13:41 PM 17:13"),
    ("%s %S %T", "1622740421 41 17:13:41"), ("%u %U %V %w %W", "4 22 22 4 22"), ("%x %X %y %Y", "06/03/21 17:13:41 21 2021"),
    ("%z %:z %::z %Z %%", "+0000 +00:00 +00:00:00 UTC %"), ("%-d|%_d|%0d|%e", "3| 3|03| 3"), ("%^a %#b %^B %#p", "THU JUN JUNE pm"),
    ("%n%t|", "\n\t|"), ("%q %E %i %1", "%q %E %i %1"), ("%10Y %-m/%-d", "0000002021 6/3"), ("", "2021-06-03 17:13:41 UTC"),
    ("%-l %-I %-H", "5 5 17"), ("%EY %Oe %Ed %Oj %+ %-z", "2021  3 %Ed %Oj %+ +0000"), ("100%", "100%"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "wanted"), FORMS)
def test_the_directives_of_date(form: str, wanted: str) -> None:
    """DT3"""
    assert said(f"{{{{ at | date: '{form}' }}}}") == wanted


def test_names_of_days_and_months_are_english() -> None:
    """DT3"""
    assert said("{{ at | date: '%a %A %b %B %h' }}") == "Thu Thursday Jun June Jun"
    assert said("{{ '2021-12-31' | date: '%a %A %b %B %h' }}") == "Fri Friday Dec December Dec"


ZONES = [
    ("DT4", "{{ at | time_zone: 'America/Los_Angeles' | date: '%F %T %z %Z %s' }}", "2021-06-03 10:13:41 -0700 PDT 1622740421"),
    ("DT4", "{{ at | time_zone: 'Mars' }}|{{ at | time_zone: none }}|{{ 'x' | time_zone: 'Asia/Tokyo' }}|{{ '10' | time_zone: '-0005' }}|{{ nil | time_zone: 'UTC' }}", "2021-06-03 17:13:41 UTC|2021-06-03 17:13:41 UTC|x|10|"),
    ("DT4", "{{ at | time_zone: '../../etc/passwd' }}{{ at | time_zone: '' }}", "2021-06-03 17:13:41 UTC2021-06-03 17:13:41 UTC"),
    ("N6", "{{ at }} {{ at | time_zone: 'Asia/Tokyo' }}", "2021-06-03 17:13:41 UTC 2021-06-04 02:13:41 +0900"),
    ("DT5", "{{ at | date: '%H' | plus: 0 }} {{ at | date: '%m' | plus: 0 }}", "17 6"),
    ("DT1", "{{ at | date: '%H:%M %z' }} {{ bare | date: '%H:%M %z' }}", "17:13 +0000 17:13 +0000"),
    ("DT1", "{{ now }}{{ today }}{{ now | date: '%Y' }}{{ nil | date: '%Y' }}{{ none | date: '%Y' }}|{{ 1.5 | date: '%Y' }}{{ true | date: '%Y' }}", "|1.5true"),
    ("9", "{{$isoTimestamp}} {{ $isoTimestamp | slice: 0, 4 }}", "2026-12-07T09:05:03.000Z 2026"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "wanted"), ZONES)
def test_instants_in_zones(rule: str, source: str, wanted: str) -> None:
    """DT1, DT4, DT5, N6"""
    assert said(source) == wanted, rule


@pytest.mark.parametrize(("source", "words"), [
    ("{{ 1 | divided_by: 0 }}", "division by zero"), ("{{ 1.5 | modulo: 0 }}", "division by zero"),
    ("{{ 'abc' | slice: 'x' }}", "“x” is not a whole number"), ("{{ 'abc' | truncate: 1.5 }}", "“1.5” is not a whole number"),
    ("{{ mixed | sort }}", "different types"), ("{{ words | concat: 5 }}", "takes a list"),
    ("{{ nested | map: 'a' }}", "a number has no “a”"), ("{{ 'é!' | base64_decode }}", "base 64"), ("{{ '/+8=' | base64_decode }}", "base 64"),
    ("{{ big | times: big | times: big | times: big }}", "64 digits"), ("{{ (1..100000) | join }}", "range"),
])  # fmt: skip
def test_wrong_values_cancel_the_message_in_plain_words(source: str, words: str) -> None:
    """E3"""
    with pytest.raises(RenderError, match=words):
        said(source)


@pytest.mark.parametrize(("source", "words"), [
    ("{{ 1 | plus }}", "“plus” takes one value after “:”, not 0"), ("{{ 1 | plus: 1, 2 }}", "not 2"),
    ("{{ 'a' | upcase: 1 }}", "“upcase” takes no value"), ("{{ 'a' | slice: 1, 2, 3 }}", "takes 1 to 2 values"),
    ("{{ nil | default: 1, allow_fals: true }}", "has no argument “allow_fals”"), ("{{ 'x' | }}", "the name of a filter"),
])  # fmt: skip
def test_a_filter_with_too_little_or_too_much_is_refused_before_anybody_is_written_to(
    source: str, words: str
) -> None:
    """E1"""
    with pytest.raises(TemplateError, match=words):
        compile(source)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.just(NOW),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(sorted(FILTERS)), anything, st.lists(anything, max_size=2))
def test_whatever_a_filter_is_given_it_gives_a_value_or_a_message_is_cancelled(
    name: str, value: Any, more: list[Any]
) -> None:
    """E3: no other exception reaches anybody."""
    given = ", ".join(f"a{place}" for place in range(len(more)))
    source = f"{{{{ v | {name}{': ' if given else ''}{given} }}}}"
    values = Values(
        namespaces={"v": value, **{f"a{place}": each for place, each in enumerate(more)}}, now=NOW
    )
    with contextlib.suppress(TemplateError, RenderError):
        assert isinstance(compile(source).render(values), str)
