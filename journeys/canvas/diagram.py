"""Draws a canvas as a Mermaid diagram, for pull requests, docs and terminals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from journeys.canvas.in_words import comes_in, in_words, leaves, succeeds
from journeys.canvas.plan import Plan
from journeys.canvas.steps import ActionPaths, Delay, Message, Step
from journeys.canvas.times import spell

SHAPES = {"message": ("[/", "/]"), "delay": ("([", "])"), "action_paths": ("{{", "}}")}
"""Brackets by step type; branching types are diamonds, all others boxes."""


def mermaid(plan: Plan, counts: Mapping[str, int] | None = None) -> str:
    """The plan as Mermaid text, with what lets in, leads out and counts; `counts`: how many entries reached each step."""
    canvas = plan.canvas
    lines = ["flowchart TD", f'    start(("{_text(canvas.name)}"))', '    finish(("end"))']
    lines.append(f'    trigger>"comes in by {_text(comes_in(canvas))}"]')
    if canvas.audience is None:
        lines.append("    trigger --> start")
    else:
        lines.append(f'    audience[["audience: {_text(in_words(canvas.audience))}"]]')
        lines.append("    trigger --> audience --> start")
    for place, said in enumerate(leaves(canvas)):
        lines += [f'    exit{place}>"leaves by {_text(said)}"]', f"    exit{place} -.-> finish"]
    for place, said in enumerate(succeeds(canvas)):
        lines += [f'    goal{place}>"counts as {_text(said)}"]', f"    start -.- goal{place}"]
    for step in plan.steps.values():
        left, right = SHAPES.get(step.type, ("{", "}") if step.branches() else ("[", "]"))
        count = f"<br>{counts.get(step.id, 0)}" if counts is not None else ""
        lines.append(f'    {_node(step.id)}{left}"{_text(label(step))}{count}"{right}')
    several = len(plan.starts) > 1
    for variant in plan.canvas.arms:
        target = plan.starts[variant.name]
        control = " (control)" if variant.control else ""
        said = f'|"{_text(variant.name)} {variant.weight:g} %{control}"|' if several else ""
        lines.append(f"    start -->{said} {_node(target) if target else 'finish'}")
    for step in plan.steps.values():
        for way, target in plan.exits[step.id].items():
            if way == "next" and step.branches():
                continue
            said = "" if way == "next" else f'|"{_text(way)}"|'
            lines.append(f"    {_node(step.id)} -->{said} {_node(target) if target else 'finish'}")
    return "\n".join(lines) + "\n"


def label(step: Step) -> str:
    """A step in a few words."""
    match step:
        case Message(channel=channel, template=template):
            return f"{step.id}: {channel} {template}"
        case Delay(duration=timedelta() as duration):
            return f"{step.id}: {spell(duration)}"
        case ActionPaths(within=within):
            return f"{step.id}: within {spell(within)}"
    return step.id


def _node(step: str) -> str:
    return "s_" + step.replace("-", "_d_")


def _text(text: str) -> str:
    for sign, code in (("#", "#35;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(sign, code)
    return " ".join(text.replace('"', "'").split())
