"""Delivery: dispatches are claimed, checked again, rendered, sent and settled; engagement comes back."""
