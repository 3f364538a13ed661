"""The experience memory: what was tried at which observation of which task, and what it was worth.

Records are keyed by (task g, observation o); each holds a value per action, and the action alone
is the key within it. Everything is encoded once, when it is inserted; a query reads and copies
nothing. RLEM (`rememberer_nb.rlem`) decides the values, this module keeps them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import ActionValue, Episode, Hit, Record, Update, unique
from rememberer_nb.errors import ConfigError, RemembererError
from rememberer_nb.eviction import make_eviction
from rememberer_nb.retrieval import RecordIndex, Similarity, make_similarity
from rememberer_nb.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from rememberer_nb.views import Explanation

Key = tuple[str, str]


class ExperienceMemory:
    """Records of experience, retrieved by similarity.

    Parameters
    ----------
    retrieval : similarities, λ and m.
    capacity : limits and the eviction policy.
    store : where changes go at `commit`; in RAM by default. See `ExperienceMemory.open`.
    n_tables : values kept per action: 1, or 2 for double Q-learning.
    task_similarity, observation_similarity : take the place of the ones that `retrieval` names.

    Examples
    --------
    >>> memory = ExperienceMemory()
    >>> record_id = memory.insert("a red lamp", "[Search]", ["search[<keywords>]"])
    >>> memory.add_action(record_id, "search[red lamp]")
    >>> hit = next(memory.retrieve("a blue lamp", "[Search]"))
    >>> hit.rank, round(hit.observation_similarity, 6), hit.record.task
    (0, 1.0, 'a red lamp')
    """

    def __init__(
        self,
        retrieval: RetrievalConfig | None = None,
        capacity: CapacityConfig | None = None,
        *,
        store: Store | None = None,
        n_tables: int = 1,
        task_similarity: Similarity | None = None,
        observation_similarity: Similarity | None = None,
    ):
        if n_tables not in (1, 2):
            raise ConfigError(f"n_tables must be 1 or 2, got {n_tables!r}")
        self.retrieval = retrieval or RetrievalConfig()
        self.capacity = capacity or CapacityConfig()
        self.n_tables = n_tables
        self._index = RecordIndex(
            task_similarity or make_similarity(self.retrieval.task_similarity),
            observation_similarity or make_similarity(self.retrieval.observation_similarity),
        )
        self._eviction = make_eviction(self.capacity.eviction)
        self._records: dict[int, Record] = {}
        self._ids: dict[Key, int] = {}
        self._changed: dict[int, None] = {}
        self._removed: list[int] = []
        self._log: list[Update] = []
        self._store = store or Store()
        try:
            self._load()
        except RemembererError:
            self._store.close()
            raise

    # Opening and closing

    @classmethod
    def open(
        cls, path: str | Path | None, *, must_exist: bool = False, **settings: Any
    ) -> ExperienceMemory:
        """The memory in a file, made if the file does not exist; None keeps it in RAM.

        `settings` are those of `ExperienceMemory`. Raises `MemoryFileError` if the file is not a
        memory of a known format, and changes nothing then.
        """
        return cls(store=Store(path, must_exist=must_exist), **settings)

    @property
    def path(self) -> Path | None:
        """The file, or None for a memory in RAM."""
        return self._store.path

    def close(self) -> None:
        """Close the file. Changes since the last `commit` are lost, as after a crash."""
        self._store.close()

    def __enter__(self) -> ExperienceMemory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Reading

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records.values()))

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    @property
    def n_updates(self) -> int:
        """Updates made so far; the id of the next one."""
        return self._next_update

    def find(self, task: str, observation: str) -> Record | None:
        """The record at exactly (g, o), or None."""
        record_id = self._ids.get((task, observation))
        return None if record_id is None else self._records[record_id]

    def record(self, record_id: int) -> Record:
        """The record with that id; `KeyError` if it is not (or no longer) held."""
        return self._records[record_id]

    def retrieve(
        self,
        task: str,
        observation: str,
        n_exemplars: int = 2,
        task_weight: float | None = None,
    ) -> Iterator[Hit]:
        """The most similar records, best first.

        Parameters
        ----------
        task, observation : the query (g, o).
        n_exemplars : m, how many hits are likely to be used. The iterator goes on past them, since
            a record that cannot be shown is replaced by the next one.
        task_weight : λ in [0, 1]; None takes the memory's own.

        Yields
        ------
        Hit
            total = λ f_g + (1 − λ) f_o; ties by total visits, then by insertion order (paper,
            section 3.3).

        Examples
        --------
        >>> memory = ExperienceMemory()
        >>> for colour in ("red", "blue"):
        ...     _ = memory.insert(f"a {colour} lamp", "page one")
        >>> [hit.record.task for hit in memory.retrieve("the blue one", "page one")]
        ['a blue lamp', 'a red lamp']
        """
        weight = self.retrieval.task_weight if task_weight is None else task_weight
        if not 0 <= weight <= 1:
            raise ConfigError(f"task_weight must be in [0, 1], got {weight!r}")
        found = self._index.search(task, observation, weight, n_exemplars)
        # A record that is evicted while the iterator is under way is passed over.
        held = (scored for scored in found if scored.record_id in self._records)
        return (
            Hit(
                rank=rank,
                total=scored.total,
                task_similarity=scored.task_similarity,
                observation_similarity=scored.observation_similarity,
                record=self._records[scored.record_id],
                query=(task, observation),
            )
            for rank, scored in enumerate(held)
        )

    def explain(self, hit: Hit) -> Explanation:
        """The terms that two texts share, with the products that sum to each similarity.

        Corpus statistics are those of now: after many insertions the sums can differ from the
        scores that the hit carries.
        """
        from rememberer_nb.views import Explanation

        record = hit.record
        task_slot, slot = self._index.explain_slots(record.record_id)
        task, text = self._index.query_task(*hit.query), self._index.query_text(*hit.query)
        return Explanation(
            hit=hit,
            task_terms=self._index.task_similarity.explain(task, task_slot),
            observation_terms=self._index.observation_similarity.explain(text, slot),
        )

    def updates(self, record_id: int | None = None, action: str | None = None) -> list[Update]:
        """The update log in order: all of it, of a record, or of one of its actions."""
        # SQLite finds nothing for the integers of numpy, which a frame's columns hold.
        record_id = None if record_id is None else int(record_id)
        pending = [
            update
            for update in self._log
            if (record_id is None or update.record_id == record_id)
            and (action is None or update.action == action)
        ]
        return [*self._store.load_updates(record_id, action), *pending]

    def episodes(self) -> list[Episode]:
        """The episodes that were committed, in order."""
        return list(self._store.load_episodes())

    # Changing

    def insert(
        self,
        task: str,
        observation: str,
        available_actions: Iterable[str] = (),
        *,
        source: str = "experience",
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Make sure that (g, o) has a record; returns its id.

        A new record of a full memory takes the place of one that the eviction policy chooses.
        Available actions and metadata that a known record lacks are added to it.
        """
        known = self.find(task, observation)
        if known is not None:
            actions = unique([*known.available_actions, *available_actions])
            merged = {**known.metadata, **(metadata or {})}
            if (actions, merged) != (known.available_actions, known.metadata):
                self._put(dataclasses.replace(known, available_actions=actions, metadata=merged))
            return known.record_id
        self._make_room()
        record = Record(
            self._next_record, task, observation, unique(available_actions), (), source,
            dict(metadata or {}),
        )  # fmt: skip
        self._add(record)
        self._next_record += 1
        return record.record_id

    def add_action(self, record_id: int, action: str, rationale: str = "") -> None:
        """Make sure that a record knows an action, with q = 0 if it is new.

        A new action of a full record takes the place of the one with the lowest q value. A
        non-empty rationale replaces the last one.
        """
        record = self._records[record_id]
        known = record.value_of(action)
        if known is not None:
            if rationale and rationale != known.rationale:
                self._put_value(record, dataclasses.replace(known, rationale=rationale))
            return
        values = record.action_values
        limit = self.capacity.max_actions
        if limit is not None and len(values) >= limit:
            worst = min(values, key=lambda v: (v.q_value, v.n_visits, v.action))
            values = tuple(value for value in values if value is not worst)
        fresh = ActionValue(action, 0.0, 0, rationale=rationale, tables=((0.0, 0),) * self.n_tables)
        self._put(dataclasses.replace(record, action_values=(*values, fresh)))

    def add_initial(self, records: Iterable[Record]) -> list[int]:
        """Take over the records of an initial memory, values and visits included.

        What the memory already knows of an action stays: taking them over twice changes nothing.
        """
        record_ids = []
        for given in records:
            record_id = self.insert(
                given.task, given.observation, given.available_actions,
                source=given.source, metadata=given.metadata,
            )  # fmt: skip
            for value in given.action_values:
                if self._records[record_id].value_of(value.action) is None:
                    self.add_action(record_id, value.action)
                    self._put_value(self._records[record_id], self._as_initial(value))
            record_ids.append(record_id)
        return record_ids

    def apply(self, update: Update, reward: float) -> None:
        """Carry out and log one update that `rememberer_nb.rlem` has worked out."""
        record = self._records[update.record_id]
        value = record.value_of(update.action)
        if value is None or update.update_id != self._next_update:
            raise ValueError(f"update {update.update_id} does not follow from this memory")
        tables = list(value.tables)
        tables[update.table] = (update.q_after, update.n_visits)
        n_visits = sum(n for _, n in tables)
        visited = [q for q, n in tables if n]
        self._put_value(
            record,
            dataclasses.replace(
                value,
                q_value=sum(visited) / len(visited),
                n_visits=n_visits,
                reward=value.reward + (reward - value.reward) / n_visits,
                tables=tuple(tables),
                first_update=(
                    update.update_id if value.first_update is None else value.first_update
                ),
                last_update=update.update_id,
            ),
        )
        self._log.append(update)
        self._next_update += 1

    def remove(self, record_id: int) -> None:
        """Forget a record. Its updates stay in the log."""
        record = self._records.pop(record_id)
        del self._ids[(record.task, record.observation)]
        self._index.remove(record_id)
        self._changed.pop(record_id, None)
        self._removed.append(record_id)

    def refresh(self) -> None:
        """Bring the similarities' corpus statistics up to date now."""
        self._index.refresh()

    def commit(self, episode: Episode | None = None) -> None:
        """Write everything since the last commit, and the episode, in one transaction."""
        self._store.write(
            records=[self._records[record_id] for record_id in self._changed],
            removed=self._removed,
            updates=self._log,
            episode=episode,
            meta=self._meta(),
        )
        self._changed, self._removed, self._log = {}, [], []

    def copy(self, path: str | Path | None = None) -> ExperienceMemory:
        """A memory with the same records and values, without log and episodes; in RAM by default.

        Record ids are given anew, in the same order.
        """
        twin = ExperienceMemory.open(
            path, retrieval=self.retrieval, capacity=self.capacity, n_tables=self.n_tables
        )
        for record in self:
            record_id = twin.insert(
                record.task, record.observation, record.available_actions, source=record.source
            )
            twin._put(dataclasses.replace(record, record_id=record_id))
        twin.refresh()
        twin.commit()
        return twin

    def shuffled(self, rng: np.random.Generator) -> ExperienceMemory:
        """A copy whose values are dealt out anew over all (record, action) pairs: a control."""
        twin = self.copy()
        values = [(record.record_id, value) for record in twin for value in record.action_values]
        dealt = iter(rng.permutation(len(values)).tolist())
        for record in twin:
            fresh = tuple(
                _with_value(value, values[next(dealt)][1].q_value) for value in record.action_values
            )
            twin._put(dataclasses.replace(record, action_values=fresh))
        twin.commit()
        return twin

    # Views

    def to_frame(self) -> pd.DataFrame:
        """A row per (task, observation, action); see `rememberer_nb.views.to_frame`."""
        from rememberer_nb.views import to_frame

        return to_frame(self)

    def stats(self) -> dict[str, Any]:
        """Counts and ranges; see `rememberer_nb.views.stats`."""
        from rememberer_nb.views import stats

        return stats(self)

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<ExperienceMemory: {len(self)} records, {self.n_updates} updates{where}>"

    def _repr_html_(self) -> str:
        from rememberer_nb.views import to_html

        return to_html(self)

    # Inside

    def _load(self) -> None:
        self._next_record = self._next_update = 0
        meta = self._store.get_meta("memory")
        if meta is None:
            return
        with self._store.naming_the_file("is damaged"):
            held = dict(json.loads(meta))
            self._next_record, self._next_update = held["next_record"], held["next_update"]
            n_tables = held["n_tables"]
        if n_tables != self.n_tables:
            raise ConfigError(
                f"{self.path} keeps {n_tables} values per action, not {self.n_tables}: "
                "open it with the same n_tables"
            )
        for record in self._store.load_records():
            self._add(record)
        self._changed = {}
        for key, similarity in self._similarities().items():
            state = self._store.get_meta(key)
            if state:
                with self._store.naming_the_file("is damaged"):
                    similarity.restore(state)

    def _similarities(self) -> Mapping[str, Similarity]:
        f_g, f_o = self._index.task_similarity, self._index.observation_similarity
        return {f"task:{f_g.name}": f_g, f"observation:{f_o.name}": f_o}

    def _meta(self) -> dict[str, bytes]:
        counters = {
            "n_tables": self.n_tables,
            "next_record": self._next_record,
            "next_update": self._next_update,
        }
        meta = {"memory": json.dumps(counters).encode()}
        if self.path is not None:
            meta |= {key: s.state() for key, s in self._similarities().items()}
        return meta

    def _add(self, record: Record) -> None:
        self._ids[(record.task, record.observation)] = record.record_id
        self._index.add(record.record_id, record.task, record.observation, record.n_visits)
        self._put(record)

    def _put(self, record: Record) -> None:
        self._records[record.record_id] = record
        self._changed[record.record_id] = None
        self._index.set_visits(record.record_id, record.n_visits)

    def _put_value(self, record: Record, value: ActionValue) -> None:
        values = tuple(value if old.action == value.action else old for old in record.action_values)
        self._put(dataclasses.replace(record, action_values=values))

    def _as_initial(self, value: ActionValue) -> ActionValue:
        return dataclasses.replace(
            value,
            is_initial=True,
            n_visits=value.n_visits * self.n_tables,
            tables=((value.q_value, value.n_visits),) * self.n_tables,
            first_update=None,
            last_update=None,
        )

    def _make_room(self) -> None:
        limit = self.capacity.max_records
        while limit is not None and len(self) >= limit:
            self.remove(self._eviction.choose(self))


def _with_value(value: ActionValue, q_value: float) -> ActionValue:
    tables = tuple((q_value, n_visits) for _, n_visits in value.tables)
    return dataclasses.replace(value, q_value=q_value, tables=tables)
