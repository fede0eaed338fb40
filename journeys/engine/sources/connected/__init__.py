"""Connected Content: calls of templates to web services (liquid.md 4.3)."""
