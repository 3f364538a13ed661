"""``python -m rememberer_nb``: the command line."""

import sys

from rememberer_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
