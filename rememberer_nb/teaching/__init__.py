"""The notebooks: run, checked and shown."""
