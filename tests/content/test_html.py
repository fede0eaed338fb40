"""How HTML is read: references and addresses as browsers read them, and the text part that is made of it."""

from __future__ import annotations

import time
from html.entities import html5
from uuid import UUID

import pytest

from journeys.engine.content import compile_html, text_part
from journeys.engine.content.html_comments import without_comments
from journeys.engine.content.html_reading import address, begin_of_body, in_attribute, in_text
from journeys.engine.content.render import Values
from journeys.engine.delivery.tracking_links import Links, Mark
from tests.content.work import work

NOBODY = UUID(int=0)

BARE = sorted(name for name in html5 if not name.endswith(";"))
"""Names of characters that need no semicolon in a text."""


def test_a_name_without_semicolon_is_text_within_an_address_and_a_character_in_a_text() -> None:
    """All 106: `&copy=`, `&currency=`, `&region=`, `&section=`, `&timestamp=` … are parameters."""
    assert len(BARE) == 106
    for name in BARE:
        for after in ("=1", "x", "7=", "_a"[1:]):
            assert in_attribute(f"?a=1&{name}{after}") == f"?a=1&{name}{after}"
        for after in ("", " ", "&", "-", "_"):
            assert in_attribute(f"?a=1&{name}{after}") == f"?a=1{html5[name]}{after}"
        assert in_attribute(f"&{name};=1") == f"{html5[name]}=1"
        assert in_text(f"&{name}=1") == f"{html5[name]}=1"


@pytest.mark.parametrize(("written", "meant"), [
    ("https://a.example/?x=1&currency=EUR&region=eu&copy=2&section=3&timestamp=4&note=5", "same"),
    ("https://a.example/?x=1&amp;b=2&#38;c=3&#x26;d", "https://a.example/?x=1&b=2&c=3&d"),
    (" https://a.example/\n  long\r\n\t/path ", "https://a.example/  long/path"),
    ("https://a.example/?q=&notit;&notin;&bogus;", "https://a.example/?q=&notit;∉&bogus;"),
    ("&#" + "9" * 6000 + ";&#0;&#128;&#xD800;&#" + "0" * 50 + "65", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}€\N{REPLACEMENT CHARACTER}A"),
])  # fmt: skip
def test_an_address_is_what_a_browser_reads(written: str, meant: str) -> None:
    assert address(written) == (written if meant == "same" else meant)


def test_the_address_that_is_counted_and_the_one_in_the_text_part_are_the_authors() -> None:
    html = "<a class=x href='https://a.example/?a=1&copy=2\n&amp;sect=3&region=4'>go</a>"
    wanted = "https://a.example/?a=1&copy=2&sect=3&region=4"
    links = Links("https://j.example", b"x" * 32, Mark(1, NOBODY, NOBODY, "c", "s", "email"))

    assert f"href='{links.click(wanted)}'".replace("&", "&amp;") in links.rewritten(html)
    assert text_part(html) == f"go ({wanted})"


@pytest.mark.parametrize(("html", "text"), [
    ('<style>a{}</style><h1>Hi Mel</h1><!-- x --><p>See <a href="https://a.b/c">this</a></p><ul><li>1<li>2</ul>',
     "Hi Mel\n\nSee this (https://a.b/c)\n\n1\n2"),
    ("<table><tr><td>Runner</td><td>59.90</td></tr><tr><th>a<td>b</table>", "Runner 59.90\n\na b"),
    ("&#123;&#123; x &#125;&#125; &lbrace;% if %&rbrace; &lt;b&gt; &copy=", "{{ x }} {% if %} <b> ©="),
    ("<head><title>t</title><style>p{}</style></head><body>x", "x"),
    ("<head><meta name=a><p>shown", "shown"),
    ("<script>if (a<b) '</p>'</SCRIPT >x<title>never closed", "x"),
    ("<!--[if mso]>no<![endif]--><!--[if !mso]><!-->yes<!--<![endif]--><![if x]>too<![endif]>", "yestoo"),
    ("a<![x]>b<!x>c<?x?>d</ x>e<!-->f<!--->g<!-- -- --!>h<!-- never closed", "abcdefgh"),
    ("1 < 2, <3, a<b <br title='>'>c", "1 < 2, <3, ac"),
    ("<a href=x>1<a href='#y'>2</a> <a href='https://z'> https://z </a></a>", "1 (x)2 https://z"),
    ("<a href=one href=two>1</a><template><a href=x>no</a></template>", "1 (one)"),
    ("a&nbsp;b\n\n c<br>d<hr/>e<div>f</div>", "a b c\nd\ne\nf"),
])  # fmt: skip
def test_the_text_part_is_what_the_html_shows(html: str, text: str) -> None:
    """L8, L9"""
    assert text_part(html) == text


PIECES = ("<a ", "<!--", "<![x]>", "<a href='", "<a href=x>", "</a>", '<a x="', "< ", "&#1", "&a", "&copy", "<title>",
          "</title>", "<td>", "<!-- -->", "=", "<x/ =\"'", "\n", " ", "<template>", "<a href=x>y</a>")  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_making_a_text_part_is_work_in_proportion_to_its_html_whatever_that_is(
    piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E4, L9"""

    def read(html: str) -> None:
        text_part(html)
        begin_of_body(html)

    small, large = (work(read, piece * times, monkeypatch) for times in (500, 2_000))
    assert large < 6 * small


@pytest.mark.parametrize(("html", "before"), [
    ("<!DOCTYPE html><html><head><title><body></title></head><BODY class='>'>x", "x"),
    ("<!doctype html>\n<html>\n<!-- <body> -->\n<p>x", "\n<p>x"),
    ("<p>x<body>", "<p>x<body>"),
    ("x", "x"),
    ("<style>p{}</style><meta a>x", "x"),
    ("", ""),
])  # fmt: skip
def test_a_body_begins_after_its_tag_or_after_what_stands_before_it(html: str, before: str) -> None:
    assert html[begin_of_body(html) :] == before


def test_a_text_part_shows_what_the_html_shows_and_runs_nothing_again() -> None:
    """L9"""
    source = "<head>{% assign a = 'set' %}</head>{% random 1000000 %} {{ a }} &#123;{ 1 | nope }} {% raw %}{{x}}{% endraw %}"
    html = compile_html(source).render(Values())
    number = html.split("</head>")[1].split(" ")[0]

    assert text_part(html) == f"{number} set {{{{ 1 | nope }}}} {{{{x}}}}"


PIECES = [
    "<a ", "<a href", "<a href=", "<a href='", '<a href="', "<a href='x' ", "<!--", "<!-->", "<!--[if -->", "<!--[if x]>", "<![x]>",
    "<!--\t", "<title><", "<script>", "</", "<?", "&#", "&a", "<template>", "</body>", "<p ", " href =", "--", "]",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_whatever_is_repeated_in_html_it_is_read_in_linear_time(piece: str) -> None:
    """L8, L9: comments, text part, preheader, links. Ten times as much takes no hundred times as long."""
    links = Links("https://j.example", b"secret", Mark(1, UUID(int=1), UUID(int=2), "c", "s", "email"))

    def through(html: str) -> float:
        began = time.thread_time()
        without_comments(html)
        text_part(html)
        begin_of_body(html)
        links.rewritten(html)
        return time.thread_time() - began

    size = 20_000
    few, many = through(piece * (size // len(piece))), through(piece * (10 * size // len(piece)))
    assert many < 40 * max(few, 0.002), (few, many)
