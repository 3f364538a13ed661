"""The values that flow through the loop: frozen, validated; `system.plain` makes JSON of them.

Nothing here computes; every module of the loop takes some of these and returns others::

    Task -> observation -> Hit(Record(ActionValue)) -> Exemplar(Advice) -> Prompt -> Reply
         -> Decision -> Transition -> Update           all of one step: Step; all steps: Episode

Symbols follow the paper (arXiv 2306.07929, section 3): task g, observation o, action a, reward r.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rememberer_nb.errors import ConfigError, shown
from rememberer_nb.system.checks import MAX_COUNT, check_finite

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Task:
    """One problem g to solve.

    Parameters
    ----------
    task_id : unique within the environment, stable between runs ("500").
    text : the goal as the agent reads it; the key of the memory's task similarity.
    number : position in the environment's task list, from 0; seeds derive from it.

    >>> Task("7", "i want a red lamp", number=7).text
    'i want a red lamp'
    """

    task_id: str
    text: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """One interaction (o_t, a_t, r_t, o_{t+1}): `reward` was received for `action`.

    `terminated` says that the environment ended the episode, `truncated` that a step limit did;
    only the first makes the value of what follows zero.
    """

    observation: str
    action: str
    reward: float
    next_observation: str
    terminated: bool = False
    truncated: bool = False
    rationale: str = ""
    available_actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_finite(self, reward=self.reward)
        if self.terminated and self.truncated:
            raise ConfigError("a transition is terminated or truncated, not both")


@dataclass(frozen=True, slots=True)
class ActionValue:
    """What the memory knows of one action at (g, o).

    `q_value` is the estimated return (same unit as the reward); `n_visits` the number of updates
    made to it; `reward` the mean immediate reward. `tables` holds (q, visits) per table: one pair,
    or two with double Q-learning, whose mean over the visited tables is `q_value`.
    """

    action: str
    q_value: float
    n_visits: int
    reward: float = 0.0
    rationale: str = ""
    is_initial: bool = False
    tables: tuple[tuple[float, int], ...] = ()
    first_update: int | None = None
    last_update: int | None = None

    def __post_init__(self) -> None:
        check_finite(self, q_value=self.q_value, reward=self.reward)
        first, last = self.first_update or 0, self.last_update or 0
        for name, count in (("n_visits", self.n_visits), ("updates", first), ("updates", last)):
            if not 0 <= count <= MAX_COUNT:
                raise ConfigError(f"{name} must lie in 0 to 2**53, got {shown(count)}")
        if self.last_update is not None and first > last:
            raise ConfigError(f"the first update cannot be {first} and the last one {last}")


@dataclass(frozen=True, slots=True)
class Record:
    """All experiences that share (g, o), a snapshot: later updates do not change it.

    `metadata` is what an importer keeps of the record's origin: plain values that JSON holds.
    """

    record_id: int
    task: str
    observation: str
    available_actions: tuple[str, ...]
    action_values: tuple[ActionValue, ...]
    source: str = "experience"
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def n_visits(self) -> int:
        """Updates made to this record, over all its actions."""
        return sum(value.n_visits for value in self.action_values)

    @property
    def best(self) -> ActionValue | None:
        """The action with the highest q value (ties: visits, then text), None without actions."""
        return min(
            self.action_values, default=None, key=lambda v: (-v.q_value, -v.n_visits, v.action)
        )

    @property
    def max_q(self) -> float:
        """max_a Q(g, o, a); 0 without actions."""
        return max((value.q_value for value in self.action_values), default=0.0)

    def value_of(self, action: str) -> ActionValue | None:
        """What is known of one action, or None."""
        return next((value for value in self.action_values if value.action == action), None)

    def with_value(self, value: ActionValue) -> Record:
        """The record with another value of that action."""
        values = tuple(value if v.action == value.action else v for v in self.action_values)
        return replace(self, action_values=values)


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved record with the parts of its score, each in [0, 1]; `rank` starts at 0.

    `query` is the (task, observation) that was asked for.
    """

    rank: int
    total: float
    task_similarity: float
    observation_similarity: float
    record: Record
    query: tuple[str, str] = field(default=("", ""), repr=False)


@dataclass(frozen=True, slots=True)
class Advice:
    """One line of advice: an action, its value (None: not tried), and why it was taken."""

    action: str
    value: float | None = None
    rationale: str = ""
    is_synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A record written as a worked example for the prompt."""

    record_id: int
    task: str
    observation: str
    available_actions: tuple[str, ...] = ()
    encouraged: tuple[Advice, ...] = ()
    discouraged: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that did not go into the prompt, and why."""

    what: str
    why: str
    n_tokens: int = 0
    record_id: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to the LLM: as chat messages and as one plain text.

    `channel` says which of the two an endpoint is sent: "chat" and "chat_turns" the messages,
    "completion" the text.
    """

    messages: tuple[tuple[str, str], ...]
    text: str
    n_tokens: int
    left_out: tuple[LeftOut, ...] = ()
    reply_schema: Mapping[str, Any] | None = None
    channel: str = "chat"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the LLM answered. Token counts are the server's or, offline, estimates."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    model: str = ""


@dataclass(frozen=True, slots=True)
class TextScore:
    """How likely a text is after a prompt: ln P of all its tokens together, and their number."""

    log_probability: float
    n_tokens: int


@dataclass(frozen=True, slots=True)
class ActionScore:
    """How likely an LLM finds an action.

    Parameters
    ----------
    action : the action, placeholders filled.
    text : the words that were scored for it.
    log_probability : ln P(text | prompt), in nats.
    n_tokens : of the text.
    score : the log-probability normalised as the settings say; what is chosen by.
    probability : softmax of the scores over the actions, at temperature 1.
    """

    action: str
    text: str
    log_probability: float
    n_tokens: int
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class Update:
    """One change of one action value, with everything needed to work it out again.

    target = Σ_k γ^k rewards[k] + γ^n · bootstrap_value, with n = len(rewards), and
    q_after = q_before + learning_rate · (target − q_before).

    `bootstrap_value` is None when nothing was bootstrapped; else it is the maximal q value of the
    record `bootstrap_record_id`, which `is_stand_in` when the observation itself is not in memory.
    Where several records stood in together, `bootstrap_sources` holds each one's id and its share
    of the value (shares add up to 1), and `bootstrap_record_id` is the most similar of them.
    """

    update_id: int
    episode_id: str
    step: int
    record_id: int
    action: str
    table: int
    rewards: tuple[float, ...]
    gamma: float
    bootstrap_value: float | None
    bootstrap_record_id: int | None
    is_stand_in: bool
    target: float
    learning_rate: float
    q_before: float
    q_after: float
    n_visits: int
    bootstrap_sources: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """How an agent came to an action: every stage, for inspection.

    `error` says why no action could be read from the reply (`action` is then the agent's
    documented fallback) and `error_name` under which name that is counted: "reply" for a reply
    without available action, else the `name` of the `LLMError`. Empty stages mean that the agent
    has no such stage.

    `predicted_encouraged` and `predicted_discouraged` are the LLM's own advice, where its reply has
    that form; `scores` how likely it finds each action, where the most likely one is taken.
    """

    action: str
    rationale: str = ""
    hits: tuple[Hit, ...] = ()
    exemplars: tuple[Exemplar, ...] = ()
    prompt: Prompt | None = None
    reply: Reply | None = None
    error: str | None = None
    error_name: str | None = None
    predicted_encouraged: tuple[Advice, ...] = ()
    predicted_discouraged: tuple[Advice, ...] = ()
    scores: tuple[ActionScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an episode: what was seen, how it was decided, what came of it and was learnt."""

    index: int
    observation: str
    available_actions: tuple[str, ...]
    page_type: str
    decision: Decision
    reward: float
    terminated: bool = False
    truncated: bool = False
    updates: tuple[Update, ...] = ()

    @property
    def action(self) -> str:
        """The action that was taken."""
        return self.decision.action


@dataclass(frozen=True, slots=True)
class Episode:
    """One attempt at a task, from reset to terminated or truncated.

    `is_success` is the environment's verdict: the task's full reward was reached.
    """

    episode_id: str
    env: str
    agent: str
    task: Task
    steps: tuple[Step, ...]
    final_observation: str
    is_success: bool = False
    seed: int = 0
    epoch: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rewards(self) -> tuple[float, ...]:
        """r_0 .. r_{T-1}."""
        return tuple(step.reward for step in self.steps)

    @property
    def total_reward(self) -> float:
        """The undiscounted sum of rewards, the score that tables report."""
        return float(sum(self.rewards))

    @property
    def terminated(self) -> bool:
        """The environment ended the episode."""
        return bool(self.steps) and self.steps[-1].terminated

    @property
    def truncated(self) -> bool:
        """A step limit ended the episode."""
        return bool(self.steps) and self.steps[-1].truncated

    @property
    def n_reply_errors(self) -> int:
        """Steps whose reply held no available action."""
        return sum(step.decision.error is not None for step in self.steps)

    def transitions(self) -> tuple[Transition, ...]:
        """The episode as transitions, for learning from it off-policy."""
        seen = [step.observation for step in self.steps] + [self.final_observation]
        return tuple(
            Transition(
                observation=step.observation,
                action=step.action,
                reward=step.reward,
                next_observation=next_observation,
                terminated=step.terminated,
                truncated=step.truncated,
                rationale=step.decision.rationale,
                available_actions=step.available_actions,
            )
            for step, next_observation in zip(self.steps, seen[1:], strict=True)
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """What an agent decides on: the task, what it sees, what it can do, what it did so far.

    `steps` are those of the episode until now, for agents that look at more than their actions.
    """

    task: Task
    observation: str
    available_actions: tuple[str, ...]
    last_actions: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StepRandom:
    """The randomness of one step: a seed for the LLM call and a generator for everything else."""

    call_seed: int
    rng: np.random.Generator = field(compare=False)


def unique(items: Iterable[str]) -> tuple[str, ...]:
    """The items in order, each once."""
    return tuple(dict.fromkeys(items))
