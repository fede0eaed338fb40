"""Data that comes in: `/users/track`, entry by API, and CSV files."""
