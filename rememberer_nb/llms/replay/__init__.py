"""Answers recorded once and replayed for nothing."""
