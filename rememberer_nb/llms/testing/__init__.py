"""Servers and models small enough for a test."""
