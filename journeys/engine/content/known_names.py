"""The names that templates may use (liquid.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping

BLOCKS = "content_blocks"
"""The namespace of content blocks."""

STANDARD = frozenset({
    "city", "country", "date_of_birth", "email_address", "first_name", "gender", "language", "last_name",
    "last_used_app_date", "most_recent_app_version", "most_recent_locale", "most_recent_location", "phone_number",
    "time_zone", "user_id", "braze_id", "random_bucket_number",
})  # fmt: skip
"""Standard attributes: what `${x}` may name anywhere."""

KEPT = frozenset({
    "image_url", "facebook", "twitter", "current_location", "date_of_first_session", "date_of_last_session",
    "marked_email_as_spam_at", "email_open_tracking_disabled", "email_click_tracking_disabled",
})  # fmt: skip
"""Further attributes of a profile that a template sees under the name that the API gives them."""

EMAIL = frozenset({
    "set_user_to_unsubscribed_url", "unsubscribe_url", "set_user_to_subscribed_url", "set_user_to_opted_in_url",
    "set_user_to_one_click_list_unsubscribe", "email_footer", "preference_center_url",
})  # fmt: skip
"""What `${x}` may name in emails alone."""

UNSUBSCRIBE = frozenset({
    "set_user_to_unsubscribed_url", "unsubscribe_url", "set_user_to_one_click_list_unsubscribe",
})  # fmt: skip
"""A mail that says one of these has a way out."""

EMPTY: Mapping[str, str] = {
    "last_used_app_date": "", "most_recent_app_version": "", "most_recent_location": "",
    "most_recent_locale": "write {{${language}}}",
    "set_user_to_subscribed_url": "", "set_user_to_opted_in_url": "",
    "email_footer": "write {{content_blocks.${footer}}}, and a content block",
}  # fmt: skip
"""What `${x}` may name in other engines, and what to write here, where nothing gives it a value."""

MEANT = {
    "external_id": "user_id", "email": "email_address", "phone": "phone_number", "dob": "date_of_birth",
    "home_city": "city",
}  # fmt: skip
"""Names of the API that are others in templates (N3)."""

_DEVICE = frozenset({
    "id", "carrier", "idfa", "google_ad_id", "roku_ad_id", "model", "os", "platform", "foreground_push_enabled",
})  # fmt: skip
_INBOUND = frozenset({"inbound_message_body", "inbound_media_urls"})

NAMESPACES: Mapping[str, frozenset[str] | None] = {
    "custom_attribute": None,
    "event_properties": None,
    "context": None,
    "canvas_entry_properties": None,
    "api_trigger_properties": None,
    "most_recently_used_device": _DEVICE | {"browser", "ad_tracking_enabled"},
    "targeted_device": _DEVICE,
    "app": frozenset({"api_id", "name"}),
    "campaign": frozenset({"api_id", "dispatch_id", "name", "message_name", "message_api_id"}),
    "canvas": frozenset({"name", "api_id", "variant_name", "variant_api_id"}),
    "card": frozenset({"api_id", "name"}),
    "subscribed_state": frozenset({"email_global"}),
    "sms": _INBOUND,
    "whats_app": _INBOUND
    | {"inbound_flow_response", "inbound_product_id", "inbound_catalog_id", "inbound_profile_name"},
    BLOCKS: None,
    "preference_center": None,
    "product_recommendation": None,
}
"""The namespaces, and the names that each has; None if they are free."""

_DEVICES = "no devices are known"
EMPTY_SPACES: Mapping[str, str] = {
    "api_trigger_properties": "write context.${x} for what came with the entry",
    "most_recently_used_device": _DEVICES, "targeted_device": _DEVICES, "app": _DEVICES, "card": "there are no cards",
    "sms": "no messages come in", "whats_app": "no messages come in",
}  # fmt: skip
"""The same of namespaces."""
EMPTY_NAMES: Mapping[str, frozenset[str]] = {
    "campaign": frozenset({"api_id", "message_api_id"}), "canvas": frozenset({"variant_api_id"}),
}  # fmt: skip
"""The same of names in namespaces that have others."""
