"""Generates Python statements for nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from liquid import Node
from liquid.ast import BlockNode, ConditionalBlockNode
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.unless_tag import UnlessNode

from journeys.engine.content import loop_tags
from journeys.engine.content.codegen.expressions import pure, value
from journeys.engine.content.codegen.writer import DEPTH, Loop, Writer
from journeys.engine.content.conditional_tags import Matches
from journeys.engine.content.tags.abort import AbortNode
from journeys.engine.content.variable_tags import Printed

VALUES = 3
"""Values of one `when`; a `case` with more is left to the tree."""
BRANCHES = 50
"""Branches of one `if`; one with more is left to the tree."""


def write(writer: Writer, node: Node) -> None:
    """Write a node."""
    NODES.get(type(node).render_to_output, _itself)(writer, node)


def known(node: Node) -> bool:
    """Whether something is written for the node, so that one knows what it sets."""
    return type(node).render_to_output in NODES or type(node) in (
        ConditionalBlockNode,
        MultiExpressionBlockNode,
    )


def _itself(writer: Writer, node: Node) -> None:
    """The tree's own reading."""
    writer.opaque()
    _call(writer, node)


def _call(writer: Writer, node: Node) -> None:
    writer.work(1)
    buffer = "nowhere" if writer.silent else writer.parts
    if writer.awaits:
        for parts in (*writer.outer, writer.parts):
            writer.line(f"{parts}.look()")
    how = "await {}.render_to_output_async" if writer.awaits else "{}.render_to_output"
    writer.line(f"{how.format(writer.constant(node))}(context, {buffer})")


def _content(writer: Writer, node: ContentNode) -> None:
    if not writer.silent and node.text:
        writer.line(f"{writer.put}({writer.constant(node.text)})")


def _output(writer: Writer, node: OutputNode) -> None:
    writer.work(1)
    found = value(writer, node.expression)
    if writer.silent:
        writer.line(found)
        return
    if isinstance(node.expression, StringLiteral):
        writer.line(f"{writer.put}({found})")
        return
    kept = found if found.startswith("v") else writer.fresh("v")
    if kept != found:
        writer.line(f"{kept} = {found}")
    writer.line(f"{writer.put}({kept} if {kept}.__class__ is str else stringify({kept}))")


def _nothing(writer: Writer, node: Node) -> None:
    del writer, node


def _block(writer: Writer, node: BlockNode) -> None:
    before = writer.silent
    writer.silent = before or node.blank
    for each in node.nodes:
        write(writer, each)
    writer.silent = before


def _liquid(writer: Writer, node: LiquidNode) -> None:
    _block(writer, node.block)


def _assign(writer: Writer, node: AssignNode) -> None:
    writer.work(1)
    writer.line(f"assign({writer.constant(str(node.name))}, {value(writer, node.expression)})")


def _capture(writer: Writer, node: CaptureNode) -> None:
    if writer.blocks >= DEPTH:
        _itself(writer, node)
        return
    writer.work(1)
    outer = writer.parts, writer.put, writer.silent
    writer.parts, writer.put, writer.silent = writer.fresh("p"), writer.fresh("a"), False
    writer.line(f"{writer.parts} = Parts()")
    writer.line(f"{writer.put} = {writer.parts}.append")
    writer.line("try:")
    writer.blocks += 1
    writer.outer.append(outer[0])
    with writer.indented():
        _block(writer, node.block)
    writer.outer.pop()
    writer.blocks -= 1
    writer.line("except Exception:")
    with writer.indented():
        writer.line(f"{writer.parts}.measure()")
        writer.line("raise")
    text = f"{writer.parts}.text()"
    writer.parts, writer.put, writer.silent = outer
    writer.line(f"assign({writer.constant(str(node.name))}, {text})")


def _if(writer: Writer, node: IfNode) -> None:
    _branches(writer, node, "if {}:")


def _unless(writer: Writer, node: UnlessNode) -> None:
    _branches(writer, node, "if not {}:")


def _branches(writer: Writer, node: Any, opening: str) -> None:
    if len(node.alternatives) > BRANCHES:
        _itself(writer, node)
        return
    writer.work(1 + len(node.alternatives))
    writer.line(opening.format(pure(writer, node.condition)))
    with writer.branch():
        _block(writer, node.consequence)
    for alternative in node.alternatives:
        writer.line(f"elif {pure(writer, alternative.expression)}:")
        with writer.branch():
            _block(writer, alternative.block)
    if node.default:
        writer.line("else:")
        with writer.branch():
            _block(writer, node.default)


def _for(writer: Writer, node: ForNode) -> None:
    over = node.expression
    if (
        writer.blocks >= DEPTH
        or not isinstance(over, loop_tags.Loop)
        or type(over).evaluate is not loop_tags.Loop.evaluate
    ):
        _itself(writer, node)
        return
    writer.work(2)
    items, length = _items(writer, over)
    name = str(over.identifier)
    loop = Loop(name, writer.fresh("x"), writer.fresh("f"))
    writer.loops.append(loop)
    writer.blocks += 1
    pending, writer.pending = writer.pending, 0
    with writer.apart() as body, writer.indented(), writer.indented():
        _block(writer, node.block)
    work, writer.pending = 1 + writer.pending, pending
    writer.blocks -= 1
    writer.loops.pop()
    writer.line(f"if {length}:")
    with writer.indented():
        if loop.uses_helper or loop.opaque:
            outer = writer.loops[-1].helper if writer.loops else "context.parentloop()"
            title = writer.constant(over.place)
            writer.line(f"{loop.helper} = ForLoop({title}, None, {length}, {outer})")
        if loop.opaque:
            _shown(writer, loop, items, work, body)
        else:
            writer.line(f"for {loop.item} in {items}:")
            with writer.indented():
                writer.line(f"turn({work}, {writer.parts})")
                if loop.uses_helper:
                    writer.line(f"{loop.helper}._index += 1")
                writer.lines += body
    if node.default:
        writer.line("else:")
        with writer.branch():
            _block(writer, node.default)


def _shown(writer: Writer, loop: Loop, items: str, work: int, body: list[str]) -> None:
    """A loop whose body has nodes that look at the scope by themselves, and may end it."""
    shown, name = writer.fresh("n"), writer.constant(loop.name)
    writer.line(f"{shown} = {{'forloop': {loop.helper}, {name}: None}}")
    writer.line(f"context.enter({shown}, {loop.helper})")
    writer.line("try:")
    with writer.indented():
        writer.line(f"for {loop.item} in {items}:")
        with writer.indented():
            writer.line(f"turn({work}, {writer.parts})")
            writer.line(f"{loop.helper}._index += 1")
            writer.line(f"{shown}[{name}] = {loop.item}")
            writer.line("try:")
            writer.lines += ["        " + line for line in body]
            writer.line("except ContinueLoop: continue")
            writer.line("except BreakLoop: break")
    writer.line("finally: context.leave()")


def _items(writer: Writer, loop: loop_tags.Loop) -> tuple[str, str]:
    """The names of what is gone through and of its length."""
    items, length = writer.fresh("i"), writer.fresh("n")
    over = value(writer, loop.iterable)
    limit, offset = ("None" if each is None else pure(writer, each) for each in (loop.limit, loop.offset))
    writer.line(f"{items}, {length} = {writer.constant(loop)}.items(context, {over}, {limit}, {offset})")
    return items, length


def _case(writer: Writer, node: CaseNode) -> None:
    """Each `when` is printed as often as one of its values is the one that `case` asks for; `else` where none was yet."""
    whens = [each for each in node.blocks if isinstance(each, MultiExpressionBlockNode)]
    if len(whens) > BRANCHES or any(
        type(each.expression).evaluate is not Matches.evaluate or len(each.expression.expressions) > VALUES
        for each in whens
    ):
        _itself(writer, node)
        return
    writer.work(1 + len(whens))
    otherwise = writer.fresh("n")
    writer.line(f"{otherwise} = True")
    for block in node.blocks:
        if isinstance(block, MultiExpressionBlockNode):
            _when(writer, block, otherwise)
        else:
            writer.line(f"if {otherwise}:")
            with writer.branch():
                _block(writer, block)


def _when(writer: Writer, node: MultiExpressionBlockNode, otherwise: str) -> None:
    left, times = writer.fresh("v"), writer.fresh("n")
    writer.line(f"{left} = {pure(writer, node.expression.left)}")
    found = [f"equal({left}, {pure(writer, each)})" for each in node.expression.expressions]
    writer.line(f"{times} = {' + '.join(found)}")
    for time in range(len(found)):
        writer.line(f"if {times} > {time}:")
        with writer.branch():
            writer.line(f"{otherwise} = False")
            _block(writer, node.block)


def _break(writer: Writer, node: BreakNode) -> None:
    del node
    writer.line("break" if writer.loops else "raise BreakLoop('break')")


def _continue(writer: Writer, node: ContinueNode) -> None:
    del node
    writer.line("continue" if writer.loops else "raise ContinueLoop('continue')")


NODES: Mapping[Callable[..., Any], Callable[[Writer, Any], None]] = {
    ContentNode.render_to_output: _content,
    CommentNode.render_to_output: _nothing,
    Printed.render_to_output: _output,
    BlockNode.render_to_output: _block,
    LiquidNode.render_to_output: _liquid,
    AssignNode.render_to_output: _assign,
    CaptureNode.render_to_output: _capture,
    IfNode.render_to_output: _if,
    UnlessNode.render_to_output: _unless,
    CaseNode.render_to_output: _case,
    ForNode.render_to_output: _for,
    BreakNode.render_to_output: _break,
    ContinueNode.render_to_output: _continue,
    AbortNode.render_to_output: _call,
}
"""By the method of the tree that each stands for."""
