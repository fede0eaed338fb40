"""Calls to addresses that users write: what may be called, and how a call is made."""
