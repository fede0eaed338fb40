"""The language: what can be said. Pure values, which import nothing of ours beside themselves."""
