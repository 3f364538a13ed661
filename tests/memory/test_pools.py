"""Published pools in and out: nothing lost, several reasons merged, what was learnt since kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.config import RetrievalConfig, RlemConfig
from rememberer_nb.elements import ActionValue, Record, Transition
from rememberer_nb.errors import DataError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.memory.pool_yaml import dump_yaml, load_yaml
from rememberer_nb.memory.pools import n_entries, read_pool, write_pool
from rememberer_nb.rlem import learn_episode

# File -> records, as published.
POOLS = {
    "annotated_pool-auto.q.yaml": 38,
    "init_pool.q.yaml": 2,
    "init_pool.wq.yaml": 4,
    "init_pool2.q.yaml": 2,
    "init_pool2.wq.yaml": 4,
    "init_pool3.q.yaml": 2,
    "init_pool3.wq.yaml": 4,
}

PAGE = "\nWebShop\nInstruction:\na red lamp\n[Search]\n"
SHOP_KEY = (PAGE, "Instruction:a red lamp", "search")
SCREEN = '<img alt="Search" id="0" clickable="true">\n<p id="1" clickable="false">hop</p>'
COMMAND = 'Search an article to learn how to hop.\n\nThen, access the article "How to Hop"'
INFO = {
    "action_history": [("click[a]", "why not"), ("search[b]", "")],
    "last_reward": 0.5,
    "number": 3,
    "total_reward": 1.5,
}


def row(actions: dict[Any, Any], **others: Any) -> dict[str, Any]:
    return {"action_dict": actions, "other_info": INFO, "id": 0, **others}


def numbers(number: float = 1, qvalue: float = 1.0, reward: float = 0.0) -> dict[str, float]:
    return {"number": number, "qvalue": qvalue, "reward": reward}


@pytest.fixture
def pool(tmp_path: Path):
    def write(content: Any, name: str = "some.wq.yaml") -> Path:
        path = tmp_path / name
        path.write_text(dump_yaml(content), encoding="utf-8")
        return path

    return write


def memory_of(*paths: Path, file: Path | None = None, n_tables: int = 1) -> ExperienceMemory:
    memory = ExperienceMemory.open(file, n_tables=n_tables)
    for path in paths:
        memory.add_initial(read_pool(path))
    memory.commit()
    return memory


def exported(memory: ExperienceMemory, path: Path, **options: Any) -> Any:
    write_pool(path, memory, **options)
    return load_yaml(path)[0]


# The published files


@pytest.fixture
def published(conformance_dir: Path) -> list[Path]:
    folder = conformance_dir / "rememberer_pools"
    if not folder.is_dir():
        pytest.skip(f"no published pools in {folder}")
    return [folder / name for name in POOLS]


def test_all_seven_pools(published: list[Path]) -> None:
    counts = {path.name: sum(map(n_entries, read_pool(path))) for path in published}
    assert counts == POOLS
    assert sum(counts.values()) == 56


def test_each_goes_out_as_it_came_in(published: list[Path], tmp_path: Path) -> None:
    for path in published:
        file = tmp_path / f"{path.stem}.db"
        memory_of(path, file=file).close()
        with ExperienceMemory.open(file, must_exist=True) as memory:
            written = exported(memory, tmp_path / path.name)
        assert written == load_yaml(path)[0]
        assert list(written) == list(load_yaml(path)[0])
        # And what was exported comes in equal.
        assert read_pool(tmp_path / path.name) == read_pool(path)


def test_all_in_one_memory(published: list[Path], tmp_path: Path) -> None:
    """The three small how-to pools are parts of the annotated one: 50 different records."""
    memory = memory_of(*published)
    assert len(memory) == 50
    for path in published:
        written = exported(memory, tmp_path / "part.yaml", source=path.name)
        assert written == load_yaml(path)[0]
    everything = exported(memory, tmp_path / "all.yaml")
    assert len(everything) == 50
    assert [value["id"] for value in everything.values()] == list(range(50))


def test_a_published_shop_record(conformance_dir: Path) -> None:
    first, second, *_ = read_pool(conformance_dir / "rememberer_pools" / "init_pool.wq.yaml")
    assert first.task.startswith("i would like a 3 ounce bottle")
    assert first.available_actions == ("search[<keywords>]", "click[search]")
    assert [(v.action, v.q_value, v.rationale) for v in first.action_values] == [
        ("search[3 ounce bottle bright citrus deodorant sensitive skin]", 1.0, ""),
        ("click[search]", 0.0, "The search button shouldn't be clicked."),
    ]
    assert second.available_actions[:3] == (
        "click[back to search]", "click[next >]", "click[b078gwrc1j]",
    )  # fmt: skip


def test_a_published_how_to_record(conformance_dir: Path) -> None:
    start, results = read_pool(conformance_dir / "rememberer_pools" / "init_pool.q.yaml")
    lines = start.observation.split("\n")
    assert lines[-1] == "Instruction: Search an article to learn how to hide gauges."
    assert start.available_actions == (
        "INPUT(2, <text>)", "CLICK(0)", "CLICK(2)", "CLICK(3)", "SCROLL(UP)", "SCROLL(DOWN)",
        "GOBACK",
    )  # fmt: skip
    assert results.observation.endswith(
        '\nInstruction: Access the article "How to Do Ruby Rose Hair"'
    )
    assert [v.action for v in results.action_values] == ["CLICK(3)"]


def test_the_papers_similarities_find_the_like_screen(published: list[Path]) -> None:
    retrieval = RetrievalConfig(task_similarity="instruction_pattern", observation_similarity="lcs")
    memory = ExperienceMemory(retrieval)
    memory.add_initial(read_pool(published[0]))
    query = read_pool(published[1])[1]
    first, *_, last = memory.retrieve(query.task, query.observation)
    assert first.total == 1.0
    assert first.record.best.action == "CLICK(3)"
    assert last.total < 0.4


# Reading


def test_several_reasons_for_one_action_become_one(pool) -> None:
    actions = {
        ("click[a]", "first"): numbers(1, 1.0, 0.0),
        ("click[a]", "often"): numbers(3, 2.0, 1.0),
        ("click[b]", "other"): numbers(2, 5.0),
        ("click[a]", "also often"): numbers(3, -1.0, 0.5),
    }
    (record,) = read_pool(pool({SHOP_KEY: row(actions)}))
    # q = (1·1 + 3·2 − 3·1) / 7, reward = (3·1 + 3·0.5) / 7
    one, other = record.action_values
    assert (one.action, one.n_visits, one.rationale) == ("click[a]", 7, "often")
    assert (one.q_value, one.reward) == pytest.approx((4 / 7, 4.5 / 7))
    assert (other.action, other.n_visits, other.q_value) == ("click[b]", 2, 5.0)
    assert one.is_initial


def test_reasons_without_visits_count_alike(pool) -> None:
    actions = {("a", "x"): numbers(0, 1.0), ("a", "y"): numbers(0, 2.0)}
    (record,) = read_pool(pool({SHOP_KEY: row(actions)}))
    (value,) = record.action_values
    assert (value.n_visits, value.q_value, value.rationale) == (0, 1.5, "x")


def test_keys_that_mean_the_same_record_share_one(pool, tmp_path: Path) -> None:
    content = {
        (PAGE, "Instruction:a red lamp", "search"): row({("a", "x"): numbers(1, 1.0)}),
        (PAGE, "a red lamp", "search\nhelp"): row({("a", "y"): numbers(1, 3.0)}, id=1),
    }
    path = pool(content)
    (record,) = read_pool(path)
    assert n_entries(record) == 2
    assert (record.action_values[0].q_value, record.action_values[0].n_visits) == (2.0, 2)
    assert record.available_actions == ("search[<keywords>]", "click[search]", "click[help]")
    assert exported(memory_of(path), tmp_path / "out.yaml") == content


def test_a_screen_without_instruction_gets_the_tasks_first(pool) -> None:
    (record,) = read_pool(pool({(SCREEN, COMMAND, ""): row({})}))
    assert record.task == COMMAND
    assert record.observation == f"{SCREEN}\nInstruction: Search an article to learn how to hop."
    assert record.action_values == ()


def test_as_an_initial_memory(pool) -> None:
    path = pool({SHOP_KEY: row({("click[search]", ""): numbers()})})
    assert read_initial(path) == read_pool(path)


BAD_RECORDS = [
    ([SHOP_KEY], "expected a mapping"),
    ({"key": row({})}, "line 1: a record's key must be a tuple of three texts"),
    ({("a", "b"): row({})}, "tuple of three texts"),
    ({("a", "b", 3): row({})}, "tuple of three texts"),
    ({SHOP_KEY: None}, "must hold an action_dict"),
    ({SHOP_KEY: {"action_dict": []}}, "must hold an action_dict"),
    ({SHOP_KEY: row({"click[a]": numbers()})}, "tuple of two texts; found 'click"),
    ({SHOP_KEY: row({("a", None): numbers()})}, "tuple of two texts"),
    ({SHOP_KEY: row({("a", ""): 1.0})}, "needs a number, which is a number"),
    ({SHOP_KEY: row({("a", ""): {"number": 1, "reward": 1}})}, "needs a qvalue"),
    (
        {SHOP_KEY: row({("a", ""): numbers(qvalue=float("nan"))})},
        "line .*nan is no number up to 1e",
    ),
    (
        {SHOP_KEY: row({("a", ""): numbers(reward=float("inf"))})},
        "line .*inf is no number up to 1e",
    ),
    ({SHOP_KEY: row({("a", ""): numbers(number=-1)})}, "number must be a count"),
    ({SHOP_KEY: row({("a", ""): numbers(number=1.5)})}, "number must be a count"),
    ({SHOP_KEY: row({("a", ""): numbers(number=True)})}, "needs a number"),
    ({SHOP_KEY: row({}, when=b"\x00")}, "holds a bytes, which memory pools do not"),
]


@pytest.mark.parametrize(("content", "problem"), BAD_RECORDS)
def test_what_is_no_pool(pool, content: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        read_pool(pool(content))
    assert "some.wq.yaml" in str(caught.value)


def test_the_line_of_a_bad_record_is_named(pool) -> None:
    path = pool({SHOP_KEY: row({("a", ""): numbers()}), ("x", "y", "z"): {"id": 1}})
    line = path.read_text().split("\n- x\n")[0].count("\n") + 1
    with pytest.raises(DataError, match=rf"some\.wq\.yaml: line {line}: "):
        read_pool(path)


def test_an_empty_pool(pool, tmp_path: Path) -> None:
    assert read_pool(pool({})) == ()
    assert write_pool(tmp_path / "out.yaml", ()) == {"records": 0}
    assert load_yaml(tmp_path / "out.yaml")[0] == {}


# Writing


def learn(memory: ExperienceMemory, record: Record, action: str, reward: float) -> None:
    step = Transition(
        record.observation, action, reward, "the end", terminated=True, rationale="learnt"
    )
    learn_episode(memory, record.task, [step], episode_id="e", config=RlemConfig(n_step=1))


def test_what_was_learnt_since_is_written(pool, tmp_path: Path) -> None:
    actions = {
        ("click[a]", "one"): numbers(1, 1.0),
        ("click[a]", "two"): numbers(1, 2.0),
        ("click[b]", "other"): numbers(2, 5.0),
    }
    memory = memory_of(pool({SHOP_KEY: row(actions, extra=[1, (2, 3)])}))
    (record,) = memory
    learn(memory, record, "click[a]", 4.5)
    learn(memory, record, "click[new]", 1.0)
    written = exported(memory, tmp_path / "out.yaml")
    # q = 1.5 + (4.5 − 1.5) / 3
    assert written == {
        SHOP_KEY: row(
            {
                ("click[b]", "other"): numbers(2, 5.0),
                # The reason that came with it is kept.
                ("click[a]", "one"): numbers(3, 2.5, 1.5),
                ("click[new]", "learnt"): numbers(1, 1.0, 1.0),
            },
            extra=[1, (2, 3)],
        )
    }


def test_two_tables_change_nothing(pool, tmp_path: Path) -> None:
    content = {SHOP_KEY: row({("click[a]", "x"): numbers(2, 1.0)})}
    memory = memory_of(pool(content), n_tables=2)
    assert exported(memory, tmp_path / "out.yaml") == content


def test_records_of_ones_own(pool, tmp_path: Path) -> None:
    memory = memory_of(pool({SHOP_KEY: row({("click[search]", ""): numbers()}, id=7)}))
    page = "Instruction:\na coat\n[Back to Search]\n[Buy Now]"
    record_id = memory.insert("a coat", page, ["click[back to search]", "click[buy now]"])
    learn(memory, memory.record(record_id), "click[buy now]", 1.0)
    screen = f"{SCREEN}\nInstruction: Check the reference list"
    memory.insert(COMMAND, screen, ["CLICK(0)"])
    memory.insert(COMMAND, SCREEN, ["CLICK(0)"])
    written = exported(memory, tmp_path / "out.yaml")
    assert list(written) == [
        SHOP_KEY,
        (page, "Instruction:a coat", "back to search\nbuy now"),
        (SCREEN, COMMAND, "Check the reference list"),
        (SCREEN, COMMAND, ""),
    ]
    assert written[page, "Instruction:a coat", "back to search\nbuy now"] == {
        "action_dict": {("click[buy now]", "learnt"): numbers(1, 1.0, 1.0)},
        "other_info": {
            "action_history": [], "last_reward": 0.0, "number": 1, "total_reward": 0.0,
        },
        "id": 1,
    }  # fmt: skip
    back = read_pool(tmp_path / "out.yaml")
    assert [(r.task, r.observation) for r in back][:3] == [(r.task, r.observation) for r in memory][
        :3
    ]


def test_a_source_without_records_writes_nothing(pool, tmp_path: Path) -> None:
    memory = memory_of(pool({SHOP_KEY: row({})}))
    out = tmp_path / "out.yaml"
    out.write_text("precious")
    with pytest.raises(DataError, match=r"no record was imported from 'other\.yaml'"):
        write_pool(out, memory, source="other.yaml")
    assert out.read_text() == "precious"


def test_two_records_with_one_key_are_an_error(tmp_path: Path) -> None:
    records = [
        Record(i, "g", "page", (), (ActionValue("a", 0.0, i),), source="mine") for i in range(2)
    ]
    with pytest.raises(DataError, match="two records share a key"):
        write_pool(tmp_path / "out.yaml", records)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_pool(tmp_path / "nowhere" / "out.yaml", ())
    (tmp_path / "taken").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_pool(tmp_path / "taken", ())
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    "held",
    [5, "x", [5], [{}], [{"content": 1, "observation": 2, "task": "g", "third": ""}],
     [{"content": {"map": [1]}, "observation": 2, "task": "g", "third": ""}],
     [{"content": {"map": []}, "observation": "x", "task": "g", "third": ""}]],
)  # fmt: skip
def test_metadata_that_no_import_left(tmp_path: Path, held: Any) -> None:
    record = Record(3, "g", "page", (), (), metadata={"pool:x.yaml": held})
    with pytest.raises(DataError, match=r"metadata of record 3: 'pool:x\.yaml' is not what an"):
        write_pool(tmp_path / "out.yaml", [record])
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one(pool, tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    out.symlink_to(tmp_path / "target.yaml")
    record = Record(0, "g", "half \ud800 a page", (), (ActionValue("a", 0.5, 1),))
    write_pool(out, [record])
    assert out.is_symlink() and (tmp_path / "target.yaml").is_file()
    assert read_pool(out)[0].observation == record.observation
