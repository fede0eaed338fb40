"""Calls to addresses that users write: which may be called, and how a call is made."""
