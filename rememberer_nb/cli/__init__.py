"""The command `rememberer-nb`, a module per group of commands."""

from rememberer_nb.cli.main import main as main
