"""Preference centres: made over the API, opened by a signed link of a message, saved by a form without any script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.delivery.tracking_links import PreferenceLink
from journeys.engine.people.profiles import Profile
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.test_subscriptions import STORY, Desk
from tests.stage import stage_on

BASE = "/preference_center/v1"
PAGE = """<h1>Hi {{${first_name}}}</h1><form method="post" action="{{preference_center_submit_url}}">
<input type="checkbox" name="{% form_field_name :email_global_state %}" {% if subscribed_state.${email_global} == 'opted_in' %}checked{% endif %}>
<input type="checkbox" name="{%- form_field_name :subscription_group 6b1f -%}" value="subscribed"
 {% if subscribed_state.${6b1f} == 'subscribed' %}checked{% endif %}></form>"""
CENTRE = {
    "name": "mine",
    "preference_center_page_html": PAGE,
    "confirmation_page_html": "Saved: {{subscribed_state.${news}}}",
}


class Page(HTMLParser):
    """A page as a browser without scripts reads it: where its form goes, and its boxes."""

    def __init__(self, answer: httpx2.Response) -> None:
        super().__init__()
        self.action, self.boxes = "", dict[str, tuple[str, bool]]()
        self.feed(answer.text)
        self.url = answer.url.join(self.action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action = given["action"] or ""
        if tag == "input":
            self.boxes[given["name"] or ""] = (given.get("value") or "on", "checked" in given)


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    stage = await stage_on(db, STORY)
    made = Desk(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def makes(desk: Desk, **more: Any) -> dict[str, Any]:
    answer = await desk.client.post(BASE, json={**CENTRE, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def link(desk: Desk, person: Profile, centre: str) -> str:
    publication = await desk.stage.published.of(desk.stage.workspace)
    return PreferenceLink(desk.stage.workspace, person.id, centre).url("http://api", publication.secret)


async def opens(desk: Desk, url: str) -> Page:
    answer = await desk.client.get(url, headers={"Authorization": ""})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), (
        answer.text
    )
    assert "script-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    return Page(answer)


async def saves(desk: Desk, page: Page, *checked: str) -> httpx2.Response:
    form = {name: page.boxes[name][0] for name in checked}
    return await desk.client.post(page.url, data=form)


async def states(desk: Desk) -> dict[str, tuple[str | None, str | None]]:
    """By external id, the state on e-mail and the state in the group."""
    rows = await desk.stage.db.pool.fetch(
        "select p.external_id, c.state, s.state as said from people p left join consents c on c.person = p.id"
        " left join subscriptions s on s.person = p.id"
    )
    return {row["external_id"]: (row["state"], row["said"]) for row in rows}


async def test_a_centre_is_made_changed_listed_and_told(desk: Desk) -> None:
    """PFC-1: its name stays; a person has an address of their own, signed."""
    made = await makes(desk, preference_center_title="Yours")
    centre = made["preference_center_api_id"]
    assert (made["message"], made["liquid_tag"]) == ("success", "{{preference_center.${mine}}}")
    answer = await desk.client.put(
        f"{BASE}/{centre}", json={"confirmation_page_html": "Thanks", "name": "other"}
    )
    assert (answer.status_code, answer.json()["preference_center_api_id"]) == (200, centre)

    [listed] = (await desk.client.get(f"{BASE}/list")).json()["preference_centers"]
    assert (listed["name"], listed["preference_center_api_id"]) == ("mine", centre)
    told = (await desk.client.get(f"{BASE}/{centre}")).json()
    assert (told["name"], told["preference_center_title"], told["state"]) == ("mine", "Yours", "active")
    assert (told["preference_center_page_html"], told["confirmation_page_html"]) == (PAGE, "Thanks")
    mel = await desk.stage.person(external_id="m el")
    url = (await desk.client.get(f"{BASE}/{centre}/url/m%20el")).json()["preference_center_url"]
    assert url.endswith((await link(desk, mel, "mine")).removeprefix("http://api"))


async def test_what_is_wrong_with_a_centre_is_told(desk: Desk) -> None:
    """PFC-1"""
    await makes(desk)
    broken: list[tuple[dict[str, Any], str]] = [
        ({}, "a preference centre with this 'name' already exists"),
        ({"name": "a b"}, "'name' must have letters, digits, '-' and '_' only, at most 100"),
        ({"name": None}, "'name' is required"),
        ({"preference_center_page_html": "{{ a"}, "'preference_center_page_html' contains malformed liquid: line 1"),
        ({"confirmation_page_html": ""}, "'confirmation_page_html' must not be empty"),
        ({"preference_center_page_html": "{% form_field_name :subscription_group no %}"}, "'preference_center_page_html': {% form_field_name :subscription_group no %} names no field"),
        ({"preference_center_page_html": "{% form_field_name :push %}"}, "names no field"),
        ({"state": "gone"}, "'state' must be 'active' or 'draft'"),
    ]  # fmt: skip
    for body, message in broken:
        answer = await desk.client.post(BASE, json={**CENTRE, **body})
        assert (answer.status_code, message in answer.json()["message"]) == (400, True), answer.text


async def test_a_centre_or_a_person_that_there_is_not_is_a_404(desk: Desk) -> None:
    """PFC-1"""
    centre = (await makes(desk))["preference_center_api_id"]
    for path in (f"{BASE}/x", f"{BASE}/{uuid4()}", f"{BASE}/{uuid4()}/url/mel"):
        assert (await desk.client.get(path)).status_code == 404
        assert (await desk.client.put(path.removesuffix("/url/mel"), json={})).status_code == 404
    assert (await desk.client.get(f"{BASE}/{centre}/url/nobody")).status_code == 404


async def test_what_a_person_checks_on_a_page_is_saved_for_all_who_share_their_address(desk: Desk) -> None:
    """PFC-2, CNS-3: a box that is not checked says no; of a page the person shows what it saved before."""
    await makes(desk)
    mel, _ = [
        await desk.stage.person(external_id=name, first_name="Mel", email="us@example.com")
        for name in ("mel", "kim")
    ]
    url = await link(desk, mel, "mine")
    page = await opens(desk, url)
    assert page.boxes == {
        "email_global_state": ("on", False),
        "subscription_group_6b1f": ("subscribed", False),
    }
    assert await states(desk) == dict.fromkeys(("mel", "kim"), (None, None)), "to look changes nothing"

    answer = await saves(desk, page, *page.boxes)
    assert answer.text == "Saved: subscribed"
    assert await states(desk) == dict.fromkeys(("mel", "kim"), ("opted_in", "subscribed"))
    page = await opens(desk, url)
    assert all(checked for _, checked in page.boxes.values())
    await saves(desk, page, "subscription_group_6b1f")
    assert await states(desk) == dict.fromkeys(("mel", "kim"), ("unsubscribed", "subscribed"))
    assert (await opens(desk, url)).boxes["subscription_group_6b1f"] == ("subscribed", True)
    assert {one["source"] for one in await desk.history()} == {"preference_centre"}
    assert len(await desk.history()) == 6


async def test_a_page_without_any_centre_is_made_of_the_groups_for_mail(desk: Desk) -> None:
    """PFC-2: what a profile says brings no markup into it."""
    mel = await desk.stage.person(external_id="mel", email="mel+<b>@example.com")
    page = await opens(desk, await link(desk, mel, "default"))
    assert page.boxes == {"subscription_group_6b1f": ("on", False), "email_global_state": ("on", True)}
    answer = await saves(desk, page, "subscription_group_6b1f")

    assert "mel+&lt;b&gt;@example.com" in answer.text
    assert await states(desk) == {"mel": ("unsubscribed", "subscribed")}


async def test_a_state_may_be_chosen_by_name(desk: Desk) -> None:
    """PFC-2: as by radio buttons; a page that does not ask for the state on mail leaves it as it is."""
    field = '<input name="{% form_field_name :email_global_state %}"><form action="{{preference_center_submit_url}}">'
    group = '<form action="{{preference_center_submit_url}}"><input name="{% form_field_name :subscription_group news %}">'
    await makes(desk, preference_center_page_html=field)
    await makes(desk, name="group", preference_center_page_html=group)
    mel = await desk.stage.person(external_id="mel", email="mel@example.com")
    page = await opens(desk, await link(desk, mel, "mine"))
    for value, state in (
        ("subscribed", "subscribed"),
        ("unsubscribed", "unsubscribed"),
        ("opted_in", "opted_in"),
    ):
        await desk.client.post(page.url, data={"email_global_state": value})
        assert await states(desk) == {"mel": (state, None)}
    page = await opens(desk, await link(desk, mel, "group"))
    await desk.client.post(page.url, data={"subscription_group_6b1f": "unsubscribed", "other": "1"})
    assert await states(desk) == {"mel": ("opted_in", "unsubscribed")}


async def test_a_link_that_is_not_valid_shows_nothing_and_saves_nothing(desk: Desk) -> None:
    """PFC-1: of another person, a draft, somebody who is gone; a form may not be large."""
    await makes(desk, state="draft")
    mel = await desk.stage.person(external_id="mel", email="mel@example.com")
    url = await link(desk, mel, "default")
    gone = await link(desk, await desk.stage.person(external_id="gone"), "default")
    await desk.stage.db.pool.execute("delete from people where external_id = 'gone'")
    wrong = [
        url + "x",
        re.sub(r"\..*", ".AAAA", url.removeprefix("http://api")),
        "/p/x",
        "/p/e30.x",
        "/p/WzAsIjEiLCIyIl0.x",
    ]
    for path in (*wrong, await link(desk, mel, "mine"), await link(desk, mel, "no"), gone):
        for answer in (
            await desk.client.get(path),
            await desk.client.post(path, data={"email_global_state": "on"}),
        ):
            assert (answer.status_code, "not valid" in answer.text) == (404, True), path
    large = await desk.client.post(url, data={"a": "x" * 70_000})
    many = await desk.client.post(url, data={f"a{number}": "" for number in range(1001)})
    assert [large.status_code, many.status_code] == [413, 413]
    assert await states(desk) == {"mel": (None, None)}


async def test_a_page_that_cannot_be_shown_any_more_says_so_and_a_choice_is_saved_all_the_same(
    desk: Desk,
) -> None:
    """PFC-2: a group that went since it was made."""
    made = await makes(desk)
    mel = await desk.stage.person(external_id="mel", email="mel@example.com")
    url = await link(desk, mel, "mine")
    page = await opens(desk, url)
    query = "update preference_centres set confirmation = '{{ 1 | divided_by: 0 }}' where id = $1"
    await desk.stage.db.pool.execute(query, made["preference_center_api_id"])
    answer = await saves(desk, page, *page.boxes)
    assert (answer.status_code, "is saved" in answer.text) == (200, True)
    await desk.stage.db.pool.execute(
        "update preference_centres set page = '{% form_field_name :subscription_group no %}'"
    )
    for answer in (await desk.client.get(url), await desk.client.post(url)):
        assert (answer.status_code, "cannot be shown" in answer.text) == (404, True)
    assert await states(desk) == {"mel": ("opted_in", "subscribed")}


async def test_a_mail_leads_its_reader_to_their_own_page(db: Database, mailbox: Mailbox) -> None:
    """PFC-1: by name, or to the one that is made of the groups; the link is not counted, one to no centre is empty."""
    more = "".join(
        f'<a href="{{{{{name}}}}}">x</a>'
        for name in ("${preference_center_url}", "preference_center.${mine}", "preference_center.${no}")
    )
    stage = await stage_on(db, STORY.replace("Unsubscribe</a>", f"Unsubscribe</a>{more}"))
    desk = Desk(stage, await create_key(db, stage.workspace, "test", ["*"]))
    await makes(desk)
    await makes(desk, name="draft", state="draft")
    stage.published.forget(stage.workspace)
    [entry] = await stage.enter(await stage.person(external_id="mel", email="mel@example.com"))
    await stage.burst(entry)
    await stage.deliver(Email(SmtpSettings(port=mailbox.port)))
    [mail] = mailbox.mails
    urls = re.findall(r'href="([^"]*)">x<', mail.html)

    assert [bool(url) for url in urls] == [True, True, False]
    assert len((await opens(desk, httpx2.URL(urls[0]).raw_path.decode())).boxes) == 2
    page = await opens(desk, httpx2.URL(urls[1]).raw_path.decode())
    await saves(desk, page, *page.boxes)
    assert await states(desk) == {"mel": ("opted_in", "subscribed")}
    await desk.client.aclose()
