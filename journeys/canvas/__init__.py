"""The language of canvases: pure values, which import nothing else of this package."""
