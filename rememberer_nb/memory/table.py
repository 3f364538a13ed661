"""What a memory holds in RAM: records by key and by id, their index, what has changed of them.

Records are keyed by (task g, observation o); each holds a value per action, and the action alone
is the key within it. Everything is encoded once, when it is inserted; a query reads and copies
nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import ActionValue, Hit, Record, Transition, Update, unique
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory.eviction import Eviction, make_eviction
from rememberer_nb.memory.held import HeldRecords
from rememberer_nb.retrieval import LateIndex, RecordIndex, Similarity, make_similarity
from rememberer_nb.retrieval.vectors import Vectors

if TYPE_CHECKING:
    from rememberer_nb.memory.views import Explanation

Key = tuple[str, str]


class RecordTable:
    """Records, retrieved by similarity; the part of `ExperienceMemory` that no file concerns.

    Parameters
    ----------
    retrieval : similarities, λ and m.
    capacity : limits and the eviction policy.
    n_tables : values kept per action: 1, or 2 for double Q-learning.
    task_similarity, observation_similarity : take the place of the ones that `retrieval` names.

    Examples
    --------
    >>> table = RecordTable()
    >>> record_id = table.insert("a red lamp", "[Search]", ["search[<keywords>]"])
    >>> table.add_action(record_id, "search[red lamp]")
    >>> table.record(record_id).max_q
    0.0
    """

    def __init__(
        self,
        retrieval: RetrievalConfig | None = None,
        capacity: CapacityConfig | None = None,
        *,
        n_tables: int = 1,
        task_similarity: Similarity | None = None,
        observation_similarity: Similarity | None = None,
    ):
        if n_tables not in (1, 2):
            raise ConfigError(f"n_tables must be 1 or 2, got {n_tables!r}")
        self.retrieval = retrieval or RetrievalConfig()
        self.capacity = capacity or CapacityConfig()
        self.n_tables = n_tables
        # Kept empty: a memory that is loaded again, or copied, needs similarities of the same kind.
        self._make_similarities = (
            _factory(task_similarity, self.retrieval.task_similarity),
            _factory(observation_similarity, self.retrieval.observation_similarity),
        )
        self._vectors = Vectors()
        self._clear(task_similarity, observation_similarity)

    # Reading

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

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
        >>> memory = RecordTable()
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

    def proxies(self, visited: Record, observation: str, n: int) -> list[Hit]:
        """The n records most similar to an observation of the visited record's task.

        The visit that is being learnt counts already, where records are equally similar.
        """
        record_id, n_visits = visited.record_id, self._records[visited.record_id].n_visits
        self._index.set_visits(record_id, n_visits + 1)
        try:
            return list(itertools.islice(self.retrieve(visited.task, observation, n), n))
        finally:
            self._index.set_visits(record_id, n_visits)

    def explain(self, hit: Hit) -> Explanation:
        """The terms that two texts share, with the products that sum to each similarity.

        Corpus statistics are those of now: after many insertions the sums can differ from the
        scores that the hit carries.
        """
        from rememberer_nb.memory.views import Explanation

        record = hit.record
        task_slot, slot = self._index.explain_slots(record.record_id)
        task, text = self._index.query_task(*hit.query), self._index.query_text(*hit.query)
        return Explanation(
            hit=hit,
            task_terms=self._index.task_similarity.explain(task, task_slot),
            observation_terms=self._index.observation_similarity.explain(text, slot),
        )

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

    def add_action(
        self, record_id: int, action: str, rationale: str = "", *, q_value: float = 0.0
    ) -> None:
        """Make sure that a record knows an action, with `q_value` and no visits if it is new.

        A new action of a full record takes the place of the one with the lowest q value. A
        non-empty rationale replaces the last one, but not that of a demonstration.
        """
        record = self._records[record_id]
        changed = self._trying(record, action, rationale, q_value)
        if changed is not record:
            self._put(changed)

    def visit(self, task: str, transition: Transition, initial_q: float = 0.0) -> Record:
        """The record of (g, o) as it is when a is taken there, a among its actions.

        A new record is held from now on; of one that is known nothing changes before `keep`.
        """
        record = self.find(task, transition.observation)
        actions = transition.available_actions
        if record is None:
            record = self._records[self.insert(task, transition.observation, actions)]
        elif not set(actions) <= set(record.available_actions):
            actions = unique([*record.available_actions, *actions])
            record = dataclasses.replace(record, available_actions=actions)
        return self._trying(record, transition.action, transition.rationale, initial_q)

    def keep(self, record: Record, update: Update) -> None:
        """Hold a record with what `rememberer_nb.rlem` made of one of its values, and log how."""
        is_known = record.record_id == update.record_id and update.record_id in self._records
        if not is_known or update.update_id != self._next_update:
            raise ValueError(f"update {update.update_id} does not follow from this memory")
        self._put(record)
        self._log.append(update)
        self._next_update += 1

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
                    self._put(self._records[record_id].with_value(self._as_initial(value)))
            record_ids.append(record_id)
        return record_ids

    def remove(self, record_id: int) -> None:
        """Forget a record. Its updates stay in the log."""
        self._is_dirty = True
        record = self._records.pop(record_id)
        del self._ids[(record.task, record.observation)]
        self._index.remove(record_id)
        if self._eviction is not None:
            self._eviction.forget(record_id)
        self._changed.pop(record_id, None)
        self._removed.append(record_id)

    def refresh(self) -> None:
        """Bring the similarities' corpus statistics up to date now."""
        self._is_dirty = True
        self._index.refresh()

    # Inside

    def _clear(self, f_g: Similarity | None = None, f_o: Similarity | None = None) -> None:
        """Forget everything, and go on with the given similarities, or with new ones."""
        make_f_g, make_f_o = self._make_similarities
        self._late = LateIndex(
            lambda: RecordIndex(
                make_f_g() if f_g is None else f_g,
                make_f_o() if f_o is None else f_o,
                self._vectors,
            )
        )
        # What somebody hands in fails where it is handed in, not later.
        self._is_late = f_g is None and f_o is None
        self._eviction: Eviction | None = None
        if self.capacity.max_records is not None:
            self._eviction = make_eviction(self.capacity.eviction)
        self._records = HeldRecords(self._read)
        self._ids: dict[Key, int] = {}
        self._next_record = self._next_update = self._log_start = 0
        self._changed: dict[int, None] = {}
        self._removed: list[int] = []
        self._log: list[Update] = []
        self._is_dirty = False

    @property
    def _index(self) -> RecordIndex:
        return self._late.get()

    def _similarities(self) -> Mapping[str, Similarity]:
        return self._late.similarities()

    def _read(self, stored: Any) -> Record:
        """The record that an unread one is."""
        raise NotImplementedError("records in RAM have been read")

    def _add(self, record: Record) -> None:
        self._is_dirty = True
        # What fails to be encoded has left nothing behind.
        self._index.add(record.record_id, record.task, record.observation, record.n_visits)
        self._ids[(record.task, record.observation)] = record.record_id
        self._put(record)

    def _put(self, record: Record) -> None:
        self._is_dirty = True
        self._records.put(record)
        self._changed[record.record_id] = None
        self._index.set_visits(record.record_id, record.n_visits)
        if self._eviction is not None:
            self._eviction.put(record)

    def _trying(self, record: Record, action: str, rationale: str, q_value: float) -> Record:
        """The record with the action among its own; itself if nothing changes."""
        known = record.value_of(action)
        if known is not None:
            is_demonstrated = known.is_initial and known.rationale
            if not rationale or rationale == known.rationale or is_demonstrated:
                return record
            return record.with_value(dataclasses.replace(known, rationale=rationale))
        values = record.action_values
        limit = self.capacity.max_actions
        if limit is not None and len(values) >= limit:
            worst = min(values, key=lambda v: (v.q_value, v.n_visits, v.action))
            values = tuple(value for value in values if value is not worst)
        tables = ((q_value, 0),) * self.n_tables
        fresh = ActionValue(action, q_value, 0, rationale=rationale, tables=tables)
        return dataclasses.replace(record, action_values=(*values, fresh))

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
        if limit is None or self._eviction is None:
            return
        self._eviction.settle(self)
        while len(self) >= limit:
            self.remove(self._eviction.choose(self))


def _factory(given: Similarity | None, name: str) -> Callable[[], Similarity]:
    if given is None:
        return lambda: make_similarity(name)
    empty = copy.deepcopy(given)
    return lambda: copy.deepcopy(empty)
