"""People: identity, attributes, consent, and profiles."""
