"""Agents behind one interface: Rememberer and its baselines; a stage of a decision hides nowhere."""
