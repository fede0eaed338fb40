"""Messages whose templates take long, from the dispatch to the receiver (E4)."""

from __future__ import annotations

from journeys.engine.store import Database
from tests.engine.delivery.test_connected_content import delivering, facts, said
from tests.receiver import Receiver
from tests.stage import canvas, stage_on

TEMPLATE = """
---
kind: template
format: 1
name: {name}
channel: webhook
url: "{url}/told"
body: {{said: "{said}"}}
"""
EATING = (
    "{% assign s = 'aaaaaaaaaa' %}"
    + "{% assign s = s | append: s %}" * 16
    + "{% for a in (1..9999) %}{% assign t = s | replace: 'a', 'b' %}{% endfor %}"
)


async def test_a_template_that_is_cut_off_holds_up_no_other_message(db: Database, receiver: Receiver) -> None:
    """E4: the others of its batch, claimed after it, have left when it is cut off; its own is aborted with the reason."""
    step = "  - {{type: message, id: m, channel: webhook, template: {}}}"
    text = canvas(step.format("eating")) + TEMPLATE.format(name="eating", url=receiver.url, said=EATING)
    text += "---\n" + canvas(step.format("plain"), name="other")
    text += TEMPLATE.format(name="plain", url=receiver.url, said="plain")
    stage = await stage_on(db, text)
    for name in ("story", "other", "other"):
        [entry] = await stage.enter(await stage.person(), name=name)
        await stage.burst(entry)
    async with delivering(stage) as delivery_worker:
        assert await delivery_worker.drain_once("webhook") == 3

    assert said(receiver) == ["plain", "plain"]
    found = await facts(db)
    assert [fact for fact, _ in found] == ["sent", "sent", "aborted"]
    assert found[-1][1]["reason"] == "template_parse_error"
    assert "Liquid rendering timeout" in found[-1][1]["text"]
