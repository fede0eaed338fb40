"""Drives edx-braze-client."""

import json
import os

from braze.client import BrazeClient
from braze.exceptions import BrazeBadRequestError, BrazeUnauthorizedError

client = BrazeClient(os.environ["KEY"], os.environ["ADDRESS"], "app")
said = {}
client.track_user(attributes=[{"external_id": str(n), "email": f"p{n}@example.com"} for n in range(80)])
client.track_user(
    events=[{"external_id": "1", "name": "liked", "time": "2026-12-07T08:00:00Z"}],
)
said["id"] = client.get_braze_external_id("p7@example.com")
said["nobody"] = client.get_braze_external_id("nobody@example.com")
client.create_braze_alias(["p1@example.com", "new@example.com"], "Enterprise")
said["identified"] = client.identify_users(
    [{"external_id": "new", "user_alias": {"alias_label": "Enterprise", "alias_name": "new@example.com"}}]
)
said["recipients"] = sorted(client.create_recipients("Enterprise", {"new@example.com": "new"}))
for name, other in (
    ("wrong_key", BrazeClient("wrong", os.environ["ADDRESS"], "app")),
    ("wrong_call", client),
):
    try:
        other.track_user(attributes=[{"first_name": "X"}])
    except (BrazeBadRequestError, BrazeUnauthorizedError) as error:
        said[name] = type(error).__name__
print(json.dumps(said))
