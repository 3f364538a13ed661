"""Settings: one frozen class per stage; every default with its unit and its source."""

from rememberer_nb.config.fields import checked_count as checked_count
from rememberer_nb.config.settings import *  # noqa: F403
