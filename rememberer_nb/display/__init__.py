"""What people look at: figures, widgets, HTML."""
