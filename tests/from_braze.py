"""Writes the page for those who come from Braze: each component and setting of a Canvas, and what it is called here."""

from __future__ import annotations

from tests.language import refused

Row = tuple[str, str, str]
"""The word there; the word here; what the checks refuse of it so far, with commas, or nothing."""

COMPONENTS: list[Row] = [
    ("Message", "`type: message`; one channel a step: `email`, `webhook`, or one of another package", ""),
    ("Delay", "`type: delay` with `duration`, `calendar_days`, `until` or `weekdays`", ""),
    ("Decision Split", "`type: decision_split` with `when`, `steps`, `otherwise`", ""),
    ("Audience Paths", "`type: audience_paths`; `otherwise` is Everyone Else", ""),
    ("Action Paths", "`type: action_paths` with `within`; `exit_when` for groups that leave", ""),
    ("Action Paths with ranked groups", "`ranked`", "ActionPaths.ranked: true"),
    ("Action Paths that count from the entry on", "`since`", "ActionPaths.since: entry"),
    ("Experiment Paths", "`type: experiment_paths` with `control`", ""),
    ("Experiment Paths: draw anew at each entry", "`randomized`", "ExperimentPaths.randomized: true"),
    ("Experiment Paths: winning or personalised path", "no key", ""),
    ("Context", "`type: context` with `set`", ""),
    ("User Update", "`type: user_update` with `attributes` and `events`", ""),
    ("Feature Flag", "`type: feature_flag`", "step feature_flag, kind flag"),
    ("Audience Sync", "`type: audience_sync`", "step audience_sync"),
    ("Send To Destination (another Canvas)", "`type: send_to_canvas`", "step send_to_canvas"),
    ("Agent, Content Optimizer", "no step type", ""),
    ("a loop, by copies of steps", "`type: repeat`", "step repeat"),
]
ENTRY: list[Row] = [
    ("Action-based entry", "`schedule: {event: …}`, `{purchase: …}` or `{message: …}`, with `where`", ""),
    (
        "Entry by a changed attribute",
        "`schedule: {attribute: plan, changes_to: pro}`, also `changes`, `changes_from`",
        "",
    ),
    ("Entry by a change of consent", "`schedule: {consent: email, changes_to: unsubscribed}`", ""),
    ("Entry by an added email address", "`schedule: {identifier: email, added: true}`, or `phone`", ""),
    ("API-triggered entry", "`schedule: {api: true}` and `POST /canvas/trigger/send`", ""),
    ("Scheduled entry, at launch", "`schedule: {at_launch: true}`", ""),
    ("Scheduled entry, once", "`schedule: {once: …}`", ""),
    (
        "Scheduled entry, daily, weekly or monthly, in local time",
        "`schedule: {every: …}` with `days`, `weekdays`, `at`, `zone`, `times`",
        "",
    ),
    ("Those who are in the segment at launch", "`existing: include`", "Canvas.existing: include"),
    ("Entry window (start and end time)", "`starts` and `ends` of the schedule", ""),
    (
        "Target audience",
        "`audience`: a filter, with `all`, `any`, `none`; `kind: segment` for named ones",
        "",
    ),
    ("Re-eligibility", "`reentry`: `never`, `after_maximum_duration`, `{after: 30 days}`", ""),
    ("Re-entry while still inside", "`reentry: {after: …, overlap: false}` forbids it", ""),
    ("Entry volume limit", "`entry_limit` for each hour, day or run, or in all", ""),
    ("Several entries side by side, one an order", "`key`, and `{entry: key}` in filters", ""),
    (
        "Filter: in a subscription group",
        "`{subscription: newsletter, equals: subscribed}`",
        "",
    ),
    ("Filter: is in a Canvas", "`{in_canvas: …}`", "filter in_canvas"),
    ("Filter: location", "`{near: …}`", "filter near"),
    ("Filter: random bucket", "`{bucket: [0, 4999]}`", ""),
]
COURSE: list[Row] = [
    ("Exit criteria by event", "`exits: [{event: …}]`, at once, or `release: end_of_step`", ""),
    (
        "Exits, conversions, Action Paths by a change",
        "the same words as for the entry ([changes](changes.md))",
        "",
    ),
    ("Exit criteria by audience", "`exits: [{audience: …}]`, at the end of each step", ""),
    ("Conversion events, up to four", "`conversions` with `within`; `revenue` names a property", ""),
    ("Variants and control group", "`variants`, one of them with `control: true`", ""),
    ("Winning variant, Intelligent Selection", "no key", ""),
    ("Global Control Group", "`global_control` of `kind: workspace`", ""),
    (
        "Canvas entry properties, context",
        "`context`: `{{context.${name}}}`, and `{context: name}` in filters",
        "",
    ),
    ("Custom attributes that are declared", "`kind: attributes`", "kind attributes"),
    ("Data sources, Cloud Data Ingestion", "`kind: source`", "kind source"),
    ("Campaigns", "`kind: campaign`", "kind campaign"),
]
SENDING: list[Row] = [
    ("Subscription settings", "`send: {subscription: opted_in}`, `subscribed` or `all`", ""),
    ("Frequency capping", "`kind: caps`, `send: {caps: ignore}`", "kind caps, Sending.caps: ignore"),
    ("Quiet hours", "`send: {quiet_hours: …}`, `kind: quiet_hours`", "Sending.quiet_hours, kind quiet_hours"),
    ("Rate limiting", "`send: {rate: …}`", "Sending.rate"),
    ("Intelligent Timing", "`at: best_time` with `fallback`", ""),
    ("Delivery at a local time", '`at: "18:00"` of a message', ""),
    ("Delivery validations", "`only_when` and `on_fail`", ""),
    ("Paths by the outcome of a message", "`outcomes` of a message", "Message.outcomes"),
    ("Sending domains and addresses by domain", "`kind: sending_domain`; a `sender` a template or workspace", "kind sending_domain"),
    ("Email, webhook", "`kind: template` with `channel: email` or `channel: webhook`", ""),
    ("Push, SMS, WhatsApp, in-app, Content Cards", "channels of other packages ([how](extending/channel.md))", ""),
    ("Content Blocks, Catalogs, Promotion codes", "the same words ([catalogs](catalogs.md))", ""),
    ("Liquid, Connected Content", "the same language ([templates](liquid.md))", ""),
]  # fmt: skip
WORK: list[Row] = [
    (
        "Draft, Active, Stopped, Archived",
        "`journeys publish --draft`; `journeys publish`; `journeys canvas stop`, `resume`, `archive` (`pause` is new)",
        "",
    ),
    ("Preview and test", "`journeys preview`, `journeys simulate`, `journeys render`", ""),
    ("Canvas analytics", "`journeys report`", ""),
    ("User search", "`journeys person`, `journeys entries`", ""),
    ("Changes after launch", "whoever is inside goes on by the plan they entered with", ""),
]
CHAPTERS = {
    "Components": COMPONENTS, "Entry": ENTRY, "Exits, conversions, variants": COURSE,
    "Sending": SENDING, "Day by day": WORK,
}  # fmt: skip


def spoken_of() -> set[str]:
    """What the tables say is refused so far."""
    return {one for rows in CHAPTERS.values() for row in rows for one in row[2].split(", ") if one}


def page() -> str:
    """The page. What is not built yet is what the checks refuse: a test holds them together."""
    later = refused()
    lines = [
        "# From Braze", "",
        "Made by `make docs`. Each component and setting of a Canvas, what it is called here, and whether this version has it:",
        "where it says “not yet”, `journeys validate` refuses the word with J108. [The language](canvas.md) has each key.", "",
    ]  # fmt: skip
    for chapter, rows in CHAPTERS.items():
        lines += [f"## {chapter}", "", "| in Braze | here | state |", "|---|---|---|"]
        for there, here, words in rows:
            absent = here.startswith("no ")
            state = (
                "not yet" if any(one in later for one in words.split(", ")) else "–" if absent else "built"
            )
            lines.append(f"| {there} | {here} | {state} |")
        lines.append("")
    return "\n".join(lines)
