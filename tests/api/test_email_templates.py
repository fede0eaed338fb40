"""Templates for mails over the REST API and from files, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from journeys.canvas.problems import Refused
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.publishing import publish
from tests.api.parts import Door
from tests.api.test_lists import read
from tests.stage import EMAIL, canvas, definitions_of, stage_on

SETTINGS = """
---
kind: workspace
format: 1
name: default
tags: [spring]
sender: {address: desk@example.com}
---
kind: content_block
format: 1
name: footer
content: "Yours"
"""
STORY = canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL + SETTINGS
MAIL: dict[str, Any] = {
    "template_name": "Welcome, Mel!",
    "subject": "Hello {{${first_name}}}",
    "body": "<p>Dear {{${first_name}}}, {{content_blocks.${footer}}} <a href='{{${set_user_to_unsubscribed_url}}}'>off</a></p>",
}
PATH = "/templates/email"
CHANNELS = {"email": object()}


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, STORY)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def call(door: Door, word: str, body: Any, status: int) -> Any:
    answer = await door.post(f"{PATH}/{word}", body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def info(door: Door, id_: str) -> Any:
    return await read(door, f"{PATH}/info", email_template_id=id_)


async def test_a_template_is_made_edited_read_listed_and_sent(
    door: Door, mailbox: Mailbox, db: Database
) -> None:
    """TPL-4: a canvas names it, and an edit is in force with its answer."""
    given = {
        **MAIL,
        "preheader": "Soon",
        "plaintext_body": "Dear you",
        "tags": ["spring"],
        "should_inline_css": True,
    }
    made = await call(door, "create", given, 201)
    assert (made["message"], made["name"]) == ("success", "Welcome-Mel")
    assert made["notice"].startswith("'should_inline_css' is kept")
    id_ = made["email_template_id"]
    told = await info(door, id_)
    assert {name: told[name] for name in given} == given
    assert (told["owner"], told["message"], told["created_at"]) == ("api", "success", told["updated_at"])

    edited = await call(
        door, "update", {"email_template_id": id_, "subject": "Bye", "template_name": "Farewell"}, 200
    )
    assert edited["name"] == "Welcome-Mel"
    told = await info(door, id_)
    assert {name: told[name] for name in given} == {**given, "subject": "Bye", "template_name": "Farewell"}

    second = canvas("  - {type: message, id: m, channel: email, template: Welcome-Mel}", name="second")
    await publish(db, "default", definitions_of(second), channels=CHANNELS)
    stage = door.stage
    stage.published.forget(stage.workspace)
    person = await stage.person(email="mel@example.com", first_name="Mel")
    [entry] = await stage.enter(person, name="second")
    await stage.burst(entry)
    await stage.deliver(Email(SmtpSettings(host="127.0.0.1", port=mailbox.port)))
    [mail] = mailbox.mails
    assert (mail.message["subject"], "Dear Mel, Yours" in mail.html) == ("Bye", True)


async def test_templates_of_files_and_of_the_api_are_listed_with_their_owners(door: Door) -> None:
    """TPL-4"""
    await call(door, "create", MAIL, 201)
    again = await call(door, "create", MAIL, 201)
    assert again["name"] == "Welcome-Mel-2"
    await call(door, "create", {**MAIL, "template_name": "2. Mail/für_alle"}, 201)

    listed = await read(door, f"{PATH}/list")
    assert listed["count"] == 4
    assert [(each["template_name"], each["name"], each["owner"]) for each in listed["templates"]] == [
        ("hello", "hello", "file"),
        ("Welcome, Mel!", "Welcome-Mel", "api"),
        ("Welcome, Mel!", "Welcome-Mel-2", "api"),
        ("2. Mail/für_alle", "t-2-Mail-f-r_alle", "api"),
    ]
    assert [each["name"] for each in (await read(door, f"{PATH}/list", limit=1, offset=1))["templates"]] == [
        "Welcome-Mel"
    ]
    assert (await read(door, f"{PATH}/list", modified_before="2020-01-01T00:00:00Z"))["count"] == 0
    assert (await read(door, f"{PATH}/list", modified_after="2020-01-01T00:00:00Z"))["count"] == 4


WRONG: list[Any] = [
    ({"subject": "x", "body": "x"}, "Template Name is required"),
    ({**MAIL, "template_name": " "}, "Template Name is required"),
    ({**MAIL, "template_name": "x" * 256}, "Template Name must be a text of at most 255 characters"),
    ({"template_name": "a", "body": "x"}, "Subject is required"),
    ({"template_name": "a", "subject": "x", "body": ""}, "Body is required"),
    ({**MAIL, "subject": "{% if %}"}, "Email contains malformed liquid."),
    ({**MAIL, "body": "{{content_blocks.${nothing}}}"}, "Email must have valid content block names."),
    ({**MAIL, "tags": "spring"}, "Tags must be an array."),
    ({**MAIL, "tags": [1]}, "All Tags must be Strings."),
    ({**MAIL, "tags": ["autumn"]}, "Some Tags could not be found."),
    ({**MAIL, "subject": 7}, "'subject' must be a string"),
]


async def test_what_is_wrong_with_a_template_is_said_in_the_words_that_clients_know(door: Door) -> None:
    """TPL-4"""
    for body, said in WRONG:
        assert await call(door, "create", body, 400) == {"message": said}
    id_ = (await call(door, "create", MAIL, 201))["email_template_id"]
    for body, said in WRONG[5:]:
        assert await call(door, "update", {**body, "email_template_id": id_}, 400) == {"message": said}
    nobody = {"message": "The workspace has no Email Template with this ID."}
    for other in ("nope", str(uuid4())):
        assert await call(door, "update", {"email_template_id": other}, 404) == nobody
        assert await read(door, f"{PATH}/info", 404, email_template_id=other) == nobody
    assert (await info(door, id_))["subject"] == MAIL["subject"]


async def test_files_and_the_api_do_not_overwrite_one_another_in_silence(door: Door, db: Database) -> None:
    """TPL-4: who takes a template over says so."""

    async def published(text: str) -> Any:
        done = await publish(db, "default", definitions_of(text), channels=CHANNELS)
        door.stage.published.forget(door.stage.workspace)
        return done

    async def subject() -> str:
        publication = await door.stage.published.of(door.stage.workspace)
        return str(publication.templates["hello"].subject)  # type: ignore[union-attr]

    file = EMAIL.removeprefix("\n---\n")
    [hello] = (await read(door, f"{PATH}/list"))["templates"]
    edit = {"email_template_id": hello["email_template_id"], "subject": "By API"}
    refused = await call(door, "update", edit, 409)
    assert refused["message"].startswith("Conflict: the template “hello” is managed by a file")

    await call(door, "update", {**edit, "owner": "api"}, 200)
    await call(door, "update", edit, 200)
    assert await subject() == "By API"
    with pytest.raises(Refused, match="J313 the template “hello” is managed by the API"):
        await published(file)
    assert (await published(file + "owner: api\n")).same == 1
    assert (await published(file.replace("Hello {{${first_name}}}", "By API"))).same == 1
    assert await subject() == "By API"

    assert (await published(file + "owner: file\n")).changed == [("template", "hello")]
    assert (await subject(), (await info(door, hello["email_template_id"]))["owner"]) == (
        "Hello {{${first_name}}}",
        "file",
    )
    other = file.replace("name: hello", "name: other") + "owner: api\n"
    assert (await published(other)).new == [("template", "other")]
    assert (await published(other.replace("Dear", "Dearest"))).same == 1
