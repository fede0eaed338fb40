"""Drives braze-client-p311."""

import json
import os

from braze.client import BrazeClient

client = BrazeClient(os.environ["KEY"], os.environ["ADDRESS"])
said = {}
said["track"] = client.user_track(
    attributes=[{"external_id": "mel", "email": "mel@example.com", "points": 7}],
    events=[{"external_id": "mel", "name": "liked", "time": "2026-12-07T08:00:00"}],
    purchases=[
        {
            "external_id": "mel",
            "product_id": "shoe",
            "currency": "EUR",
            "price": 2.5,
            "time": "2026-12-07T08:00:00",
        }
    ],
)
said["export"] = client.user_export(
    external_ids=["mel", "nobody"], fields_to_export=["external_id", "custom_attributes"]
)
said["by_email"] = client.user_export(email="mel@example.com")
try:
    BrazeClient("wrong", os.environ["ADDRESS"]).user_track(attributes=[{"external_id": "mel"}])
except Exception as error:
    said["wrong_key"] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
