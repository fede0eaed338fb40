"""What a workspace has: its published definitions, settings, keys, and what Liquid sees of all that."""
