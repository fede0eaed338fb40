"""CSV import on a real database: wrong rows are reported and affect no other; a repetition has no effect."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.engine.intake.csv_import import Imported, Unusable, first_rows, import_file
from journeys.engine.intake.csv_rows import LONGEST_ROW, Quoted, bounded_lines, rows
from journeys.engine.intake.track import track
from journeys.engine.people.profiles import load
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from tests.stage import MONDAY, Stage, canvas, definitions_of, stage_on

STORY = canvas("  - {type: delay, id: wait, duration: 1 day}")


class Sheet:
    """A stage, and a folder with a file to import."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.path = folder / "people.csv"
        self.report = folder / "refused.csv"

    async def takes(self, content: str | bytes, **more: Any) -> Imported:
        raw = content.encode() if isinstance(content, str) else content
        self.path.write_bytes(raw)
        parts = (
            self.stage.db,
            self.stage.published,
            self.stage.clock,
            self.stage.alarm_sync,
            self.stage.alarm_sync,
        )
        return await import_file(parts, self.stage.workspace, self.path, report=self.report, **more)

    async def attributes(self, external_id: str = "mel") -> Any:
        return await self.stage.db.pool.fetchval(
            "select attributes from people where external_id = $1", external_id
        )

    async def person(self, external_id: str = "mel") -> Any:
        return await self.stage.db.pool.fetchrow("select * from people where external_id = $1", external_id)


@pytest.fixture
async def sheet(db: Database, tmp_path: Path) -> Sheet:
    return Sheet(await stage_on(db, STORY), tmp_path)


async def test_a_row_says_the_state_in_one_subscription_group(sheet: Sheet) -> None:
    """CSV-5"""
    group = "kind: subscription_group\nformat: 1\nname: news\nchannel: email\n"
    await publish(sheet.stage.db, "default", definitions_of(group))
    sheet.stage.published.forget(sheet.stage.workspace)
    result = await sheet.takes(
        "external_id,subscription_group_id,subscription_state\nmel,news,subscribed\nkim,,\nsam,news,maybe\n"
    )

    rows = await sheet.stage.db.pool.fetch("select name, state from subscriptions")
    assert [tuple(row) for row in rows] == [("news", "subscribed")]
    assert any("'subscription_state' must be" in reason for _, reason in result.warnings)


async def test_columns_become_standard_and_custom_attributes(sheet: Sheet) -> None:
    """CSV-3, CSV-4: exact names are fields, all else custom attributes, by the look of the cell."""
    result = await sheet.takes(
        "external_id,first_name,time_zone,country,size,vip,score,note\n"
        'mel,Mel,Europe/Paris,France,38,true,1.5,"runs, a lot"\n'
    )

    assert (result.rows, result.taken, result.created, result.updated, result.refusals) == (1, 1, 1, 0, 0)
    mel = await sheet.person()
    assert (mel["first_name"], mel["zone"], mel["country"]) == ("Mel", "Europe/Paris", "FR")
    assert mel["attributes"] == {"size": 38, "vip": True, "score": 1.5, "note": "runs, a lot"}


@pytest.mark.parametrize(
    "time", ["2026-12-01 09:00:00", "12/01/2026", "Tue 12 01 09:00:00 2026", "2026-12-01T09:00:00:250Z"]
)
@pytest.mark.parametrize("way", ["api", "csv", "update", "context"])
async def test_times_in_other_forms_are_read_however_they_came(
    db: Database, tmp_path: Path, time: str, way: str
) -> None:
    """ATT-6: an attribute by a call, a file or a user update; a variable of the context, which becomes ISO 8601."""
    steps = f"""
  - {{type: user_update, id: u, attributes: {{updated: "{time}", dob: "{time}"}}}}
  - {{type: context, id: c, set: [{{name: context, type: time, value: "{time}"}}]}}
  - {{type: decision_split, id: s, when: {{{"context: context" if way == "context" else f"attribute: {'updated' if way == 'update' else 'joined'}"}, before: 2026-12-02}}, steps: [{{type: delay, id: fits, duration: 1 day}}]}}
"""
    stage = await stage_on(db, canvas(steps))
    sheet = Sheet(stage, tmp_path)
    if way == "csv":
        assert (
            await sheet.takes(f"external_id,joined,date_of_first_session\nmel,{time},{time}\n")
        ).refusals == 0
    else:
        said = {"external_id": "mel", "joined": time, "date_of_first_session": time}
        tracked = await track(db, stage.published, stage.clock, stage.alarm_sync, stage.alarm_sync, stage.workspace, {"attributes": [said]})  # fmt: skip
        assert tracked.warnings == []
    row = await sheet.person()
    [entry] = await stage.enter((await load(db.pool, stage.workspace, [row["id"]]))[row["id"]])
    await stage.burst(entry)

    assert (await stage.path(entry))[-1] == "fits"
    assert (await sheet.person())["standard"]["dob"] == "2026-12-01"


async def test_an_empty_cell_changes_nothing(sheet: Sheet) -> None:
    """CSV-4"""
    await sheet.takes("external_id,size,colour\nmel,38,red\n")
    result = await sheet.takes("external_id,size,colour\nmel,  ,blue\n")
    result = await sheet.takes("external_id,size,colour\nmel,,blue\n")

    assert await sheet.attributes() == {"size": 38, "colour": "blue"}
    assert (result.created, result.updated) == (0, 1)


async def test_a_number_with_a_leading_zero_stays_text(sheet: Sheet) -> None:
    """D11: it is no octal number; and it is said."""
    result = await sheet.takes("external_id,postcode,size\nmel,0130,38\n")

    assert await sheet.attributes() == {"postcode": "0130", "size": 38}
    assert result.warnings == [(2, "postcode: “0130” begins with a zero and is kept as text")]


async def test_what_stands_in_quotes_is_text(sheet: Sheet) -> None:
    """CSV-4"""
    await sheet.takes('external_id,a,b\nmel,"38",38\n')

    assert await sheet.attributes() == {"a": "38", "b": 38}


async def test_wrong_rows_are_reported_with_line_and_reason_and_sink_no_other(sheet: Sheet) -> None:
    """CSV-1, CSV-7, D10: cells missing, a stray quote, a wrong address, bytes that are no text, nobody named."""
    result = await sheet.takes(
        b"external_id,email,size\n"
        b"a,a@example.com,1\n"
        b"b,b@example.com\n"
        b'c,c@exam"ple.com,1\n'
        b"\n"
        b"d,not an address,1\n"
        b"e,e@example.com,\xff\n"
        b",,1\n"
        b"f,f@example.com,2"
    )

    assert (result.rows, result.taken, result.refusals) == (7, 2, 5)
    assert sorted(result.refused) == [
        (3, "the row has 2 cells, the header 3"),
        (4, "a quote is within cell 2; write it twice, and the cell in quotes"),
        (6, "The value provided for the 'email' field is not a valid email."),
        (7, "the row is not UTF-8"),
        (
            8,
            "the row identifies no person: external_id, user_alias_name, user_alias_label, braze_id, email or phone is needed",
        ),
    ]
    assert len(sheet.report.read_text().splitlines()) == 6


async def test_the_report_can_be_mended_and_imported(sheet: Sheet) -> None:
    """CSV-7: it has the columns of the file, and two more that an import does not read."""
    await sheet.takes('external_id,email,note\nmel,not an address,"007"\n')
    storable = sheet.report.read_text().replace("not an address", "mel@example.com")
    result = await sheet.takes(storable)

    assert (result.taken, result.refusals) == (1, 0)
    assert (await sheet.person())["email"] == "mel@example.com"
    assert await sheet.attributes() == {"note": "007"}


async def test_without_a_refused_row_there_is_no_report(sheet: Sheet) -> None:
    """CSV-7"""
    await sheet.takes("external_id\nmel\n")

    assert not sheet.report.exists()


async def test_of_two_rows_of_one_person_the_last_wins(sheet: Sheet) -> None:
    """CSV-2"""
    await sheet.takes("external_id,size\nmel,37\nmel,38\n")

    assert await sheet.attributes() == {"size": 38}


async def test_people_are_found_by_alias_address_or_phone(sheet: Sheet) -> None:
    """CSV-2, in the order of strength; an unknown one is made."""
    await sheet.takes("user_alias_name,user_alias_label,size\nm,crm,1\n")
    await sheet.takes("user_alias_name,user_alias_label,size\nm,crm,2\n")
    await sheet.takes("email,size\nMel@Example.com,3\n")
    await sheet.takes("email,size\nmel@example.com,4\n")
    await sheet.takes("phone,size\n+49 30 901820,5\n")

    found = await sheet.stage.db.pool.fetch("select attributes->'size' as size from people order by id")
    assert [row["size"] for row in found] == [2, 4, 5]


async def test_an_import_by_alias_leaves_identified_people_alone(sheet: Sheet) -> None:
    """CSV-2"""
    await sheet.takes("user_alias_name,user_alias_label,size\nm,crm,1\n")
    await sheet.stage.db.pool.execute("update people set external_id = 'mel'")
    result = await sheet.takes("user_alias_name,user_alias_label,size\nm,crm,2\n")

    assert result.refused == [(2, "the alias belongs to a person who has an external id")]
    assert await sheet.attributes() == {"size": 1}


async def test_nobody_is_made_for_a_braze_id(sheet: Sheet) -> None:
    """CSV-2, IDN-7"""
    await sheet.takes("external_id\nmel\n")
    mel = await sheet.person()
    result = await sheet.takes(f"braze_id,size\n{mel['id']},38\nnobody,39\n")

    assert result.refused == [(3, "there is no person with this braze_id")]
    assert await sheet.attributes() == {"size": 38}
    assert await sheet.stage.db.pool.fetchval("select count(*) from people") == 1


EVENTS = (
    "external_id,name,time,liked.properties.article,bought.properties.price\n"
    "mel,liked,2026-12-07T08:00:00Z,running,\n"
    "mel,bought,2026-12-07T08:05:00Z,,99.5\n"
)


async def test_events_come_with_the_properties_of_their_columns(sheet: Sheet) -> None:
    """CSV-6"""
    result = await sheet.takes(EVENTS, kind="events")

    assert (result.taken, result.refusals) == (2, 0)
    found = await sheet.stage.db.pool.fetch("select name, properties from events order by no")
    assert [tuple(row) for row in found] == [("liked", {"article": "running"}), ("bought", {"price": 99.5})]


async def test_importing_events_again_stores_nothing_twice(sheet: Sheet) -> None:
    """A row is known by the file up to it, also where the file has grown; like rows are two events (EVT-5)."""
    like = EVENTS + EVENTS.splitlines()[1] + "\n"
    await sheet.takes(like, kind="events")
    await sheet.takes(like, kind="events")
    await sheet.takes(like.replace("\n", "\r\n") + "zoe,liked,2026-12-07T08:00:00Z,yoga,\r\n", kind="events")

    assert await sheet.stage.db.pool.fetchval("select count(*) from events") == 4


async def test_the_rows_of_another_file_are_other_events_but_for_their_ids(sheet: Sheet) -> None:
    """EVT-5"""
    head, row = "external_id,name,time,event_id\n", "mel,liked,2026-12-07T08:00:00Z,"
    await sheet.takes(head + row + "\n" + row + "7\n", kind="events")
    await sheet.takes(head + row + "7\n" + row + "\n", kind="events")

    assert await sheet.stage.db.pool.fetchval("select count(*) from events") == 3


async def test_a_stopped_import_says_how_far_it_came_and_goes_on_there(sheet: Sheet) -> None:
    """CSV-7: after the batch at hand, never within it."""
    content = "external_id,size\n" + "".join(f"p{n},{n}\n" for n in range(1200))
    stop = asyncio.Event()
    told: list[int] = []

    def progress(read: int) -> None:
        told.append(read)
        stop.set()

    first = await sheet.takes(content, progress=progress, stop=stop)
    assert (first.stopped, first.taken, first.line) == (True, 500, 501)
    second = await sheet.takes(content, after_line=first.line)

    assert (second.stopped, second.taken, second.created) == (False, 700, 700)
    assert await sheet.stage.db.pool.fetchval("select count(*) from people") == 1200
    [read] = told
    assert 500 < read <= len(content)


async def test_look_alikes_mixed_types_and_html_are_warned_of_once(sheet: Sheet) -> None:
    """CSV-3, CSV-4, CSV-9: stored as they are, and said."""
    result = await sheet.takes(
        "external_id,First_name,size,bio_text\nmel,Mel,38,<script>x</script>\nzoe,Zoe,large,<b>\nann,Ann,small,<script>\n"
    )

    assert [text for _, text in result.warnings] == [
        "the column First_name becomes a custom attribute; did you mean first_name?",
        "bio_text contains HTML; it is stored unchanged",
        "size was number so far and is text here: “large”",
    ]
    assert (await sheet.attributes())["bio_text"] == "<script>x</script>"


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        ("", "attributes", "is empty"),
        ("first_name\nMel\n", "attributes", "no column identifies a person"),
        ("external_id;email\nmel;x\n", "attributes", "something other than a comma"),
        ("external_id,size,size\n", "attributes", "“size” appears twice"),
        ("external_id,,size\n", "attributes", "a column has no name"),
        ("user_alias_name,size\n", "attributes", "needs both"),
        ("external_id,user_alias_name,user_alias_label\n", "attributes", "cannot be in one file"),
        ("external_id,name\n", "events", "needs the column “time”"),
        (b"\xff\xfee\x00x\x00", "attributes", "not UTF-8"),
    ],
)
async def test_what_can_be_no_import_is_refused_with_its_reason(
    sheet: Sheet, content: str | bytes, kind: Any, reason: str
) -> None:
    """CSV-1, CSV-2"""
    with pytest.raises(Unusable, match=reason):
        await sheet.takes(content, kind=kind)


async def test_a_file_that_is_not_there_is_refused_with_its_name(sheet: Sheet) -> None:
    parts = (
        sheet.stage.db,
        sheet.stage.published,
        sheet.stage.clock,
        sheet.stage.alarm_sync,
        sheet.stage.alarm_sync,
    )
    with pytest.raises(Unusable, match=r"nowhere\.csv cannot be read"):
        await import_file(parts, sheet.stage.workspace, Path("nowhere.csv"))


async def test_what_is_dropped_of_a_row_is_told_with_its_line(sheet: Sheet) -> None:
    """CSV-3, CSV-7: and a row that is refused is refused once, with all that is wrong with it."""
    result = await sheet.takes(
        "external_id,email,country,time_zone,email_subscribe\n"
        "mel,mel@example.com,FRA,Mars/City,\n"
        "zoe,nowhere,FRA,,yes\n"
    )

    assert result.warnings == [
        (2, "'country' has a value that is not known, 'FRA': the person has none now"),
        (2, "'time_zone' has a value that is not known, 'Mars/City': it was not changed"),
    ]
    [(line, reason)] = result.refused
    assert (line, result.refusals, len(sheet.report.read_text().splitlines())) == (3, 1, 2)
    assert [part.split("'")[1] for part in reason.split("; ")] == ["email_subscribe", "email", "country"]
    assert reason.endswith("'country' has a value that is not known, 'FRA'")  # nothing of it is written


@pytest.mark.parametrize("kind", ["attributes", "events"])
async def test_a_preview_says_what_would_come_of_a_file_and_writes_nothing(sheet: Sheet, kind: Any) -> None:
    """CSV-7: who would be created and updated, what refused and warned of, as the import then does; no report either."""
    await sheet.takes("external_id,size\nmel,38\n")
    before = [
        await sheet.stage.db.pool.fetch(f"select * from {table}")
        for table in ("people", "events", "entries", "seen")
    ]
    content = "external_id,First_name,name,time\nmel,Mel,e,2026-12-01\nzoe,Zoe,e,soon\nann,Ann\nann,Ann,e,2026-12-01\n"
    seen = await sheet.takes(content, kind=kind, preview=True)

    assert before == [
        await sheet.stage.db.pool.fetch(f"select * from {table}")
        for table in ("people", "events", "entries", "seen")
    ]
    assert not sheet.report.exists()
    assert (seen.rows, seen.created, seen.updated) == (4, 1 if kind == "events" else 2, 1)
    assert seen == await sheet.takes(content, kind=kind)
    assert sheet.report.exists()


async def test_a_preview_looks_at_the_first_five_hundred_rows(sheet: Sheet) -> None:
    """CSV-7"""
    content = "external_id,size\n" + "".join(f"p{n},{n}\n" for n in range(1200))
    seen = await sheet.takes(content, preview=True)

    assert (seen.rows, seen.created, seen.stopped) == (500, 500, False)
    assert await sheet.stage.db.pool.fetchval("select count(*) from people") == 0


def test_a_preview_shows_the_first_rows_as_they_would_be_written(tmp_path: Path) -> None:
    """CSV-7"""
    path = tmp_path / "a.csv"
    path.write_text("\ufeffexternal_id,size\r\nmel,38\r\nzoe\r\nann,1\r\n", encoding="utf-8")

    assert first_rows(path, count=2) == [
        {"external_id": "mel", "size": 38},
        {"line": 3, "refused": "the row has 1 cells, the header 2"},
    ]


async def test_the_instant_of_an_event_may_not_lie_ahead(sheet: Sheet) -> None:
    """EVT-1"""
    await sheet.takes("external_id,name,time\nmel,liked,2030-01-01\n", kind="events")

    assert await sheet.stage.db.pool.fetchval("select at from events") == MONDAY


def test_an_unclosed_quote_does_not_swallow_the_memory() -> None:
    """Memory stays flat; the row is given up after a megabyte."""
    tracemalloc.start()
    count = sum(1 for _ in rows(['"never closed\n', *("x" * 99 + "\n" for _ in range(200_000))]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count > 100_000
    assert peak < 60_000_000


CELLS = st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")), min_size=2, max_size=4), max_size=5)  # fmt: skip


@given(CELLS)
def test_rows_written_in_quotes_are_read_as_they_were(table: list[list[str]]) -> None:
    """RFC 4180"""
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in table)

    found = list(rows(_lines(text)))
    assert [list(row.cells) for row in found] == table
    assert all(isinstance(cell, Quoted) for row in found for cell in row.cells)


def _lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")[:-1]]


@given(st.text(max_size=300))
def test_no_text_whatever_makes_the_reader_fail(text: str) -> None:
    """Each row is read, or refused with its line."""
    for row in rows(text.splitlines(keepends=True)):
        assert row.line >= 1
        assert row.cells or row.wrong


def test_a_line_however_long_takes_no_more_than_its_own_room() -> None:
    """CSV-1: an open quote in a line of five megabytes is refused, and not looked through sign by sign."""
    long = 'a,"' + "x" * 5_000_000 + "\n"
    near = 'a,"' + "x" * (LONGEST_ROW - 100) + '"\n'
    tracemalloc.start()
    found = list(rows(["h,i\n", long, "1,2\n", "," * 2_000_000 + "\n", near, "3,4\n"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [one.wrong and one.wrong[:18] for one in found] == [
        None,
        "a row has more tha",
        None,
        "a row has more tha",
        None,
        None,
    ]
    assert [one.line for one in found] == [1, 2, 3, 4, 5, 6]
    assert peak < 40 * 1024 * 1024


def test_a_line_that_is_far_too_long_is_not_held_as_a_whole(tmp_path: Path) -> None:
    """CSV-1: as a file has it; the row after it is read."""
    path = tmp_path / "long.csv"
    for begin in ('a,"', "a,b", '"'):
        with path.open("w") as file:
            file.write("h,i\n")
            file.write(begin)
            for _ in range(60):
                file.write("x" * 1_000_000)
            file.write("\n1,2\n")
        tracemalloc.start()
        with path.open(encoding="utf-8") as file:
            found = list(rows(bounded_lines(file)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [(one.line, one.wrong is None) for one in found] == [(1, True), (2, False), (3, True)]
        assert peak < 20 * 1024 * 1024


async def test_a_file_of_very_many_columns_is_refused(sheet: Sheet) -> None:
    """CSV-1: to compare each with each would take as long as one likes."""
    with pytest.raises(Unusable, match="has 100001 columns; at most 1000"):
        await sheet.takes("external_id," + ",".join(f"c{n}" for n in range(100_000)) + "\n")
