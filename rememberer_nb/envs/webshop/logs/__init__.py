"""Logged episodes of the web shop: transcripts and recorded sessions."""
