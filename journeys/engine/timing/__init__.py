"""When to send: pure, given the data."""
