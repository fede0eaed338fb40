"""Connected Content: what templates fetch from web services while they are rendered (liquid.md 4.3)."""
