"""Wrong usage gives one line and a meaningful exit code, never a stack trace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from journeys.cli.stop import Stop
from journeys.cli.workspace import _context
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from tests.cli.test_commands import DEFINITIONS, journeys
from tests.stage import definitions_of

ONBOARDING = f"{DEFINITIONS}/onboarding.yaml"
LONG = "x" * 300
API = "kind: canvas\nformat: 1\nname: byapi\nschedule: {api: true}\nsteps: [{type: delay, id: d, duration: 1 day}]\n"

WITHOUT_A_DATABASE = [
    (("simulate", ONBOARDING, "--people", "0"), 2, "Must be >= 1"),
    (("simulate", ONBOARDING, "--people", "-3"), 2, "Must be >= 1"),
    (("simulate", ONBOARDING, "--starts", "soon"), 2, "--starts"),
    (("validate", LONG), 1, "J001 the file cannot be read"),
    (("draw", LONG), 1, "J001 the file cannot be read"),
    (("validate", "leaves.py"), 1, "leaves.py:2:1: J006 the file failed: SystemExit: 0"),
    (("render", "latin.liquid"), 2, "latin.liquid is not UTF-8"),
    (("render", "hi.liquid", "latin.json"), 2, "latin.json is not UTF-8"),
    (("render", "hi.liquid", "list.json"), 2, "list.json: a context file holds one JSON object"),
    (("render", "hi.liquid", "deep.json"), 2, "deep.json: it is nested too deeply"),
    (("render", "nowhere.liquid"), 2, "nowhere.liquid cannot be read"),
    (("nosuch",), 2, "nosuch"),
    (("dev", "--port", "99999"), 2, "Must be <= 65535"),
    (("dev", "--port", "-1"), 2, "Must be >= 0"),
    (("dev", "--time-scale", "quickly"), 2, "is not a time scale: write 1d=2s"),
    (("dev", "--time-scale", "3000d=1s"), 2, "too fast"),
    (("entries", "mel\udcff"), 2, "is not UTF-8"),
    (("keys", "create", "--name", "n"), 2, "a key needs permissions"),
    (("trigger", "byapi", "ann", "--context", "[1]"), 2, "a JSON object"),
    (("trigger", "byapi", "ann", "--context", "{"), 2, "not JSON"),
    (("trigger", "byapi", "ann", "--context", '{"a": NaN}'), 2, "not JSON"),
    (("trigger", "byapi", "ann", "--context", '{"a": "\\u0000"}'), 2, "U+0000"),
    (("trigger", "byapi", ""), 2, "cannot be an external id"),
    (("trigger", "byapi"), 2, "at least one person is needed"),
]

ENVIRONMENTS = [
    ({"DATABASE_URL": "postgresql://[bad"}, "entries", 2, "DATABASE_URL is not the URL of a PostgreSQL database"),
    ({"DATABASE_URL": "postgresql://localhost:abc/x"}, "entries", 2, "DATABASE_URL is not"),
    ({"DATABASE_URL": "postgresql://u:sesame/ab@h/x"}, "serve", 2, "DATABASE_URL is not"),
    ({"DATABASE_URL": "sqlite:///x"}, "entries", 2, "DATABASE_URL is not"),
    ({"JOURNEYS_HOME": "/proc/x"}, "entries", 2, "JOURNEYS_HOME: /proc/x cannot be used"),
    ({"JOURNEYS_HOME": "/etc/passwd"}, "dev", 2, "JOURNEYS_HOME: /etc/passwd cannot be used"),
    ({}, "serve", 2, "set DATABASE_URL"),
    ({"JOURNEYS_LOG_FORMAT": "json"}, "serve", 2, '"level": "error", "logger": "journeys.cli.logs", "event": "set DATABASE_URL'),
    ({"DATABASE_URL": "postgresql://x", "JOURNEYS_TIME_SCALE": "abc"}, "serve", 2, "JOURNEYS_TIME_SCALE is not valid"),
    ({"DATABASE_URL": "postgresql://x", "JOURNEYS_CONNECTIONS": "0"}, "worker", 2, "JOURNEYS_CONNECTIONS is not valid"),
]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files that are wrong in some way."""
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "latin.liquid").write_bytes(b"\xe9\xff")
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    (tmp_path / "hi.liquid").write_text("hi")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    return tmp_path


@pytest.mark.slow
async def test_what_is_asked_wrongly_is_told_in_a_line(files: Path) -> None:
    for words, code, told in WITHOUT_A_DATABASE:
        said = await journeys(*words, cwd=files)
        assert (said.code, told in said.err.replace("\n", " ")) == (code, True), (words, said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[1]", "is a JSON object"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"a": "\\u0000"}', "the character U\\+0000"),
        ('{"a": "%s"}' % ("x" * 50 * 1024), "is larger than 50 KB"),
    ],
)  # fmt: skip
def test_a_context_that_a_call_would_refuse_is_refused_by_the_command_too(given: str, said: str) -> None:
    """CTX-1"""
    with pytest.raises(Stop, match=said) as refused:
        _context(given)
    assert refused.value.code == 2


def test_the_context_of_a_command_is_what_was_typed() -> None:
    """CTX-1"""
    assert _context('{"article": "ten-k", "n": 1}') == {"article": "ten-k", "n": 1}


@pytest.mark.slow
async def test_a_wrong_environment_is_told_by_its_variable_and_no_password_is_shown(files: Path) -> None:
    for environment, command, code, told in ENVIRONMENTS:
        words = (command, "mel") if command == "entries" else (command,)
        said = await journeys(*words, cwd=files, environment=environment)
        assert (said.code, told in said.err) == (code, True), (environment, said)
        assert "sesame" not in said.err + said.out


@pytest.mark.slow
async def test_a_worker_that_cannot_begin_says_why_and_ends(db: Database, temporal: str) -> None:
    """What is found out late, while the worker starts, is told as well."""
    servers = {"DATABASE_URL": db.url, "TEMPORAL_ADDRESS": temporal}
    for environment, told in (
        ({"JOURNEYS_SMTP_PORT": "abc"}, "JOURNEYS_SMTP_PORT is not valid: “abc”"),
        (
            {"JOURNEYS_WEBHOOK_ALLOWED_NETWORKS": "home"},
            "JOURNEYS_WEBHOOK_ALLOWED_NETWORKS is not valid: “home”",
        ),
        ({"JOURNEYS_PUBLIC_URL": "here"}, "JOURNEYS_PUBLIC_URL is not valid"),
        ({"JOURNEYS_SECRET_KEY": "short"}, "JOURNEYS_SECRET_KEY is not a valid key"),
    ):
        said = await journeys("worker", environment=servers | environment)
        assert (said.code, told in said.err) == (2, True), said
    said = await journeys("serve", environment=servers | {"TEMPORAL_NAMESPACE": "nosuch"})
    assert (said.code, "TEMPORAL_NAMESPACE is not valid" in said.err) == (1, True), said


async def test_an_address_of_temporal_that_cannot_be_one_ends_a_process_at_once(tmp_path: Path) -> None:
    """Even where the database, which does not answer here, would be waited for."""
    servers = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "JOURNEYS_HOME": str(tmp_path)}
    for command, address in (("serve", "temporal"), ("worker", "http://temporal:7233"), ("dev", "temporal:")):
        said = await journeys(command, environment=servers | {"TEMPORAL_ADDRESS": address})
        told = f"TEMPORAL_ADDRESS is not valid: “{address}”: it is not host:port"
        assert (said.code, said.err.strip().splitlines()[-1]) == (2, told), said


async def test_what_is_written_to_a_full_disk_or_a_closed_pipe_ends_without_a_trace() -> None:
    said = await journeys("schema", shell="> /dev/full")
    assert (said.code, "No space left" in said.err) == (1, True)
    said = await journeys("schema", shell="| head -1")
    assert (said.code, said.err) == (0, "")


async def test_a_name_is_written_by_a_rule_and_an_unknown_permission_gets_a_short_hint(db: Database) -> None:
    async def create(name: str, *words: str) -> tuple[int, str]:
        said = await journeys("keys", "create", "--name", name, *words, url=db.url)
        return said.code, said.err.strip()

    assert (await create("", "--all"))[0] == 2
    assert "1 to 100 printable characters" in (await create("a\tb", "--all"))[1]
    code, told = await create("n", "--all", "--workspace", "we ird/..")
    assert (code, "letters, digits, - and _, a letter first" in told) == (2, True)
    assert await db.pool.fetchval("select count(*) from workspaces where name like 'we%'") == 0
    assert await create("n", "--permission", "users.trak") == (
        2, "there is no permission “users.trak”; did you mean users.track?",
    )  # fmt: skip
    code, told = await create("n", "--permission", "nosuch")
    assert (code, len(told) < 120, "users.track" in told) == (2, True, True)


async def test_an_import_never_writes_over_the_file_that_it_reads(db: Database, tmp_path: Path) -> None:
    await publish(db, "default", definitions_of(API))
    people = tmp_path / "people.csv"
    text = "external_id,first_name\nmel,Mel\n,Nobody\n"
    people.write_text(text)
    (tmp_path / "same.csv").symlink_to(people)
    for report, told in (
        (people, "that is the file to import"),
        (tmp_path / "same.csv", "that is the file to import"),
        (tmp_path, "that is a folder"),
        (Path("/nosuchdir/x.csv"), "cannot be"),
    ):
        said = await journeys("import", str(people), "--report", str(report), url=db.url)
        assert (said.code, told in said.err) == (2, True), said
    assert people.read_text() == text
    assert await db.pool.fetchval("select count(*) from people") == 0, "it is said before anything is done"
    (tmp_path / "report.csv").write_text("an older report")
    said = await journeys("import", str(people), "--report", str(tmp_path / "report.csv"), url=db.url)
    assert said.code == 1
    assert (
        (tmp_path / "report.csv").read_text().startswith("external_id,first_name,import_line,import_reason")
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["people.csv", "report.csv", "same.csv"]
    assert (await journeys("import", str(people), "--report", "/dev/null", url=db.url)).code == 1
    assert Path("/dev/null").is_char_device()
    assert (await journeys("import", LONG, url=db.url)).code == 2
    assert (await journeys("import", str(tmp_path), url=db.url)).code == 2
    said = await journeys("import", str(people), "--catalog", "shoes", "--kind", "events", url=db.url)
    assert (said.code, said.err.splitlines()) == (
        2, ["--kind is for rows about people: it cannot be used with --catalog"]
    )  # fmt: skip
    for folder in (".", "/"):
        for more in ((), ("--catalog", "shoes")):
            said = await journeys("import", folder, *more, url=db.url, cwd=tmp_path)
            assert (said.code, "Is a directory" in said.err) == (2, True), said


async def test_who_is_refused_or_unknown_is_named_as_typed(db: Database) -> None:
    """And an entry that nobody has driven yet is shown for what it is."""
    message = "  - {type: message, id: m, channel: email, template: hello}"
    text = API.replace("[{type: delay, id: d, duration: 1 day}]", f"\n{message}")
    changes = await publish(db, "default", definitions_of(text))
    for person in ("ann", "bob"):
        await db.pool.execute(
            "insert into people (workspace, id, shard, bucket, external_id) "
            "select $1, i, $3, 1, $2 from gen_random_uuid() as i",
            *(changes.workspace, person, 1),
        )
    assert (await journeys("trigger", "byapi", "ann", url=db.url)).code == 0
    said = await journeys("trigger", "byapi", "ann", "ghost", "bob", url=db.url)
    assert (said.code, said.out.strip()) == (1, "1 entered, 1 refused, 1 unknown")
    assert said.err.splitlines() == ["unknown: ghost", "refused: ann: already_entered"]
    shown = await journeys("entries", "ann", url=db.url)
    assert "not started yet; its workflow is not informed yet" in shown.out
    await db.pool.execute("update entries set leaving = 'audience'")
    shown = await journeys("entries", "ann", url=db.url)
    assert "is not informed yet; will leave at the end of the step: audience" in shown.out
    assert "refused by byapi: already_entered" in shown.out
    await db.pool.execute("update entries set step = 'm', begun = entered, leaving = 'exit_event'")
    shown = await journeys("entries", "bob", url=db.url)
    assert re.search(r"in m since .*; will leave at the end of the step: exit_event", shown.out)
