"""How a node of code can be spoilt: what the machine's tests are measured by, and what any code can get wrong."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator
from functools import partial

COMPARE = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.In: ast.NotIn,
}

SQL = re.compile(r"\b(select|insert into|update|delete from|where|order by|on conflict)\b", re.IGNORECASE)
SPOILT_SQL = {
    r"\bdesc\b": "asc",
    r"\basc\b": "desc",
    r"\bis not null\b": "is null",
    r"\bis null\b": "is not null",
    r"\bnot\b": "",
    r"\band\b": "or",
    r"\bor\b": "and",
    r"\bgreatest\b": "least",
    r"\bleast\b": "greatest",
    r"<=": "<",
    r">=": ">",
    r"<(?![=>@])": "<=",
    r"(?<![<>=-])>(?!=)": ">=",
    r"(?<![<>=!:])=(?![=>])": "<>",
    r"(?<![\w$.{])\d+(?![\w.}])": "77",
}
"""What stands in a statement for the database, and what it becomes, one occurrence at a time."""

TURNED = {
    ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.NotIn: (ast.In,),
}
"""An order is turned, and its bound moved; beside what COMPARE does."""

INSTANTS = (
    "at",
    "now",
    "moved",
    "entered",
    "begun",
    "since",
    "until",
    "release",
    "arrival",
    "earliest",
    "found",
)
"""Under these names instants are handed on."""

SUMS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult}


def unseen(node: ast.AST) -> Iterator[ast.AST]:
    """What has no effect when it runs: annotations, and what an assertion says to the type checker."""
    for name in ("annotation", "returns", "msg"):
        part = getattr(node, name, None)
        if isinstance(part, ast.AST):
            yield part


def changes(node: ast.AST) -> Iterator[object]:
    """How a node of the machine can be spoilt: functions that do it and say what they did."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        yield _compare
    if isinstance(node, ast.BoolOp):
        yield _boolean
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _negation
    if isinstance(node, ast.If):
        yield _condition
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 20:
        yield _text
    if isinstance(node, ast.Constant) and node.value is None:
        yield _nothing
    if isinstance(node, ast.keyword) and node.arg in (
        "wake_at",
        "phase",
        "ended",
        "moved",
        "leaving",
        "begun",
        "step",
        "context",
        "properties",
        "heard",
    ):
        yield _dropped
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("append", "extend")
    ):
        yield _unsaid
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "max":
        yield _least


def _compare(node: ast.Compare) -> str:
    node.ops[0] = COMPARE[type(node.ops[0])]()
    return "comparison turned"


def _boolean(node: ast.BoolOp) -> str:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return "and/or turned"


def _negation(node: ast.UnaryOp) -> str:
    node.op = ast.UAdd()
    node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
    return "not dropped"


def _condition(node: ast.If) -> str:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return "condition negated"


def _text(node: ast.Constant) -> str:
    node.value = f"{node.value}x"
    return f"text {node.value}"


def _nothing(node: ast.Constant) -> str:
    node.value = "x"
    return "None changed"


def _dropped(node: ast.keyword) -> str:
    name = node.arg
    node.arg, node.value = None, ast.Dict([], [])
    return f"{name} not set"


def _unsaid(node: ast.Call) -> str:
    node.func = ast.Name("repr", ast.Load())
    node.args = [ast.Constant(1)]
    return "not said"


def _least(node: ast.Call) -> str:
    node.func = ast.Name("min", ast.Load())
    return "max for min"


Spoiling = tuple[Callable[..., object], int | None]
"""How, and on which line; None: the node's own."""


def further(node: ast.AST) -> Iterator[Spoiling]:
    """How a node can be spoilt, beside what `changes` knows."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield from _of_constant(node)
    elif isinstance(node, ast.BoolOp):
        yield from ((partial(_operand, number=n), each.lineno) for n, each in enumerate(node.values))
    elif isinstance(node, ast.Dict | ast.Set | ast.List | ast.Tuple):
        yield from _of_list(node)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    yield from _of_order(node)
    yield from ((change, None) for change in _of_whole(node))


def _of_whole(node: ast.AST) -> Iterator[Callable[..., object]]:
    if isinstance(node, ast.Compare):
        yield from (partial(_turned, into=each) for each in TURNED.get(type(node.ops[0]), ()))
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield partial(_decided, answer=False)
        if not isinstance(node, ast.While):
            yield partial(_decided, answer=True)
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield _unfiltered
    elif isinstance(node, ast.Return) and node.value is not None and not is_none(node.value):
        yield _returned_nothing
    elif isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.AugAssign | ast.Delete) or _effect(node):
        yield _removed
    elif isinstance(node, ast.BinOp) and type(node.op) in SUMS:
        yield _sum
    elif isinstance(node, ast.Await) and isinstance(node.value, ast.Call) and len(node.value.args) > 1:
        yield _untouched
    elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
        node.value, ast.Call | ast.Await | ast.ListComp
    ):
        yield _nothing_found


def _of_constant(node: ast.Constant | ast.JoinedStr) -> Iterator[Spoiling]:
    if isinstance(node, ast.JoinedStr):
        yield from _of_pieces(node)
    elif isinstance(node.value, bool):
        yield _flipped, None
    elif isinstance(node.value, int | float):
        yield partial(_number, by=1), None
        yield partial(_number, by=-1), None
    elif isinstance(node.value, str):
        if SQL.search(node.value):
            whole = (node.end_lineno or node.lineno) - node.lineno == node.value.count("\n")
            for match, other in _of_sql(node.value):
                below = node.value[: match.start()].count("\n") if whole else 0
                yield partial(_sql, match=match, other=other), node.lineno + below
        elif len(node.value) >= 20:
            yield _long_text, None


def _of_pieces(node: ast.JoinedStr) -> Iterator[Spoiling]:
    """The statement for the database that is put together from pieces."""
    pieces = [
        each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else ""
        for each in node.values
    ]
    if not SQL.search("".join(pieces)):
        return
    above = 0
    for place, piece in enumerate(pieces):
        for match, other in _of_sql(piece):
            line = node.lineno + above + piece[: match.start()].count("\n")
            yield partial(_piece, place=place, match=match, other=other), line
        above += piece.count("\n")


def _of_sql(text: str) -> Iterator[tuple[re.Match[str], str]]:
    for pattern, other in SPOILT_SQL.items():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if "--" not in text[text.rfind("\n", 0, match.start()) + 1 : match.start()]:
                yield match, other


def _of_list(node: ast.Dict | ast.Set | ast.List | ast.Tuple) -> Iterator[Spoiling]:
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parts = node.values if isinstance(node, ast.Dict) else node.elts
    if len(parts) > 1:
        yield _exchanged, parts[0].lineno
        yield from ((partial(_element, number=n), each.lineno) for n, each in enumerate(parts))


def _of_call(node: ast.Call) -> Iterator[Spoiling]:
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield partial(_keyword, number=number), keyword.value.lineno
        if keyword.arg in INSTANTS and not isinstance(keyword.value, ast.Constant):
            yield partial(_another_year, number=number), keyword.value.lineno
    for number, given in enumerate(node.args):
        if ast.unparse(given).split(".")[-1] in INSTANTS:
            yield partial(_given_another_year, number=number), given.lineno
    if len(node.args) > 1 and not any(isinstance(each, ast.Starred) for each in node.args):
        yield from ((partial(_argument, number=n), each.lineno) for n, each in enumerate(node.args))
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if called in ("get", "setdefault") and len(node.args) == 2:
        yield _otherwise, None
    if called == "transaction" and ast.unparse(node.func).endswith(("db.transaction", "self.transaction")):
        yield _loose, None
    elif isinstance(node.func, ast.Name) and node.func.id in ("min", "max", "any", "all"):
        yield _other_end, None
    elif (
        len(node.args) == 1
        and not node.keywords
        and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp)
    ):
        yield _uncalled, None
    elif isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        yield _unasked, None


def _of_order(node: ast.AST) -> Iterator[Spoiling]:
    """Two cases, or two statements one after the other, of which the first does something."""
    if isinstance(node, ast.Match):
        for number, (case, following) in enumerate(itertools.pairwise(node.cases)):
            for each in (case, following):
                yield partial(_other_case, number=number), each.body[0].lineno
    body = getattr(node, "body", None)
    for number, (one, other) in enumerate(itertools.pairwise(body if isinstance(body, list) else [])):
        if _effect(one) and not isinstance(other, ast.Return | ast.Raise):
            yield partial(_swapped, number=number), one.lineno


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _effect(node: ast.AST) -> bool:
    """A statement that is there for what it does."""
    if isinstance(node, ast.Expr):
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        return isinstance(value, ast.Call)
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)


def _flipped(node: ast.Constant) -> str:
    node.value = not node.value
    return f"{not node.value} is {node.value}"


def _number(node: ast.Constant, by: int) -> str:
    assert isinstance(node.value, int | float)
    before, node.value = node.value, node.value + by
    return f"{before} is {node.value}"


def _sql(node: ast.Constant, match: re.Match[str], other: str) -> str:
    node.value = match.string[: match.start()] + other + match.string[match.end() :]
    return f"“{match.string[max(0, match.start() - 20) : match.end() + 10]}”: “{match[0]}” is “{other}”"


def _piece(node: ast.JoinedStr, place: int, match: re.Match[str], other: str) -> str:
    piece = node.values[place]
    assert isinstance(piece, ast.Constant)
    return _sql(piece, match, other)


def _long_text(node: ast.Constant) -> str:
    node.value = f"x{node.value}"
    return f"text {node.value[:20]}"


def _turned(node: ast.Compare, into: type[ast.cmpop]) -> str:
    before, node.ops[0] = type(node.ops[0]), into()
    return f"{before.__name__} is {into.__name__}"


def _operand(node: ast.BoolOp, number: int) -> str:
    gone = node.values[number]
    del node.values[number]
    if len(node.values) == 1:
        node.values.append(ast.Constant(isinstance(node.op, ast.And)))
    return f"without “{ast.unparse(gone)[:40]}”"


def _decided(node: ast.If | ast.While | ast.IfExp, *, answer: bool) -> str:
    what, node.test = ast.unparse(node.test)[:40], ast.Constant(answer)
    return f"“{what}” is {answer}"


def _unfiltered(node: ast.comprehension) -> str:
    what, node.ifs = ast.unparse(node.ifs[0])[:40], []
    return f"without “if {what}”"


def _returned_nothing(node: ast.Return) -> str:
    node.value = ast.Constant(None)
    return "nothing returned"


def _removed(node: ast.stmt) -> str:
    what = ast.unparse(node).split("\n")[0][:50]
    node.__class__ = ast.Pass
    node._fields = ()
    return f"without “{what}”"


def _sum(node: ast.BinOp) -> str:
    before, node.op = type(node.op), SUMS[type(node.op)]()
    return f"{before.__name__} is {type(node.op).__name__}"


def _element(node: ast.Dict | ast.Set | ast.List | ast.Tuple, number: int) -> str:
    if isinstance(node, ast.Dict):
        gone = node.keys[number] or node.values[number]
        del node.keys[number], node.values[number]
    else:
        gone = node.elts[number]
        del node.elts[number]
    return f"without the element “{ast.unparse(gone)[:40]}”"


def _keyword(node: ast.Call, number: int) -> str:
    what = ast.unparse(node.keywords[number])[:40]
    del node.keywords[number]
    return f"without “{what}”"


def _other_end(node: ast.Call) -> str:
    assert isinstance(node.func, ast.Name)
    before, node.func.id = (
        node.func.id,
        {"min": "max", "max": "min", "any": "all", "all": "any"}[node.func.id],
    )
    return f"{before} is {node.func.id}"


def _uncalled(node: ast.Call) -> str:
    what = ast.unparse(node)[:40]
    node.func, node.args = ast.Lambda(_one_argument(), ast.Name("it", ast.Load())), node.args
    return f"“{what}” without the call"


def _one_argument() -> ast.arguments:
    return ast.arguments(posonlyargs=[], args=[ast.arg("it")], kwonlyargs=[], kw_defaults=[], defaults=[])


def _unasked(node: ast.Call) -> str:
    assert isinstance(node.func, ast.Attribute)
    what = ast.unparse(node)[:40]
    node.args, node.func = [node.func.value], ast.Lambda(_one_argument(), ast.Name("it", ast.Load()))
    return f"“{what}” without the call"


def _argument(node: ast.Call, number: int) -> str:
    what = ast.unparse(node.args[number])[:40]
    del node.args[number]
    return f"without the argument “{what}”"


def _another_year(node: ast.Call, number: int) -> str:
    keyword = node.keywords[number]
    what = ast.unparse(keyword)
    year = ast.keyword("year", ast.Constant(1971))
    keyword.value = ast.Call(ast.Attribute(keyword.value, "replace", ast.Load()), [], [year])
    return f"“{what[:40]}” is in 1971"


def _given_another_year(node: ast.Call, number: int) -> str:
    what = ast.unparse(node.args[number])
    year = ast.keyword("year", ast.Constant(1971))
    node.args[number] = ast.Call(ast.Attribute(node.args[number], "replace", ast.Load()), [], [year])
    return f"“{what[:40]}” is in 1971"


def _exchanged(node: ast.Dict | ast.Set | ast.List | ast.Tuple) -> str:
    parts = node.values if isinstance(node, ast.Dict) else node.elts
    parts[0], parts[1] = parts[1], parts[0]
    return f"“{ast.unparse(parts[1])[:30]}” and “{ast.unparse(parts[0])[:30]}” exchanged"


def _untouched(node: ast.Await) -> str:
    assert isinstance(node.value, ast.Call)
    what = ast.unparse(node)[:40]
    given = node.value.args[-1]
    asleep = ast.parse("__import__('asyncio').sleep(0)", mode="eval").body
    assert isinstance(asleep, ast.Call)
    asleep.args.append(given)
    node.value = asleep
    return f"“{what}” is its last argument"


def _nothing_found(node: ast.Assign | ast.AnnAssign) -> str:
    what = ast.unparse(node)[:40]
    node.value = ast.List([], ast.Load())
    return f"“{what}” is empty"


def _otherwise(node: ast.Call) -> str:
    what = ast.unparse(node)[:40]
    node.func, node.args = ast.Lambda(_one_argument(), ast.Name("it", ast.Load())), [node.args[1]]
    return f"“{what}” is never found"


def _loose(node: ast.Call) -> str:
    assert isinstance(node.func, ast.Attribute)
    node.func = ast.Attribute(ast.Attribute(node.func.value, "pool", ast.Load()), "acquire", ast.Load())
    return "without a transaction"


def _swapped(node: ast.AST, number: int) -> str:
    body: list[ast.stmt] = node.body  # type: ignore[attr-defined]
    body[number], body[number + 1] = body[number + 1], body[number]
    return f"“{ast.unparse(body[number + 1])[:40]}” after “{ast.unparse(body[number])[:40]}”"


def _other_case(node: ast.Match, number: int) -> str:
    one, other = node.cases[number], node.cases[number + 1]
    one.body, other.body = other.body, one.body
    return f"cases “{ast.unparse(one.pattern)[:30]}” and “{ast.unparse(other.pattern)[:30]}” exchanged"
