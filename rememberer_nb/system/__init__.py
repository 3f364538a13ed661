"""The machine around the package: files, locks, places to write, signals, terminals."""
