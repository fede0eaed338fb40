"""Hypothesis makes templates: all that the dialect shares with Ruby's Liquid, and values to render them with."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LETTERS = "abcXY 1,-.é\n<&>"
text = st.text(LETTERS, max_size=8)
word = st.sampled_from(["a", "b", "key", "Mel", "10", "2.50", "x y", " pad ", "", "é", "Zoe", "3 mice"])
whole = st.integers(-20, 100)
fraction = st.sampled_from([0.0, 0.1, 0.5, 1.5, 2.5, -2.5, 3.0, 12.25, 99.99, 1e20, 0.0001, -0.3])
scalar = st.one_of(whole, fraction, word, st.none(), st.booleans())
words = st.lists(st.sampled_from(["ant", "Bee", "cat", "Dog", "eel", ""]), max_size=4, unique=True)
wholes = st.lists(whole, max_size=5)
objects = st.lists(
    st.fixed_dictionaries({"k": st.sampled_from(["p", "q", "r", "s"]), "n": whole}, optional={"m": scalar}),
    max_size=4,
    unique_by=(lambda one: one["k"], lambda one: one["n"]),
)
dates = st.sampled_from([
    "2021-06-03", "2021-06-03 17:13:41 UTC", "2021-06-03T17:13:41Z", "2021-06-03T17:13:41+01:00", "2021-12-31T23:59",
    "2021-06-03T17:13:41-0800", "2020-02-29T24:00", "March 14, 2016", "14 Mar 2016", "14/03/2016", "03/14/2016",
    "Jun 3 2021 10:30 PM", "Thu, 03 Jun 2021 17:13:41 GMT", "2021-02-30", "2021/06/03", "soon", "", "no date",
    "1152098955", "0", "-1", "2021-06-03T17:13:41.987Z", "1st of May 2021",
])  # fmt: skip

values = st.fixed_dictionaries({
    "i": whole, "f": fraction, "s": text, "w": word, "yes": st.just(value=True), "no": st.just(value=False),
    "none": st.none(), "blanks": st.just("  "), "list": wholes, "names": words, "things": objects,
    "mixed": st.lists(scalar, max_size=4), "nested": st.lists(st.lists(whole, max_size=2), max_size=3),
    "o": st.dictionaries(st.sampled_from(["a", "b", "key"]), scalar, max_size=3), "date": dates, "n": st.integers(-3, 5),
})  # fmt: skip
"""What a template may name."""


def quoted(value: str) -> str:
    return f"'{value}'" if "'" not in value else f'"{value}"'


def literal(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nil"}[value]
    return (
        f"{value:.6f}".rstrip("0") + ("0" if float(value).is_integer() else "")
        if isinstance(value, float)
        else str(value)
    )


number = st.one_of(
    whole.map(literal), st.sampled_from(["0.1", "2.5", "-1.5", "3.0", "i", "f", "n", "'7'", "'2.5'", "w"])
)
textual = st.one_of(
    text.map(quoted), word.map(quoted), st.sampled_from(["s", "w", "blanks", "none", "o.a", "i", "f", "yes"])
)
lists = st.sampled_from(["list", "names", "mixed", "nested", "(1..4)", "(n..3)", "none", "w", "i", "list"])
count = st.one_of(st.integers(-2, 6).map(str), st.sampled_from(["n", "'2'"]))
anything = st.one_of(
    number, textual, lists, scalar.filter(lambda one: not isinstance(one, float)).map(literal),
    st.sampled_from([
        "missing", "o.key", "o['a']", "o[w]", "list[0]", "list[-1]", "list[n]", "things[0].k", "things.size",
        "names.first", "names.last", "s.size", "list.size", "nested[0][0]", "o.missing.deep", "w.first", "none.x", "date",
        "blank", "empty",
    ]),
)  # fmt: skip
FORMS = (
    "%Y-%m-%d %H:%M:%S %z", "%a %A %b %B %h %C %d %e %D %F", "%I %k %l %j %L %m %M %p %P", "%r %R %s %T %u %U %V %w %W",
    "%x %X %y %-d %_d %0d %^a %^B %-m/%-d", "%N|%3N|%6N|%:z|%c", "%n%t%%", "%10Y|%-H|%_m|%05d|%#p|%e%G%g", "",
)  # fmt: skip


def filter_of(name: str, *given: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    if not given:
        return st.just(f" | {name}")
    return st.tuples(*given).map(lambda args: f" | {name}: {', '.join(args)}")


on_numbers = st.one_of(
    *(filter_of(name, number) for name in ("plus", "minus", "times", "at_least", "at_most")),
    *(
        filter_of(name, st.sampled_from(["2", "-3", "0.5", "2.5", "7", "'4'"]))
        for name in ("divided_by", "modulo")
    ),
    *(filter_of(name) for name in ("abs", "ceil", "floor", "round")),
    filter_of("round", st.integers(-2, 4).map(str)),
)
on_texts = st.one_of(
    *(filter_of(name, textual) for name in ("append", "prepend", "remove", "remove_first", "split")),
    *(filter_of(name, textual, textual) for name in ("replace", "replace_first")),
    *(filter_of(name) for name in (
        "capitalize", "downcase", "escape", "newline_to_br", "strip", "lstrip", "rstrip", "strip_html",
        "strip_newlines", "upcase", "truncate", "truncatewords", "size", "url_encode", "base64_encode",
    )),
    st.just(" | base64_encode | base64_decode"),
    filter_of("slice", count), filter_of("slice", count, count), filter_of("truncate", count),
    filter_of("truncate", count, textual), filter_of("truncatewords", count), filter_of("truncatewords", count, textual),
    filter_of("default", textual), filter_of("default", textual, st.just("allow_false: true")),
)  # fmt: skip
on_lists = st.one_of(
    *(filter_of(name) for name in ("first", "last", "compact", "reverse", "size", "uniq", "join")),
    filter_of("join", textual), filter_of("concat", st.sampled_from(["list", "names", "nested"])),
    filter_of("slice", count, count),
)  # fmt: skip
on_sorted = st.one_of(filter_of("sort"), filter_of("sort_natural"))
on_keys = st.one_of(
    *(filter_of(name, st.sampled_from(["'k'", "'n'"])) for name in ("map", "where", "uniq", "compact")),
    filter_of("where", st.just("'k'"), st.sampled_from(["'p'", "'q'", "w"])),
    filter_of("map", st.just("'m'")),
)
on_objects = st.one_of(
    on_keys,
    *(filter_of(name) for name in ("first", "last", "compact", "reverse", "size", "uniq")),
    filter_of("concat", st.sampled_from(["list", "names"])),
)
"""Nothing that works with the text of an object: ours is another than Ruby's."""
on_things = st.one_of(
    on_keys, *(filter_of(name, st.sampled_from(["'k'", "'n'"])) for name in ("sort", "sort_natural"))
)
"""Sorting by keys only where no two are equal: in what order Ruby leaves equals is not defined."""
on_dates = filter_of("date", st.sampled_from(FORMS).map(quoted))


rarely = st.sampled_from([False] * 20 + [True] + [False] * 19)
"""Whether an object is printed: never at an end of the range, which Hypothesis likes best."""


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """A value with filters that mostly suit it."""
    head, filters = draw(st.sampled_from([
        (number, on_numbers), (textual, on_texts), (lists, on_lists), (anything, st.one_of(on_texts, on_numbers, on_lists)),
        (st.sampled_from(["list", "names"]), on_sorted), (st.just("things"), on_things),
        (anything, st.one_of(on_texts, on_numbers, on_lists)), (st.one_of(lists, textual), on_numbers),
        (st.one_of(lists, number), on_texts), (st.just("mixed"), st.one_of(on_keys, on_lists)), (st.just("things"), on_keys),
        (st.sampled_from(["names", "nested", "s"]), st.one_of(on_keys, on_lists)), (st.sampled_from(["o", "things"]), on_objects),
        (st.one_of(st.just("date"), dates.map(quoted), st.sampled_from(["0", "1152098955"])), on_dates),
    ]))  # fmt: skip
    found = draw(head) + "".join(
        draw(st.lists(filters, max_size=1 if filters in (on_dates, on_things) else 2))
    )
    if found.split(" ")[0] == "o" and not draw(rarely):
        return found + " | size"
    if found.startswith("things") and not draw(rarely):
        last = draw(st.sampled_from([" | map: 'k' | join: '-'", " | size", " | first | size"]))
        return "things" + ("" if "map" in found else found[6:]) + last
    return found


side = st.one_of(
    number, textual, st.sampled_from(["none", "missing", "blank", "empty", "true", "false", "nil", "list", "o", "names.size", "things[0].n"])
)  # fmt: skip
comparison = st.one_of(
    side,
    st.tuples(side, st.sampled_from(["==", "!=", "<>"]), side).map(" ".join),
    st.tuples(number, st.sampled_from(["<", ">", "<=", ">="]), st.one_of(whole.map(str), st.sampled_from(["i", "f", "none"]))).map(" ".join),
    st.tuples(textual, st.sampled_from(["<", ">="]), textual).map(" ".join),
    st.tuples(st.sampled_from(["none", "yes", "list", "o", "blank", "missing"]), st.sampled_from(["<", ">="]), side).map(" ".join),
    st.tuples(st.sampled_from(["s", "w", "names", "list", "o", "none", "'abc'"]), st.just("contains"), side).map(" ".join),
)  # fmt: skip
conditions = st.lists(comparison, min_size=1, max_size=3).flatmap(
    lambda parts: st.lists(st.sampled_from([" and ", " or "]), min_size=len(parts), max_size=len(parts)).map(
        lambda signs: "".join(
            part + sign for part, sign in zip(parts, [*signs[: len(parts) - 1], ""], strict=True)
        )
    )
)

dashes = st.sampled_from([("", "")] * 6 + [("-", ""), ("", "-"), ("-", "-")])
written = st.sampled_from(["", " ", "\n", " a ", "b", "<p>\n", " \t", "x\r\n", "é,"])


@st.composite
def tags(draw: st.DrawFn, inside: str) -> str:
    left, right = draw(dashes)
    return f"{{%{left} {inside} {right}%}}"


def outputs() -> st.SearchStrategy[str]:
    return st.tuples(dashes, expressions()).map(lambda one: f"{{{{{one[0][0]} {one[1]} {one[0][1]}}}}}")


VARIABLES = ("v", "kept", "reversed", "limit", "i")
PLACE = ("index", "index0", "rindex", "rindex0", "first", "last")
LOOP = (*PLACE, "length", "parentloop.index", "parentloop.last")
CELL = ("col", "col0", "row", *PLACE, "col_first", "col_last", "length")


@st.composite
def statements(draw: st.DrawFn, depth: int, *, looping: bool = False) -> str:
    """One tag, with what stands within it."""

    def body() -> str:
        return draw(bodies(depth - 1, looping=looping))

    simple = [
        "assign",
        "output",
        "output",
        "echo",
        "comment",
        "note",
        "raw",
        "cycle",
        "increment",
        "decrement",
        "text",
        "say",
    ]
    kinds = simple + (
        ["if", "if", "unless", "case", "for", "for", "capture", "tablerow", "liquid"] if depth else []
    )
    if looping:
        kinds += ["break", "loop", "loop"]
    kind = draw(st.sampled_from(kinds))
    name = draw(st.sampled_from(VARIABLES))

    def tag(inside: str) -> str:
        return draw(tags(inside))

    match kind:
        case "assign":
            shown = draw(st.sampled_from(["", f"{{{{ {name} }}}}", f"{{{{ {name} | size }}}}"]))
            return tag(f"assign {name} = {draw(expressions())}") + shown
        case "capture":
            return tag(f"capture {name}") + body() + tag("endcapture")
        case "say":
            return f"{{{{ {name} }}}}"
        case "echo":
            return tag(f"echo {draw(expressions())}")
        case "comment":
            return tag("comment") + draw(written) + "{{ hidden }}" + tag("endcomment")
        case "note":
            return tag("# " + draw(st.sampled_from(["note", "if x", "'", "{{ x }}"])))
        case "raw":
            return "{% raw %}" + draw(st.sampled_from([" ", "", "{{ x }}", "{% if %}"])) + "{% endraw %}"
        case "cycle":
            group = draw(st.sampled_from(["", "", "'g': "]))
            return tag(
                f"cycle {group}"
                + ", ".join(
                    draw(st.lists(st.sampled_from(["'one'", "'two'", "3", "w"]), min_size=1, max_size=3))
                )
            )
        case "increment" | "decrement":
            return tag(f"{kind} {draw(st.sampled_from(['c', 'd']))}")
        case "if" | "unless":
            found = tag(f"{kind} {draw(conditions)}") + body()
            for _ in range(draw(st.integers(0, 2))):
                found += tag(f"elsif {draw(conditions)}") + body()
            if draw(st.booleans()):
                found += tag("else") + body()
            return found + tag(f"end{kind}")
        case "case":
            found = tag(f"case {draw(side)}") + draw(st.sampled_from(["", " ", "\n"]))
            for _ in range(draw(st.integers(1, 3))):
                joined = draw(st.sampled_from([", ", " or "])).join(
                    draw(st.lists(side, min_size=1, max_size=2))
                )
                found += tag(f"when {joined}") + body()
            if draw(st.booleans()):
                found += tag("else") + body()
            return found + tag("endcase")
        case "for":
            source = draw(st.one_of(lists, st.sampled_from(["things", "o", "s", "missing"])))
            found = f"for item in {source}" + draw(st.sampled_from(["", "", " reversed"]))
            found += draw(st.sampled_from(["", "", " limit:2", " limit: n", ", limit:2 offset:1"]))
            if "offset" not in found:
                found += draw(st.sampled_from(["", "", " offset:1", " offset:continue"]))
            found = tag(found) + draw(bodies(depth - 1, looping=True))
            shown = "item.k" if source == "things" else "item[0]" if source == "o" else "item"
            found += draw(st.sampled_from(["", f"{{{{ {shown} }}}}"]))
            if draw(st.booleans()):
                found += tag("else") + body()
            return found + tag("endfor")
        case "tablerow":
            source = draw(st.sampled_from(["list", "names", "(1..3)", "none", "nested"]))
            options = draw(st.sampled_from(["", " cols:2", " cols:n limit:3", " limit:2 offset:1"]))
            return f"{{% tablerow cell in {source}{options} %}}{{{{ cell }}}}{{{{ tablerowloop.{draw(st.sampled_from(CELL))} }}}}{{% endtablerow %}}"
        case "liquid":
            lines = [f"assign {name} = {draw(expressions())}", f"echo {draw(expressions())}"]
            if draw(st.booleans()):
                lines = [f"if {draw(conditions)}", *lines, "endif"]
            return "{% liquid\n" + "\n".join(line.replace("\n", " ") for line in lines) + "\n%}"
        case "break":
            return tag(draw(st.sampled_from(["break", "continue"])))
        case "loop":
            return f"{{{{ forloop.{draw(st.sampled_from(LOOP))} }}}}"
        case "text":
            return draw(written)
    return draw(outputs())


@st.composite
def bodies(draw: st.DrawFn, depth: int, *, looping: bool = False) -> str:
    """Text and tags in a row."""
    parts = draw(
        st.lists(statements(max(0, depth), looping=looping), min_size=draw(st.integers(0, 2)), max_size=4)
    )
    return draw(written) + "".join(part + draw(written) for part in parts)


sources = st.tuples(bodies(2), outputs()).map("".join)
"""Templates."""
