"""Replaying recordings: what is to be replayed and with what, and what came of it, line by line."""
