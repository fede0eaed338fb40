"""Exports of many people to files: recorded, carried on after a kill, and told of by a call."""
