"""One SQLite file per memory."""

from rememberer_nb.memory.store.store import Store as Store
