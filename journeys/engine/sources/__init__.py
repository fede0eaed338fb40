"""Data sources of templates: catalogs, Connected Content, promotion codes."""
