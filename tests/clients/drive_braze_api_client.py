"""Drives braze-api-client."""

import json
import os

from braze_api_client.client import Client

client = Client(os.environ["KEY"], os.environ["ADDRESS"])
said = []
for answer in (
    client.users.track.create_item({"attributes": [{"external_id": "mel", "vip": True}]}),
    client.users.alias.new.create_item(
        {"user_aliases": [{"alias_name": "m-1", "alias_label": "crm", "external_id": "mel"}]}
    ),
):
    said.append([answer.status_code, answer.json()])
print(json.dumps(said))
