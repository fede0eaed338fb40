"""The door: REST, and the links in messages."""
