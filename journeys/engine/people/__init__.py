"""People: who they are, what is known of them, and who hears what they do."""
