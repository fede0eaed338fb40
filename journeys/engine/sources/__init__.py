"""What templates ask of the world: catalogs, Connected Content, promotion codes."""
