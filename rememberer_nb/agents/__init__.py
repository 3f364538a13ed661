"""Agents behind one interface: Rememberer and its baselines."""
