"""The commands of the command line, a module per group; `rememberer_nb.cli` puts them together."""
