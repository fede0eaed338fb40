"""The engine: what canvases do, as pure functions (`core`, `audience`, `content`), and on the data of a workspace."""
