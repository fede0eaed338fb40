"""Data in, beside the API: files."""
