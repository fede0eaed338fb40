"""`publish`: definitions are checked together with those of the workspace, and break nothing that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeys.channels.base import kinds
from journeys.engine.store import Database
from journeys.engine.workspaces.validate import validate
from tests.cli.test_commands import Said, journeys

CANVAS = """
kind: canvas
format: 1
name: {name}
schedule: {{api: true}}
audience: {{segment: fans}}
steps:
  - {{type: message, id: hi, channel: email, template: hello}}
"""
FILES = {
    "welcome": CANVAS.format(name="welcome"),
    "hello": """
kind: template
format: 1
name: hello
channel: email
subject: Hello
html: "{{content_blocks.${foot}}} {{${set_user_to_unsubscribed_url}}}"
""",
    "fans": "kind: segment\nformat: 1\nname: fans\nwhen: {attribute: fan, equals: true}\n",
    "foot": "kind: content_block\nformat: 1\nname: foot\ncontent: Yours\n",
}
CALL = "kind: template\nformat: 1\nname: hello\nchannel: webhook\nurl: https://example.com/\n"


class Folder:
    """A folder of definitions, and a workspace to publish them to."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url

    async def publish(self, text: str, *words: str) -> Said:
        """Publish one file with this text."""
        (self.path / "one.yaml").write_text(text)
        return await journeys("publish", "one.yaml", *words, url=self.url, cwd=self.path)


@pytest.fixture
async def folder(db: Database, tmp_path: Path) -> Folder:
    """With a canvas, its template, its segment and a content block published."""
    here = Folder(tmp_path, db.url)
    said = await here.publish("---\n".join(FILES.values()))
    assert (said.code, said.err) == (0, "")
    return here


async def test_what_the_workspace_has_need_not_be_given_again(folder: Folder) -> None:
    """A canvas whose template and segment, a template whose content block are there already."""
    said = await folder.publish(CANVAS.format(name="again"))
    assert (said.code, said.err) == (0, "")
    assert "new      canvas        again" in said.out
    assert (await folder.publish(FILES["hello"].replace("Hello", "Good day"))).code == 0
    said = await folder.publish(CANVAS.format(name="third").replace("hello", "helo"))
    assert said.code == 1
    assert "one.yaml:8:55: J301 there is no template “helo” (did you mean “hello”?)" in said.err


async def test_what_would_break_a_canvas_that_runs_is_refused_with_its_name(
    folder: Folder, db: Database
) -> None:
    """J303: the template that a step mails with cannot become a webhook's behind its back."""
    said = await folder.publish(CALL)
    assert said.code == 1
    assert (
        "the running canvas “welcome”: J303 the template “hello” is for webhook, the step “hi” for email\n"
        in said.err
    )
    assert await db.pool.fetchval("select body->>'channel' from definitions where name = 'hello'") == "email"
    both = CALL + "---\n" + FILES["welcome"].replace("channel: email", "channel: webhook")
    assert (await folder.publish(both)).code == 0, "together they fit"


async def test_what_was_wrong_before_stops_nobody(folder: Folder, db: Database) -> None:
    """A canvas that this machine could not run all the same is left as it is."""
    await db.pool.execute(
        "update definitions set body = jsonb_set(body, '{steps,0,channel}', '\"pigeon\"') where kind = 'canvas'"
    )
    assert (await folder.publish(FILES["hello"].replace("Hello", "Good day"))).code == 0
    await db.pool.execute(
        "update definitions set body = jsonb_set(jsonb_set(body, '{steps,0,channel}', '\"email\"'), "
        "'{steps,0,template}', '\"helo2\"') where kind = 'canvas'"
    )
    nearer = FILES["hello"].replace("name: hello", "name: helo1")
    assert (await folder.publish(nearer)).code == 0, "another hint makes no other problem"


async def test_the_settings_of_one_workspace_are_not_those_of_another(folder: Folder, db: Database) -> None:
    """J309"""
    other = "kind: workspace\nformat: 1\nname: other\nzone: Asia/Tokyo\n"
    said = await folder.publish(other)
    assert said.code == 1
    assert (
        "one.yaml:3:7: J309 these are the settings of the workspace “other”, not of “default” "
        "(write name: default, or publish with --workspace other)" in said.err
    )
    assert await db.pool.fetchval("select zone from workspaces where name = 'default'") == "UTC"
    assert await db.pool.fetchval("select count(*) from definitions where kind = 'workspace'") == 0
    assert (await folder.publish(other, "--workspace", "other")).code == 0
    assert await db.pool.fetchval("select zone from workspaces where name = 'other'") == "Asia/Tokyo"


NAMING = {
    "a catalog": "{% catalog_items shoes 1 %}",
    "a selection": "{% catalog_selection_items shoes on_sale %}",
    "a content block": "{{content_blocks.${shoes}}}",
    "a promotion list": "{% promotion('shoes') %}",
}
PLACES = {
    "a template": 'kind: template\nformat: 1\nname: t\nchannel: webhook\nurl: https://example.com/\ntext: "X"\n',
    "a content block": 'kind: content_block\nformat: 1\nname: b\ncontent: "X"\n',
    "a context step": 'kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\nsteps: [{type: context, id: s, set: [{name: v, type: text, value: "X"}]}]\n',
    "a user update": 'kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\nsteps: [{type: user_update, id: s, attributes: {a: "X"}}]\n',
}


async def test_a_name_of_what_no_workspace_has_is_refused_wherever_it_stands(
    db: Database, tmp_path: Path
) -> None:
    """Where there is no catalog, no block or no list at all, too; a list is in no file, so only publishing knows it."""
    here = Folder(tmp_path, db.url)
    for place, text in PLACES.items():
        for what, source in NAMING.items():
            if (place, what) == ("a content block", "a content block"):
                continue
            said = await here.publish(text.replace("X", source))
            assert (said.code, "J311" in said.err, "shoes" in said.err) == (1, True, True), (place, what)
            found = validate([tmp_path], kinds()).problems
            assert [one.code for one in found] == ([] if what == "a promotion list" else ["J311"]), (
                place,
                what,
            )
    assert "there is no promotion list" in said.err or "there is no content block" in said.err

    await db.pool.execute(
        "insert into promotion_lists select id, 'shoes', now() + interval '1 day' from workspaces where name = 'default'"
    )
    await db.pool.execute(
        "insert into promotion_lists select id, 'other', now() + interval '1 day' from workspaces where name = 'default'"
    )
    promo = PLACES["a template"].replace("X", NAMING["a promotion list"])
    assert (await here.publish(promo)).code == 0
    said = await here.publish(promo.replace("shoes", "shoos"))
    assert "there is no promotion list “shoos” (did you mean “shoes”?)" in said.err


def shared(*shares: int, name: str = "tested") -> str:
    """A canvas whose variants have these shares; the first is the control group."""
    steps = [
        f", steps: [{{type: delay, id: d{place}, duration: 1 day}}]" * bool(place)
        for place in range(len(shares))
    ]
    variants = [f"  - {{name: v{place}, weight: {share}, control: {str(not place).lower()}{steps[place]}}}" for place, share in enumerate(shares)]  # fmt: skip
    return (
        f"kind: canvas\nformat: 1\nname: {name}\nschedule: {{api: true}}\nvariants:\n"
        + "\n".join(variants)
        + "\n"
    )


async def test_a_control_group_may_shrink_and_never_grows(folder: Folder, db: Database) -> None:
    """VAR-4: who has had messages never becomes control; also where there was none, or the canvas was archived."""
    assert (await folder.publish(shared(30, 70))).code == 0
    said = await folder.publish(shared(40, 60))
    assert said.code == 1
    assert (
        "one.yaml:6:24: J406 the control group of “tested” has 30 per cent of the people, not 40" in said.err
    )
    assert (await folder.publish(shared(20, 40, 40))).code == 0
    assert (await folder.publish(shared(20, 80))).code == 0
    assert (await folder.publish(shared(25, 75))).code == 1
    assert (await folder.publish(shared(25, 75, name="another"))).code == 0, "a new canvas has any share"

    assert (await folder.publish(shared(20, 80).replace("control: true", "control: false"))).code == 0
    assert (await folder.publish(shared(20, 80))).code == 1
    assert (await folder.publish(shared(10, 90, name="welcome"))).code == 1, "it had no variants at all"
    await db.pool.execute("update canvases set status = 'archived'")
    assert (await folder.publish(shared(20, 80), "--restore")).code == 1
    share = "select body->'variants'->0->>'control' from definitions where name = 'tested'"
    assert await db.pool.fetchval(share) == "false"
