"""Drives braze-client-sdk."""

import json
import os

from braze import Braze

braze = Braze(host=os.environ["ADDRESS"], token=os.environ["KEY"])
alias = {"alias_name": "m-1", "alias_label": "crm"}
said = {}
said["track"] = braze.users.track(content={"attributes": [{"external_id": "mel", "first_name": "Mel"}]})
said["alias"] = braze.users.alias.new(content={"user_aliases": [{"external_id": "mel", **alias}]})
said["export"] = braze.users.export.ids(
    content={"external_ids": [], "user_aliases": [alias], "fields_to_export": ["external_id", "first_name"]}
)
said["segment"] = braze.users.export.segment(
    content={"segment_id": "runners", "fields_to_export": ["external_id"]}
)
said["created"] = braze.content_blocks.create(content={"name": "footer", "content": "Yours"})
said["updated"] = braze.content_blocks.update(
    content={"content_block_id": said["created"]["content_block_id"], "content": "Ever yours"}
)
said["listed"] = braze.content_blocks.ls(params={"limit": 10})
said["info"] = braze.content_blocks.info(params={"content_block_id": said["created"]["content_block_id"]})
print(json.dumps(said))
