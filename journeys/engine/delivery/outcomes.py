"""What becomes of a message: by the reason for which it is not sent, or by what its provider answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.delivery.channel import Channel, Receipt
from journeys.engine.delivery.claim import Claimed
from journeys.engine.delivery.preparation import Failed, Postponed, Ready, Refused
from journeys.engine.delivery.settlement import PROBE, Settlement, extras, pause
from journeys.engine.people.standard_attributes import address


def of_refusal(
    channel: Channel, one: Claimed, what: Refused | Postponed | Failed, now: datetime
) -> Settlement:
    """The settlement of a message for which no call is made."""
    data = {"channel": channel.name}
    match what:
        case Postponed(host=host, status=status):
            data |= {"reason": "exhausted_cc_retries", "text": f"{host} answered {status}"}
            return Settlement(one, "aborted", now, data, after=pause(one.waits, None), behind=True)  # C3
        case Failed(reason=reason):
            return Settlement(one, "failed", now, data | {"reason": reason}, after=pause(one.attempts, None))
        case Refused(outcome=outcome, reason=reason, text=text):
            data |= {"reason": reason, "text": text} if text else {"reason": reason}
            doubted = one.doubtful and outcome == "withdrawn" and not channel.idempotent
            return Settlement(one, outcome, now, data, doubted=doubted)


def skips(plan: Plan, name: str) -> bool:
    """Whether a message that is in doubt is not sent again."""
    step = plan.steps[name]
    return isinstance(step, Message) and step.on_doubt == "skip"


def of_doubt(channel: Channel, one: Claimed, plan: Plan, reason: str, now: datetime) -> Settlement:
    """The settlement of a message of which it is unknown whether it was sent: `on_doubt` decides, a fact records it."""
    after = None if skips(plan, one.step) else pause(one.attempts, None)
    return Settlement(
        one, "failed", now, {"channel": channel.name, "reason": reason}, after=after, doubted=True
    )


def of_receipt(channel: Channel, one: Claimed, what: Ready, receipt: Receipt, now: datetime) -> Settlement:
    """The settlement of a message by what its provider answered."""
    data: dict[str, Any] = {"channel": channel.name}
    if receipt.provider_id:
        data["provider_id"] = receipt.provider_id
    if receipt.outcome == "sent" and what.extras:
        data["extras"] = extras(what.extras)
    if receipt.outcome not in ("retry", "away"):
        if receipt.outcome != "sent":
            data["reason"] = receipt.detail
        bounced = _kept(what.to.address) if receipt.bounced and receipt.outcome == "unreachable" else None
        doubted = one.doubtful and not channel.idempotent
        return Settlement(one, receipt.outcome, now, data, doubted=doubted, bounced=bounced)
    data["reason"] = receipt.detail
    if receipt.outcome == "away":
        return Settlement(one, "away", now, data, after=PROBE)
    age = (now - one.at).total_seconds() if receipt.soft else None
    after = pause(one.attempts, receipt.retry_after, age)
    return Settlement(one, "failed", now, data, after=after)


def _kept(sent_to: str) -> str:
    """An address as profiles have it: the channel has its domain as the wire does."""
    return address(sent_to) or sent_to
