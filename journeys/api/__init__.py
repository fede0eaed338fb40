"""The HTTP server: the REST API, and the links in messages."""
