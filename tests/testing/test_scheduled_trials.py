"""Schedules by the clock in a trial: whole audiences come at each occurrence, in virtual time, by the gates of production."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from journeys.testing import Impossible, Trial, journey
from tests.stage import EMAIL, canvas

MAIL = "  - {type: message, id: hello, channel: email, template: hello}"
DAILY = '{every: day, at: "10:00"}'
MONDAY = datetime(2026, 12, 7, 9, tzinfo=UTC)
TEN = MONDAY.replace(hour=10)
GROUP = "---\nkind: workspace\nformat: 1\nname: default\nglobal_control: {share: 15, except_tags: [vital]}\n"


def trial_of(schedule: str, more: str = "", *, steps: str = MAIL, given: str = "", **said: object) -> Trial:
    return journey(canvas(steps, schedule=schedule, more=more) + EMAIL + given, starts=MONDAY, **said)  # type: ignore[arg-type]


def test_the_whole_audience_comes_at_each_occurrence_by_the_gates_of_production() -> None:
    """ENT-6, CTL-1: who was in is kept out, and who qualifies later waits for the next."""
    trial = trial_of(DAILY, "audience: {attribute: likes, equals: running}", occurrences=3)
    mel = trial.person(external_id="mel", email="mel@example.com", likes="running")
    kim = trial.person(external_id="kim", email="kim@example.com").sets(likes="running", after="1 day")
    ann = trial.person(external_id="ann", email="ann@example.com", likes="chess")
    trial.run()

    first, second, third = trial.occurrences()
    assert (first.no, first.at, first.entered, first.refused) == (1, TEN, ["mel"], Counter())
    assert (second.entered, second.refused) == (["kim"], Counter(already_entered=1))
    assert (third.entered, third.refused) == ([], Counter(already_entered=2))
    assert [mel.story.entered, kim.story.entered] == [TEN, TEN + timedelta(days=1)]
    assert (ann.story.entered, ann.refusals()) == (None, []), "who is not in the audience does not come"
    assert [each.at for each in trial.messages] == [TEN, TEN + timedelta(days=1)]


def test_what_happens_at_the_very_instant_counts_and_the_past_does_too() -> None:
    """ENT-6: a win-back by what people did, asked at each occurrence."""
    lapsed = "{all: [{event: ordered}, {none: [{event: ordered, within_last: 2 days}]}]}"
    trial = trial_of(DAILY, f"audience: {lapsed}\nreentry: {{after: 30 days}}")
    trial.person(external_id="long ago").does("ordered", after="-9 days")
    trial.person(external_id="after ten").does("ordered", at=TEN + timedelta(minutes=1))
    trial.person(external_id="never")
    trial.run(until="4 days")

    assert [each.entered for each in trial.occurrences()] == [["long ago"], [], [], ["after ten"]]

    trial = trial_of(DAILY, "audience: {event: ordered}", occurrences=1)
    assert trial.person().does("ordered", at=TEN).run().entered == TEN


def test_a_run_at_launch_lets_in_who_does_something_as_the_trial_begins() -> None:
    """ENT-4, case 10: launched at 09:03, it runs at 09:00, and delays count from there."""
    steps = "  - {type: delay, id: wait, duration: 1 hour}\n" + MAIL
    trial = journey(
        canvas(steps, schedule="{at_launch: true}", more="audience: {event: asked}") + EMAIL,
        starts=MONDAY + timedelta(minutes=3),
    )
    mel = trial.person(email="mel@example.com").does("asked")
    assert mel.run().entered is None, "they asked after 09:00"
    trial = journey(
        canvas(steps, schedule="{at_launch: true}", more="audience: {event: asked}") + EMAIL, starts=MONDAY
    )
    story = trial.person(email="mel@example.com").does("asked").run()
    assert (story.entered, story.reached("hello")) == (MONDAY, TEN)


def test_each_run_has_its_own_places() -> None:
    """CTL-7: those who enter are the first by their ids, the same in each trial."""
    trial = trial_of(DAILY, "entry_limit: {entries: 2, per: run}\nreentry: {after: 0 days}", occurrences=2)
    names = [trial.person().name for _ in range(5)]
    trial.run()

    first, second = trial.occurrences()
    assert (len(first.entered), first.refused) == (2, Counter(entry_limit=3))
    assert first.entered == second.entered and set(first.entered) <= set(names)


def test_a_schedule_without_an_end_needs_one_from_the_test() -> None:
    """Up to an instant, or so many occurrences; one that ends by itself needs neither."""
    with pytest.raises(Impossible, match=r"the schedule of “story” has no end: say run\(until=…\)"):
        trial_of(DAILY).run()
    for schedule, count in (
        ('{every: day, at: "10:00", times: 2}', 2),
        ('{every: day, at: "10:00", ends: 2026-12-10T00:00}', 3),
        ("{once: 2026-12-09T10:00}", 1),
        ("{event: signed_up}", 0),
    ):
        trial = trial_of(schedule)
        trial.run()
        assert len(trial.occurrences()) == count
    with pytest.raises(Impossible, match="the API lets no one into “story”"):
        trial_of(DAILY).person().enters()


def test_a_run_that_an_outage_holds_up_until_the_next_is_due_is_missed() -> None:
    """By one clock for everybody, and by each person's own for the zones whose next time has come."""
    trial = trial_of(DAILY, "reentry: {after: 0 days}", occurrences=3)
    trial.person(external_id="mel", email="mel@example.com")
    trial.outage("24 hours", at=TEN)
    trial.run()

    assert [(each.no, each.missed, each.entered) for each in trial.occurrences()] == [
        (1, True, []),
        (2, False, ["mel"]),
        (3, False, ["mel"]),
    ]


def test_by_local_time_each_comes_once_at_their_own_hour() -> None:
    """ENT-2, ENT-8, cases 11 and 13: whoever moves is in once, whose hour has passed is out, no zone means the company's."""
    trial = trial_of("{once: 2026-12-09T10:00, zone: local}", "audience: {attribute: plan, equals: pro}")
    tokyo = trial.person(time_zone="Asia/Tokyo", plan="pro").sets(
        time_zone="America/New_York", at="2026-12-09T02:00Z"
    )
    nowhere = trial.person(plan="pro")
    late = trial.person(time_zone="America/New_York", plan="pro").sets(
        time_zone="Asia/Tokyo", at="2026-12-09T02:00Z"
    )
    gone = trial.person(time_zone="Europe/Paris", plan="pro").sets(plan="free", at="2026-12-09T08:59Z")
    far = trial.person(time_zone="Etc/GMT-14", plan="pro").sets(time_zone="Etc/GMT+12", after="1 hour")
    trial.run()

    assert tokyo.story.entered == datetime(2026, 12, 9, 1, tzinfo=UTC)
    assert len(tokyo.stories()) == 1
    assert nowhere.story.entered == datetime(2026, 12, 9, 10, tzinfo=UTC)
    assert (late.story.entered, gone.story.entered) == (None, None)
    assert far.story.entered == datetime(2026, 12, 9, 22, tzinfo=UTC)


def test_a_local_occurrence_that_an_outage_holds_up_is_for_those_whose_next_has_not_come() -> None:
    trial = trial_of('{every: day, at: "12:00", zone: local}', "reentry: {after: 0 days}", occurrences=2)
    trial.person(external_id="tokyo", time_zone="Asia/Tokyo")
    trial.person(external_id="lima", time_zone="America/Lima")
    trial.outage("24 hours", at="2026-12-07T10:00Z")
    trial.run()

    first, second = trial.occurrences()
    assert (first.entered, sorted(second.entered)) == (["lima"], ["lima", "tokyo"])


@pytest.mark.parametrize(
    ("tags", "bucket_in", "entered"),
    [("", False, 1), ("", True, 0), ("tags: [vital]", True, 1)],
    ids=["somebody else", "case 18", "case 19"],
)
def test_the_global_control_group_stays_out_but_where_a_tag_lets_it_in(
    tags: str, bucket_in: bool, entered: int
) -> None:
    """AUD-2, GCG-3, cases 18 and 19: by event and by the clock."""
    for schedule in ("{event: ping}", "{once: 2026-12-09T10:00}"):
        trial = trial_of(schedule, tags, given=GROUP)
        publication = trial._world.publication
        plain = trial_of(schedule, given=GROUP)._world.publication
        group = plain.held_out(plain.running["story"].plan)
        bucket = min(group) if bucket_in else min(set(range(10_000)) - group)
        assert bool(publication.held_out(publication.running["story"].plan)) is not bool(tags)
        mel = trial.person(bucket=bucket).does("ping")
        trial.run()
        assert len([one for one in mel.stories() if one.entered]) == entered
        assert mel.refusals() == ([] if entered else ["global_control"])


def test_of_a_limit_of_five_thousand_a_day_the_next_one_waits_for_tomorrow() -> None:
    """Case 17, CTL-7: by event."""
    trial = trial_of("{event: ping}", "entry_limit: {entries: 5, per: day}", steps=MAIL)
    people = [trial.person().does("ping", after=timedelta(minutes=n)) for n in range(6)]
    tomorrow = trial.person().does("ping", after="1 day")
    trial.run()

    assert [one.story.refused for one in people] == [None] * 5 + ["entry_limit"]
    assert tomorrow.story.entered is not None


def test_a_later_entry_by_api_that_comes_to_a_wait_for_the_same_message_leaves() -> None:
    """Case 27, CTL-9"""
    steps = "  - {type: delay, id: wait, duration: 2 days}\n" + MAIL
    trial = trial_of("{api: true}", "reentry: {after: 0 days}", steps=steps)
    mel = trial.person(email="mel@example.com").enters().enters(after="1 day")
    trial.run()

    assert [one.end for one in mel.stories()] == ["completed", "already_waiting"]
    assert len(trial.messages) == 1
