"""Comparisons of agents over seeds."""
