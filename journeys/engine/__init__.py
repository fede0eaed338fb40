"""The meaning: what a canvas does, first as pure functions, then with the data that it happens to."""
