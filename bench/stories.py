"""The three journeys, as canvases. A day lasts some real seconds."""

from __future__ import annotations

from journeys.canvas.yaml_definitions import Definitions, read_text

DAY = 1.0
"""Real seconds that a day lasts."""
COUNTED_DAY = 8.0
"""The same where statements and events are counted: an entry that is late goes through what has passed in one burst, and
needs fewer, so that a busy machine would seem to need least."""

MAIL = """
---
kind: template
format: 1
name: mail
channel: email
sender: {name: The Desk, address: desk@example.com}
subject: "Hello {{${first_name}}}"
html: |
  <p>Dear {{${first_name} | default: 'reader'}}, see <a href="https://example.com/a">this</a>.</p>
  <p><a href="{{${set_user_to_unsubscribed_url}}}">Unsubscribe</a></p>
"""

TEMPLATE = (
    MAIL
    + """---
kind: template
format: 1
name: hook
channel: webhook
url: "URL/hook"
body: {person: "{{ ${user_id} }}", step: "{{ campaign.${name} }}"}
"""
)

HEAD = "kind: canvas\nformat: 1\nname: NAME\nschedule: {api: true}\nreentry: {after: 0 days}\nsteps:\n"
SPLIT = "when: {attribute: even, equals: true}"

STORIES = {
    "j1": HEAD + "  - {type: message, id: mail, channel: email, template: mail}\n",
    "j2": HEAD
    + f"""  - {{type: delay, id: day, duration: ONE_DAY}}
  - type: decision_split
    id: split
    {SPLIT}
    steps: [{{type: message, id: mail, channel: email, template: mail}}]
    otherwise: [{{type: message, id: hook, channel: webhook, template: hook}}]
""",
    "j3": HEAD.replace("steps:", "conversions: [{name: c, event: bought, within: 1 day}]\nsteps:")
    + f"""  - {{type: message, id: first, channel: email, template: mail}}
  - {{type: delay, id: day, duration: ONE_DAY}}
  - type: action_paths
    id: watch
    within: 1 hour
    paths: [{{name: liked, triggers: [{{event: liked}}]}}]
  - type: decision_split
    id: split
    {SPLIT}
  - {{type: message, id: second, channel: email, template: mail}}
  - {{type: delay, id: two_days, duration: TWO_DAYS}}
  - type: experiment_paths
    id: offer
    paths: [{{name: a, weight: 50}}, {{name: b, weight: 50}}]
  - {{type: message, id: third, channel: email, template: mail}}
""",
}
MESSAGES = {"j1": 1, "j2": 1, "j3": 3, "wait": 1, "wake": 1}
"""Messages that each journey sends; `wait` and `wake` are stories of the plain side alone."""


def story(name: str, url: str, *, alone: bool = False, day: float = DAY) -> str:
    """The definitions of a journey. `alone`: each entry has a workflow of its own, though many come in one call."""
    text = STORIES[name].replace("NAME", name) + TEMPLATE.replace("URL", url)
    text = text.replace("ONE_DAY", f"{day:g} seconds").replace("TWO_DAYS", f"{2 * day:g} seconds")
    return text.replace("reentry:", "workflow: always\nreentry:", 1) if alone else text


def definitions_of(text: str) -> Definitions:
    """The definitions of a text, which must be right."""
    made = Definitions()
    found, problems = read_text(text)
    assert not problems, problems
    for one in found:
        made.add(one)
    return made
