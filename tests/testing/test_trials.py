"""What a test of a canvas can say: people, instants, answers, and what became of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journeys import (
    ActionPath,
    ActionPaths,
    Canvas,
    Conversion,
    DecisionSplit,
    Delay,
    EmailTemplate,
    Exit,
    Message,
    Schedule,
    Sender,
    attribute,
    days,
    event,
    hours,
    message,
)
from journeys.canvas.problems import Refused
from journeys.engine.delivery.channel import Receipt
from journeys.testing import Impossible, Reply, Trial, Unstubbed, journey
from tests.stage import EMAIL, canvas, webhook

NEWS = "---\nkind: subscription_group\nformat: 1\nname: news\nchannel: email\n"
HELLO = EmailTemplate(
    name="hello",
    sender=Sender(address="desk@example.com"),
    subject="Hello {{${first_name}}}",
    html='<p><a href="https://example.com/a?b=1&amp;c=2">this</a> <a href="{{${set_user_to_unsubscribed_url}}}">no more</a></p>',
)
WELCOME = Canvas(
    name="welcome",
    schedule=Schedule(event="signed_up"),
    exits=[Exit(message="unsubscribed")],
    conversions=[Conversion(name="bought", purchase=True, within=days(7), revenue="price")],
    steps=[
        Message(id="hello", channel="email", template="hello"),
        Delay(id="settle", duration=days(2)),
        DecisionSplit(
            id="opened",
            when=message.opened(step="hello"),
            otherwise=[Message(id="again", channel="email", template="hello")],
        ),
    ],
)
START = datetime(2026, 12, 7, 9, tzinfo=UTC)
MEL = {"external_id": "mel", "first_name": "Mel", "email": "mel@example.com"}


def welcome() -> Trial:
    return journey([WELCOME, HELLO], "welcome")


def test_the_second_mail_comes_to_those_who_do_not_open_the_first() -> None:
    trial = welcome()
    mel, zoe = trial.person(**MEL), trial.person(external_id="zoe", email="zoe@example.com")
    for one in (mel, zoe):
        one.does("signed_up", plan="pro")
    zoe.opens("hello", after=hours(3))
    story = mel.run()

    assert story.path == ["hello", "settle", "opened", "again"]
    assert zoe.story.path == ["hello", "settle", "opened"]
    assert (story.choices, zoe.story.choices) == ({"opened": "otherwise"}, {"opened": "yes"})
    assert (story.end, story.ended_at) == ("completed", START + days(2))
    assert [(each.step, each.at - START) for each in story.messages] == [
        ("hello", timedelta(0)),
        ("again", days(2)),
    ]
    assert story.messages[0].subject == "Hello Mel"
    assert story.messages[0].to == "mel@example.com"
    assert story.message("hello").links[0] == "https://example.com/a?b=1&c=2"
    assert story.reached("opened") == START + days(2)
    assert story.context == {} and "reached" in str(story)


def test_a_purchase_is_credited_and_an_unsubscription_ends_it() -> None:
    mel = welcome().person(**MEL)
    mel.does("signed_up").buys("shoe", price=99, after="1 hour").unsubscribes("hello", at="2026-12-08T09:00Z")
    story = mel.run()

    [bought] = story.conversions
    assert (bought.name, bought.step, bought.at, bought.revenue) == (
        "bought",
        "hello",
        START + hours(1),
        "99",
    )
    assert (story.end, story.path) == ("exit_event", ["hello", "settle"])
    assert mel.consents == {"email": "unsubscribed"}


def test_attributes_change_on_the_way_and_what_was_done_before_is_the_past() -> None:
    split = canvas(
        """
  - {type: delay, id: wait, duration: 3 days}
  - {type: decision_split, id: free, when: {all: [{attribute: plan, equals: free}, {event: visited, times: {at_least: 2}}]}}
""",
        schedule="{event: signed_up}",
    )
    mel = journey(split).person(plan="pro")
    mel.does("visited", after="-3 days").does("visited", at=START - days(90)).does(
        "signed_up", after="-1 day"
    )
    mel.does("signed_up").sets(plan="free", after=days(2))

    story = mel.run()
    assert story.choices == {"free": "yes"}
    assert mel.stories() == [story]
    assert mel.attributes["plan"] == "free"


def test_what_comes_late_is_told_and_an_outage_makes_things_late() -> None:
    watching = canvas(
        "  - {type: action_paths, id: watch, within: 1 day, paths: [{name: liked, triggers: [{event: liked}]}]}\n"
        "  - {type: message, id: hello, channel: email, template: hello}",
    )
    trial = journey(watching + EMAIL)
    mel, zoe = trial.person(**MEL).enters(), trial.person(email="zoe@example.com").enters()
    mel.does("liked", after="20 hours", arrives="12 hours")
    zoe.enters(after=days(10))
    trial.outage("1 hour", after="23.5 hours")
    trial.run()

    assert [each.fact for each in mel.story.late] == ["late", "late_event"]
    assert mel.story.choices == {"watch": "otherwise"}
    assert mel.story.message("hello").at == START + hours(24.5)
    assert (zoe.story.refused, zoe.refusals()) == (None, ["already_entered"])


def test_web_services_answer_as_the_test_says_and_one_that_it_does_not_name_fails_it() -> None:
    asking = canvas(
        '  - {type: context, id: asks, set: [{name: level, type: text, value: "{% connected_content https://api.example.com/levels/{{${user_id}}} :save r %}{{r.level}}"}]}\n'
        "  - {type: message, id: call, channel: webhook, template: hook, on_fail: exit}"
    ) + webhook("https://hook.example.com")
    trial = journey(asking)
    trial.answers("https://api.example.com/levels/*", Reply(503), Reply(200, '{"level": "gold"}', "json"))
    trial.receipts("webhook", Receipt("retry", "busy"), Receipt("failed", "gone"))
    story = trial.person(external_id="mel").enters(tier=3).run()

    assert [call.url for call in trial.calls] == ["https://api.example.com/levels/mel"] * 2
    assert (story.end, [each.reason for each in story.unsent]) == ("delivery_failed", ["gone"])
    assert story.messages == []
    with pytest.raises(LookupError, match="no message of “call”: failed, gone"):
        story.message("call")

    unsaid = journey(asking).person().enters()
    with pytest.raises(Unstubbed, match=r"GET https://api.example.com/levels/person-1 is called"):
        unsaid.run()


def test_a_webhook_shows_its_body_and_no_subject() -> None:
    trial = journey(
        canvas("  - {type: message, id: call, channel: webhook, template: hook}")
        + webhook("https://hook.example.com")
    )
    [sent] = trial.person(external_id="mel").enters().run().messages

    assert (sent.body, sent.url) == ({"person": "mel", "step": "call"}, "https://hook.example.com/hook")
    with pytest.raises(AttributeError, match="“webhook” has no subject"):
        _ = sent.subject


def test_codes_catalogs_selections_and_carts_are_what_the_test_gives() -> None:
    shop = canvas("  - {type: message, id: mail, channel: email, template: shop}") + (
        """---
kind: template
format: 1
name: shop
channel: email
sender: {address: desk@example.com}
subject: "{% promotion('spring') %}"
html: |
  {% catalog_items shoes a %}{{ items[0].title }}
  {% catalog_selection_items shoes new %}{{ items[0].title }}
  {% shopping_cart basket %}{{ shopping_cart.products.size }}
  {{${set_user_to_unsubscribed_url}}}
---
kind: catalog
format: 1
name: shoes
fields: [{name: id, type: string}, {name: title, type: string}]
selections: [{name: new}]
"""
    )
    trial = journey(shop)
    trial.promotion("spring", ["FIRST", "SECOND"])
    trial.catalog("shoes", [{"id": "a", "title": "Runner"}])
    trial.selection("shoes", "new", [{"id": "b", "title": "Walker"}])
    people = [trial.person(email=f"{n}@example.com").enters() for n in range(3)]
    people[0].does(
        "ecommerce.cart_updated", {"cart_id": "basket", "products": [{"product_id": "a"}]}, after="-1 day"
    )
    trial.run()

    assert [one.story.message("mail").subject for one in people[:2]] == ["FIRST", "SECOND"]
    html = people[0].story.message("mail").html
    assert "Runner" in html and "Walker" in html
    assert [each.reason for each in people[2].story.unsent] == ["promo_codes_exhausted"]


CODES = canvas("  - {type: message, id: mail, channel: email, template: codes}") + (
    """---
kind: template
format: 1
name: codes
channel: email
sender: {address: desk@example.com}
subject: "{% promotion('spring') %}"
html: |
  {% promotion('spring') %} {% if false %}{% promotion('autumn') %}{% endif %}
  {{${set_user_to_unsubscribed_url}}}
"""
)


@pytest.mark.parametrize(
    ("autumn", "reason", "text"),
    [
        ({"autumn": ["ONE"]}, "promo_codes_exhausted", "the promotion list “autumn” has no code left"),
        ({}, "promo_codes_unknown", "there is no promotion list “autumn”"),
    ],
)
def test_a_message_without_a_code_does_not_leave(
    autumn: dict[str, list[str]], reason: str, text: str
) -> None:
    """P3: also where it would be named in a branch that is not taken."""
    trial = journey(CODES)
    for name, codes in {"spring": ["FIRST", "SECOND"], **autumn}.items():
        trial.promotion(name, codes)
    people = [trial.person(email=f"{n}@example.com").enters() for n in range(2)]
    trial.run()

    for person in people[: len(autumn)]:
        sent = person.story.message("mail")
        assert (sent.subject, "FIRST" in sent.html) == ("FIRST", True)
    for person in people[len(autumn) :]:
        assert [(each.reason, each.data["text"]) for each in person.story.unsent] == [(reason, text)]


def test_a_person_is_assigned_to_what_the_test_asks_for() -> None:
    text = canvas(
        "",
        more="""variants:
  - {name: plain, weight: 45, steps: [{type: delay, id: one, duration: 1 day}]}
  - name: rich
    weight: 45
    steps:
      - {type: experiment_paths, id: offer, within: 1 day, paths: [{name: a, weight: 90}, {name: b, weight: 10}]}
  - {name: nothing, weight: 10, control: true}
conversions: [{name: bought, event: bought, within: 1 day}]""",
    ).replace("steps:\n\n", "")
    trial = journey(text)
    mel = trial.person(assigned={"story": "rich", "offer": "b"}).enters()
    zoe = trial.person(assigned={"story": "nothing"}).enters()
    trial.run()

    assert (mel.story.variant, mel.story.choices) == ("rich", {"offer": "b"})
    assert (zoe.story.variant, zoe.story.end) == ("nothing", "control")
    with pytest.raises(LookupError, match="nobody is assigned to"):
        trial.person(assigned={"story": "rihc"})
    with pytest.raises(LookupError, match="there is no canvas or step “offre”"):
        trial.person(assigned={"offre": "b"})


def test_ninety_days_take_less_than_a_second_and_can_be_run_in_parts() -> None:
    steps = "\n".join(
        f"  - {{type: delay, id: d{n}, duration: 9 days}}\n  - {{type: message, id: m{n}, channel: email, template: hello}}"
        for n in range(10)
    )
    trial = journey(canvas(steps) + EMAIL)
    mel = trial.person(**MEL).enters()
    began = time.process_time()
    assert len(mel.run(until="30 days").messages) == 3
    assert trial.now == START + days(30)
    with pytest.raises(Impossible, match="the trial has got to"):
        mel.does("liked", after=days(1))
    story = mel.run()

    assert story.messages[-1].at == START + days(90)
    assert time.process_time() - began < 1


def test_a_mistake_of_the_test_is_one_sentence() -> None:
    mel = welcome().person(**MEL)
    with pytest.raises(Impossible, match="was sent no message of “hello” by 2026-12-07T10:00:00"):
        mel.opens("hello", after=hours(1)).run()
    with pytest.raises(Impossible, match=r"has no link to https://other.example"):
        welcome().person(**MEL).does("signed_up").clicks(
            "hello", "https://other.example", after=hours(1)
        ).run()
    with pytest.raises(LookupError, match=r"there is no canvas “welcom” .did you mean “welcome”"):
        journey([WELCOME, HELLO], "welcom")
    with pytest.raises(Refused, match="there is no template “hello”"):
        journey(WELCOME)
    with pytest.raises(ValueError, match="not a valid email"):
        welcome().person(email="mel@")
    trial = welcome()
    trial.person(**MEL)
    with pytest.raises(ValueError, match="a person “mel” already"):
        trial.person(**MEL)
    with pytest.raises(Impossible, match="the API lets no one into “welcome”"):
        mel.enters()
    with pytest.raises(TypeError, match="either `after` or `at`"):
        mel.does("signed_up", after=hours(1), at=START)
    with pytest.raises(ValueError, match="must not contain reserved key 'time'"):
        mel.does("signed_up", time=1)


async def test_a_trial_runs_within_a_coroutine_too() -> None:
    assert welcome().person(**MEL).does("signed_up").run().end == "completed"


def test_events_of_a_canvas_are_heard_by_another_of_the_trial() -> None:
    first = canvas(
        "  - {type: user_update, id: log, events: [{name: logged, properties: {n: 1}}]}",
        name="first",
        schedule="{event: go}",
    )
    second = Canvas(
        name="second",
        schedule=Schedule(event="logged"),
        audience=attribute("vip") == True,  # noqa: E712 - a filter
        steps=[
            ActionPaths(id="watch", within=days(1), paths=[ActionPath(name="x", triggers=[event("go")])]),
            Delay(id="rest", duration=days(1)),
        ],
    )
    trial = journey([first, second])
    mel, zoe = trial.person(vip=True).does("go"), trial.person(vip=False).does("go")
    stories = trial.run()

    assert stories[mel.name].canvas == "first"
    [heard] = mel.stories("second")
    assert heard.entered == START and heard.path == ["watch", "rest"]
    assert zoe.stories("second")[0].refused == "audience"


def test_the_fixture_finds_files_beside_the_test(journey, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert journey("definitions", "onboarding").canvases == ["onboarding"]
    assert journey("../../definitions").canvases[0] == "new-article"


def test_the_gates_of_a_trial_are_those_of_the_store() -> None:
    """CTL-5, CTL-7, CTL-9, GCG-2: not while inside, by key, so many, not the control group, one wait for a message."""
    wait = "  - {type: delay, id: wait, duration: 2 days}\n  - {type: message, id: m, channel: email, template: hello}"

    def ends(more: str, schedule: str, *does: dict[str, Any]) -> tuple[list[str | None], list[str]]:
        trial = journey(canvas(wait, schedule=schedule, more=more) + EMAIL)
        mel = trial.person(**MEL)
        for number, properties in enumerate(does):
            if schedule == "{api: true}":
                mel.enters(after=hours(number), **properties)
            else:
                mel.does("ping", properties, after=hours(number))
        mel.run(until="30 hours")
        return [story.end for story in mel.stories()], mel.refusals()

    event_, api = "{event: ping}", "{api: true}"
    assert ends("reentry: {after: 0 days, overlap: false}", event_, {}, {}) == ([None], ["still_inside"])
    keyed = ends("key: event.a", event_, {"a": 1}, {"a": 2}, {"a": "1"}, {"a": 1}, {})
    assert keyed == ([None] * 3, ["already_entered", "no_key"])
    assert ends("reentry: {after: 0 days}\nentry_limit: {entries: 2, per: day}", event_, {}, {}, {}) == (
        [None] * 2,
        ["entry_limit"],
    )
    assert ends("reentry: {after: 0 days}", api, {}, {}) == ([None, "already_waiting"], [])

    group = "---\nkind: workspace\nformat: 1\nname: default\nglobal_control: {share: 5}\n"
    trial = journey(canvas(wait, schedule=event_) + group + EMAIL)
    people = [trial.person(bucket=bucket).does("ping") for bucket in range(200)]
    stories = trial.run(until="1 day")
    assert 1 <= sum(stories[one.name].refused == "global_control" for one in people) <= 30


def test_an_entry_was_not_refused_whatever_came_later() -> None:
    """`refused` is said of those who never entered, of their last try; the refusals after an entry are the person's."""
    trial = journey(
        canvas(
            "  - {type: delay, id: wait, duration: 1 hour}",
            schedule="{event: ping}",
            more="audience: {attribute: vip, equals: true}\nreentry: {after: 1 day}",
        )
    )
    mel, zoe, ann = trial.person(vip=True), trial.person(vip=False), trial.person(vip=True)
    mel.does("ping").does("ping", after=hours(2)).does("ping", after=days(2)).does("ping", after=days(2.5))
    zoe.does("ping").does("ping", after=hours(2))
    trial.run()

    assert [(story.entered, story.refused) for story in mel.stories()] == [
        (START, None),
        (START + days(2), None),
    ]
    assert mel.refusals() == ["reentry_window", "reentry_window"]
    assert [(story.entered, story.refused) for story in zoe.stories()] == [(None, "audience")]
    assert zoe.refusals() == ["audience", "audience"]
    assert str(zoe.story).endswith("did not enter story: audience")
    assert (ann.story.entered, ann.story.refused, ann.refusals()) == (None, None, [])


def test_an_address_of_a_trial_that_does_not_exist_gets_no_more_mail() -> None:
    """EML-8: whoever has it."""
    mails = "".join(f"  - {{type: message, id: m{n}, channel: email, template: hello}}\n" for n in range(2))
    trial = journey(canvas(mails) + EMAIL)
    trial.receipts("email", Receipt("unreachable", "no such mailbox", bounced=True))
    mel, zoe = (
        trial.person(**MEL).enters(),
        trial.person(**{**MEL, "external_id": "zoe"}).enters(after="1 day"),
    )
    trial.run()

    reasons = [
        fact.data["reason"] for one in (mel, zoe) for fact in one.story.facts if fact.fact == "unreachable"
    ]
    assert reasons == ["no such mailbox", "hard_bounced", "hard_bounced", "hard_bounced"]


def test_people_of_a_trial_say_states_in_groups_and_steps_do() -> None:
    """PRF-5, SUB-3: for all who share the address; a group that there is not is told of at once."""
    update = "  - {type: user_update, id: u, attributes: {subscription_groups: [{subscription_group_id: news, subscription_state: STATE}]}}\n"
    mail = "  - {type: message, id: hello, channel: email, template: hello, subscription_group: news}\n"
    for state, sent in (("subscribed", 1), ("unsubscribed", 0)):
        trial = journey(canvas(update.replace("STATE", state) + mail) + EMAIL + NEWS)
        assert len(trial.person(**MEL).enters().run().messages) == sent

    trial = journey(canvas(mail) + EMAIL + NEWS)
    said = [{"subscription_group_id": "news", "subscription_state": "subscribed"}]
    mel, zoe = trial.person(**MEL, subscription_groups=said), trial.person(**{**MEL, "external_id": "zoe"})
    zoe.sets(subscription_groups=[{**said[0], "subscription_state": "unsubscribed"}], after="1 hour")
    mel.enters()
    mel.enters(after="2 hours")
    trial.run()
    assert [len(one.messages) for one in mel.stories()] == [1]
    with pytest.raises(ValueError, match="no subscription group"):
        trial.person(
            **{**MEL, "external_id": "kim"}, subscription_groups=[{**said[0], "subscription_group_id": "no"}]
        )
