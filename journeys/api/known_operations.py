"""The operations of Braze's API, so that a call of one that is not built here is answered with what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.routing import BaseRoute, Route

Row = tuple[str, str, str]
"""The methods, with spaces; the path, with `{…}` for what differs from call to call; what it is for."""

CHAPTERS: Mapping[str, tuple[Row, ...]] = MappingProxyType({
    "People": (
        ("POST", "/users/track", "attributes, events and purchases of people"),
        ("POST", "/users/track/bulk", "the same, for larger loads"),
        ("POST", "/users/track/sync", "the same, with an answer that waits until all is done"),
        ("POST", "/users/identify", "make people of aliases, addresses or numbers identified ones"),
        ("POST", "/users/alias/new", "give people aliases, or make people who have nothing but one"),
        ("POST", "/users/alias/update", "rename aliases"),
        ("POST", "/users/merge", "make one person of two"),
        ("POST", "/users/external_ids/rename", "give people new external ids, beside the former ones"),
        ("POST", "/users/external_ids/remove", "remove former external ids"),
        ("POST", "/users/delete", "delete people"),
        ("POST", "/users/export/ids", "what is known of certain people"),
        ("POST", "/users/export/segment", "what is known of the people of a segment"),
        ("POST", "/users/export/global_control_group", "what is known of the people whom nothing is sent to"),
    ),
    "Canvases": (
        ("POST", "/canvas/trigger/send", "let people into a canvas"),
        ("POST", "/canvas/trigger/schedule/create", "let people into a canvas at a time to come"),
        ("POST", "/canvas/trigger/schedule/update", "change such a time"),
        ("POST", "/canvas/trigger/schedule/delete", "withdraw such a call"),
        ("GET", "/canvas/list", "the canvases"),
        ("GET", "/canvas/details", "the steps and the state of a canvas"),
        ("GET", "/canvas/data_series", "the numbers of a canvas, day by day"),
        ("GET", "/canvas/data_summary", "the numbers of a canvas in all"),
        ("GET", "/canvas/url_info/details", "the links in the messages of a canvas"),
    ),
    "Campaigns and messages": (
        ("POST", "/campaigns/trigger/send", "send a campaign"),
        ("POST", "/campaigns/trigger/schedule/create", "send a campaign at a time to come"),
        ("POST", "/campaigns/trigger/schedule/update", "change such a time"),
        ("POST", "/campaigns/trigger/schedule/delete", "withdraw such a call"),
        ("GET", "/campaigns/list", "the campaigns"),
        ("GET", "/campaigns/details", "the messages and the state of a campaign"),
        ("GET", "/campaigns/data_series", "the numbers of a campaign, day by day"),
        ("GET", "/campaigns/url_info/details", "the links in the messages of a campaign"),
        ("POST", "/messages/send", "send messages whose text is in the call"),
        ("POST", "/messages/schedule/create", "send such messages at a time to come"),
        ("POST", "/messages/schedule/update", "change such messages, or their time"),
        ("POST", "/messages/schedule/delete", "withdraw such a call"),
        ("GET", "/messages/scheduled_broadcasts", "what is to leave until a day"),
        ("POST", "/messages/live_activity/start", "begin a Live Activity on a phone"),
        ("POST", "/messages/live_activity/update", "change a Live Activity on a phone"),
        ("POST", "/sends/id/create", "an id under which sends of a campaign are counted"),
        ("GET", "/sends/data_series", "the numbers of such an id, day by day"),
        ("POST", "/transactional/v1/campaigns/{campaign}/send", "send a transactional mail to one person"),
    ),
    "Subscriptions and addresses": (
        ("POST", "/subscription/status/set", "subscribe people to a group, or unsubscribe them"),
        ("POST", "/v2/subscription/status/set", "the same, for several groups at once"),
        ("GET", "/subscription/status/get", "the state of people in a group"),
        ("GET", "/subscription/user/status", "the groups of a person"),
        ("GET", "/email/hard_bounces", "addresses that mails came back from"),
        ("GET", "/email/unsubscribes", "addresses that have unsubscribed"),
        ("POST", "/email/status", "set the consent of addresses"),
        ("POST", "/email/bounce/remove", "take addresses off the list of those that mails came back from"),
        ("POST", "/email/spam/remove", "take addresses off the list of those that call it spam"),
        ("POST", "/email/blocklist", "send nothing more to addresses"),
        ("POST", "/email/blacklist", "the same, under its older name"),
        ("GET", "/sms/invalid_phone_numbers", "numbers that no message reaches"),
        ("POST", "/sms/invalid_phone_numbers/remove", "take numbers off that list"),
        ("POST", "/preference_center/v1", "make a preference centre"),
        ("PUT GET", "/preference_center/v1/{centre}", "change a preference centre, or read it"),
        ("GET", "/preference_center/v1/list", "the preference centres"),
        ("GET", "/preference_center/v1/{centre}/url/{person}", "the address of a person's preference centre"),
    ),
    "Content": (
        ("POST", "/content_blocks/create", "make a content block"),
        ("POST", "/content_blocks/update", "change a content block"),
        ("GET", "/content_blocks/list", "the content blocks"),
        ("GET", "/content_blocks/info", "a content block"),
        ("POST", "/templates/email/create", "make a template for mails"),
        ("POST", "/templates/email/update", "change a template for mails"),
        ("GET", "/templates/email/list", "the templates for mails"),
        ("GET", "/templates/email/info", "a template for mails"),
        ("POST", "/media_library/create", "add a picture or a file"),
    ),
    "Catalogs": (
        ("POST GET", "/catalogs", "make a catalog, or list them"),
        ("DELETE", "/catalogs/{catalog}", "delete a catalog"),
        ("POST PUT PATCH DELETE GET", "/catalogs/{catalog}/items", "many items"),
        ("POST PUT PATCH DELETE GET", "/catalogs/{catalog}/items/{item}", "one item"),
        ("POST", "/catalogs/{catalog}/fields", "add fields"),
        ("DELETE", "/catalogs/{catalog}/fields/{field}", "delete a field"),
        ("POST", "/catalogs/{catalog}/selections", "add a selection"),
        ("DELETE", "/catalogs/{catalog}/selections/{selection}", "delete a selection"),
    ),
    "Numbers": (
        ("GET", "/segments/list", "the segments"),
        ("GET", "/segments/details", "a segment in words"),
        ("GET", "/segments/data_series", "the size of a segment, day by day"),
        ("GET", "/events", "the events with their descriptions"),
        ("GET", "/events/list", "the names of the events"),
        ("GET", "/events/data_series", "how often an event came, by day or hour"),
        ("GET", "/custom_attributes", "the custom attributes"),
        ("GET", "/purchases/product_list", "the products that were bought"),
        ("GET", "/purchases/quantity_series", "how much was bought, by day or hour"),
        ("GET", "/purchases/revenue_series", "the revenue, by day or hour"),
        ("GET", "/sessions/data_series", "how many sessions there were, by day or hour"),
        ("GET", "/kpi/dau/data_series", "how many people came, day by day"),
        ("GET", "/kpi/mau/data_series", "how many people came in thirty days, day by day"),
        ("GET", "/kpi/new_users/data_series", "how many people were new, day by day"),
        ("GET", "/kpi/uninstalls/data_series", "how many people removed an app, day by day"),
        ("GET", "/feed/list", "the cards of the news feed"),
        ("GET", "/feed/details", "a card of the news feed"),
        ("GET", "/feed/data_series", "the numbers of a card, day by day"),
    ),
    "Data from elsewhere, keys, staff": (
        ("GET", "/cdi/integrations", "the sources of data"),
        ("POST", "/cdi/integrations/{integration}/sync", "read a source now"),
        ("GET", "/cdi/integrations/{integration}/job_sync_status", "what became of reading a source"),
        ("POST", "/partners/segment/cohorts", "make a cohort of a partner"),
        ("POST", "/partners/segment/cohorts/users", "let people into a cohort, or out of it"),
        ("GET", "/app_group/sdk_authentication/keys", "the keys of an app"),
        ("POST", "/app_group/sdk_authentication/create", "add a key of an app"),
        ("PUT", "/app_group/sdk_authentication/primary", "make a key of an app the first one"),
        ("DELETE", "/app_group/sdk_authentication/delete", "delete a key of an app"),
        ("POST GET", "/scim/v2/Users", "make an account of staff, or look for one"),
        ("GET PUT DELETE", "/scim/v2/Users/{account}", "an account of staff"),
    ),
})  # fmt: skip

LIST = "/docs#not-built"
"""Where a running API lists them."""

_VARIES = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    chapter: str
    method: str
    path: str
    about: str


def every_operation() -> Iterator[Operation]:
    """All of them, in the order of the table."""
    for chapter, rows in CHAPTERS.items():
        for methods, path, about in rows:
            for method in methods.split():
                yield Operation(chapter, method, path, about)


def not_built(routes: Iterable[BaseRoute]) -> list[Operation]:
    """Those that none of these routes answers."""
    here = {
        (method, _VARIES.sub("{}", route.path))
        for route in routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    return [one for one in every_operation() if (one.method, _VARIES.sub("{}", one.path)) not in here]


class KnownOperations:
    """Finds the operation that a call without a route means."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        found = sorted(operations, key=lambda one: one.path.count("{"))  # `…/list` before `…/{centre}`
        self._patterns = [(re.compile(_VARIES.sub("[^/]+", one.path)), one) for one in found]

    def of(self, method: str, path: str) -> Operation | None:
        """The operation of this path: of this method, or else of another one; None where there is none."""
        there = [one for pattern, one in self._patterns if pattern.fullmatch(path)]
        return next((one for one in there if one.method == method), there[0] if there else None)
