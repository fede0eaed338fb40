"""Delivery: dispatches are claimed, checked once more, rendered, handed over and settled; engagement comes back."""
