"""ReAct transcripts: a small one by hand, the real one, and damaged ones."""

from __future__ import annotations

import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rememberer_nb.elements import Episode
from rememberer_nb.envs.webshop.logs.react import read_react, summarise
from rememberer_nb.envs.webshop.logs.react_log import read_log
from rememberer_nb.envs.webshop.logs.shop_pages import option_groups
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import ConfigError, TranscriptError
from rememberer_nb.system.plain import from_data, to_data

START = "\nWebshop \nInstruction:  \nfind a  steel kettle [2 litres] \n[Search] "
RESULTS = (
    "\n[Back to Search] \nPage 1 (Total results: 2) \n[Next >] \n[B0KETTLE01] \n"
    "Kettle [steel]. Action: boil \n$12.5 \n[B0KETTLE02] \nTea pot \n$9.0 "
)
ITEM = (
    "\n[Back to Search] \n[< Prev] \ncolor [red][blue]\nsize [1 l][2 l]\n"
    "Kettle [steel]. Action: boil \nPrice: $12.5 \nRating: N.A. \n"
    "[Description] \n[Features] \n\n[Reviews] \n[Buy Now] "
)
DESCRIPTION = "\n[Back to Search] \n[< Prev] \nAction: click[red]\nObservation: none \n[note] "
SCORE = "Your score (min 0.0, max 1.0): "

BUTTONS = tuple(
    f"click[{label}]"
    for label in ("back to search", "< prev", "description", "features", "reviews", "buy now")
)
ITEM_ACTIONS = (*BUTTONS, "click[red]", "click[blue]", "click[1 l]", "click[2 l]")


def episode_text(*steps, number=0, start=START, results="1 0.5 0.0 0.0"):
    """One printed episode from (action, answer) pairs."""
    printed = [("reset", start), *steps]
    body = "".join(f"Action: {action}\nObservation: {answer}\n\n" for action, answer in printed)
    return f"{'-' * 17}\n{number}\n{body}{results}\n{'-' * 13}\n"


def notebook_text(*cells):
    """A notebook whose code cells printed the given chunks."""
    outputs = [
        [{"output_type": "stream", "name": "stdout", "text": chunk} for chunk in chunks]
        for chunks in cells
    ]
    code = [
        {"cell_type": "code", "source": "raise SystemExit", "metadata": {}, "outputs": chunks}
        for chunks in outputs
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": code})


@pytest.fixture
def read(tmp_path):
    """Reads the given text as if it were a file of that name."""

    def read_text(text, name="log.txt"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_react(path)

    return read_text


BOUGHT = episode_text(
    ("think[A kettle, not a pot.]", "OK."),
    ("search[steel Kettle]", RESULTS),
    ("click[b0kettle01]", "Invalid action!"),
    ("think[Capitals", "OK."),
    ("think[matter.]", "OK."),
    ("click[B0KETTLE01]", ITEM),
    ("click[2 l]", "You have clicked 2 l."),
    ("click[Description]", DESCRIPTION),
    ("click[< Prev]", ITEM),
    ("click[red]", "You have clicked red."),
    ("click[blue]", "You have clicked blue."),
    ("click[2 l]", "You have clicked 2 l."),
    ("think[Fits.]", "OK."),
    ("click[Buy Now]", SCORE + "0.75"),
    number=4,
)


class TestAPurchase:
    @pytest.fixture
    def episode(self, read):
        (episode,) = read(BOUGHT)
        return episode

    def test_task_and_verdict(self, episode):
        assert (episode.env, episode.agent) == ("webshop", "react")
        assert episode.task.task_id == "react_4" and episode.task.number == 4
        assert episode.task.text == "find a steel kettle [2 litres]"
        assert episode.terminated and not episode.truncated and not episode.is_success
        assert episode.rewards == (0.0,) * 9 + (0.75,)
        assert episode.final_observation == SCORE + "0.75"
        assert "trailing_rationale" not in episode.metadata

    def test_actions_are_those_of_the_shop_and_replies_those_of_the_log(self, episode):
        assert [step.action for step in episode.steps] == [
            "search[steel Kettle]",
            "click[b0kettle01]",
            "click[b0kettle01]",
            "click[2 l]",
            "click[description]",
            "click[< prev]",
            "click[red]",
            "click[blue]",
            "click[2 l]",
            "click[buy now]",
        ]
        raw = [step.decision.reply.text for step in episode.steps]
        assert raw[2] == "click[B0KETTLE01]" and raw[-1] == "click[Buy Now]"
        assert [step.index for step in episode.steps] == list(range(10))

    def test_thoughts_are_the_rationale_of_the_next_action(self, episode):
        rationales = [step.decision.rationale for step in episode.steps]
        assert rationales[0] == "A kettle, not a pot."
        assert rationales[2] == "Capitals matter."
        assert rationales[-1] == "Fits."
        assert not any(rationales[i] for i in (1, 3, 4, 5, 6, 7, 8))

    def test_a_refused_action_is_marked_and_leaves_the_page(self, episode):
        errors = [step.decision.error for step in episode.steps]
        assert errors == [None, "invalid action", *[None] * 8]
        assert episode.steps[1].observation == episode.steps[2].observation == RESULTS.rstrip()

    def test_pages_are_carried_on(self, episode):
        item, clicked = ITEM.rstrip(), "\nYou have clicked 2 l."
        pages = [step.observation for step in episode.steps]
        assert pages[0] == START.rstrip()
        assert pages[3] == item
        assert pages[4] == clicked + item.replace("[2 l]", "[[2 l]]")
        assert pages[5] == DESCRIPTION.rstrip()
        assert pages[6] == item
        assert pages[7] == "\nYou have clicked red." + item.replace("[red]", "[[red]]")
        assert pages[8] == "\nYou have clicked blue." + item.replace("[blue]", "[[blue]]")
        both = item.replace("[blue]", "[[blue]]").replace("[2 l]", "[[2 l]]")
        assert pages[9] == clicked + "\nYou have clicked blue." + both

    def test_page_types_and_available_actions(self, episode):
        types = [step.page_type for step in episode.steps]
        assert types == [
            "search",
            "results",
            "results",
            "item",
            "item",
            "description",
            *["item"] * 4,
        ]
        available = [step.available_actions for step in episode.steps]
        assert available[0] == ("search[<keywords>]", "click[search]")
        codes = ("click[b0kettle01]", "click[b0kettle02]")
        assert available[1] == ("click[back to search]", "click[next >]", *codes)
        assert available[3] == available[9] == ITEM_ACTIONS
        assert available[5] == BUTTONS[:2]

    def test_transitions_chain(self, episode):
        chain = episode.transitions()
        for now, then in itertools.pairwise(chain):
            assert now.next_observation == then.observation
        assert chain[-1].next_observation == SCORE + "0.75" and chain[-1].terminated
        assert chain[2].rationale == "Capitals matter."

    def test_survives_the_way_to_a_file(self, episode):
        assert from_data(Episode, json.loads(json.dumps(to_data(episode)))) == episode


def test_a_limit_truncates_and_keeps_the_page_and_the_last_thought(read):
    (episode,) = read(
        episode_text(
            ("search[kettle]", RESULTS),
            ("click[B0KETTLE01]", ITEM),
            ("click[1 l]", "You have clicked 1 l."),
            ("think[options '1 l', [", "OK."),
            ("think[]", "OK."),
            ("think[more]", "OK."),
        )
    )
    assert [step.truncated for step in episode.steps] == [False, False, True]
    assert not episode.terminated and episode.total_reward == 0
    assert episode.metadata["trailing_rationale"] == "options '1 l', [ more"
    shown = "\nYou have clicked 1 l." + ITEM.rstrip().replace("[1 l]", "[[1 l]]")
    assert episode.final_observation == episode.transitions()[-1].next_observation == shown


def test_a_purchase_without_a_printed_score_counts_nothing(read):
    (episode,) = read(episode_text(("search[k]", RESULTS), ("click[Buy Now]", "")))
    assert episode.terminated and episode.total_reward == 0
    assert episode.final_observation == ""


def test_a_refused_purchase_is_none(read):
    (episode,) = read(episode_text(("click[Buy Now]", "Invalid action!")))
    assert episode.truncated and summarise([episode])["purchases"] == 0
    assert episode.steps[0].action == "click[Buy Now]"


def test_full_marks_are_a_success(read):
    (episode,) = read(episode_text(("click[Buy Now]", SCORE + "1.0")))
    assert episode.is_success


def test_a_search_that_printed_nothing_leads_only_back(read):
    (episode,) = read(
        episode_text(
            ("search[a#b]", ""),
            ("search[a]", "Invalid action!"),
            ("click[Back to Search]", START),
            ("exit[quit]", "Invalid action!"),
        )
    )
    empty = episode.steps[1]
    assert (empty.observation, empty.page_type) == ("", "")
    assert empty.available_actions == episode.steps[2].available_actions
    assert empty.available_actions == ("click[back to search]",)
    assert episode.steps[3].observation == START.rstrip() == episode.final_observation
    assert episode.steps[3].action == "exit[quit]"


def test_an_episode_of_thoughts_alone_has_no_steps(read):
    (episode,) = read(episode_text(("think[hm]", "OK.")))
    assert episode.steps == () and not episode.terminated and not episode.truncated
    assert episode.final_observation == START.rstrip()
    assert episode.metadata["trailing_rationale"] == "hm"


def test_an_accepted_action_cut_off_before_its_bracket_is_closed(read):
    (episode,) = read(episode_text(("search[a kettle", RESULTS), ("click[B0KETTLE01", ITEM)))
    assert [step.action for step in episode.steps] == ["search[a kettle]", "click[b0kettle01]"]


def test_blank_lines_before_a_page_and_warnings_amid_it_are_no_part_of_it(read):
    warning = "\n\n/opt/lib/launcher.py:14: DeprecationWarning: odd '\\ '\n  re.sub('\\ ')"
    plain = read(episode_text(("search[k]", RESULTS), ("click[Next >]", "Invalid action!")))
    noisy = read(
        episode_text(("search[k]", f"\n{RESULTS}{warning}"), ("click[Next >]", "Invalid action!"))
    )
    assert noisy == plain
    assert plain[0].steps[1].observation == RESULTS.rstrip()


def test_dashes_and_numbers_inside_a_page_end_nothing(read):
    page = f"\n[Back to Search] \n[< Prev] \n{'-' * 17}\n7\nsmall\n{'-' * 13}\nAction: wait "
    (episode,) = read(episode_text(("click[Features]", page), ("click[< Prev]", ITEM)))
    assert episode.steps[1].observation == page.rstrip()


def test_several_episodes_from_a_notebook_in_chunks(read):
    first = episode_text(("click[Buy Now]", SCORE + "1.0"), results="1 1.0 1.0 0.0")
    second = episode_text(("search[k]", RESULTS), number=1, results="2 0.5 0.5 0.0")
    text = first + second
    chunks = [text[:100].splitlines(keepends=True), text[100:]]
    episodes = read(notebook_text(["loading\n"], chunks), "run.ipynb")
    assert episodes[0].metadata["where"] == "cell 1: episode 0"
    assert [e.metadata["printed_mean_score"] for e in episodes] == [1.0, 0.5]
    assert [e.steps for e in episodes] == [e.steps for e in read(text)]
    assert summarise(episodes) == {
        "episodes": 2,
        "mean_score": 0.5,
        "success_rate": 0.5,
        "purchases": 1,
        "transitions": 2,
    }


def test_a_second_attempt_at_a_task_has_its_own_id(read):
    once = episode_text(("search[k]", RESULTS), number=3)
    episodes = read(notebook_text([once], [once.replace("\n", "\r\n")]), "run.ipynb")
    assert [e.episode_id for e in episodes] == ["react_3", "react_3_2"]
    assert episodes[0].task == episodes[1].task and episodes[0].steps == episodes[1].steps


def test_only_what_was_printed_counts(read):
    cells = json.loads(notebook_text([BOUGHT]))
    cells["cells"][0]["outputs"] += [
        {"output_type": "stream", "name": "stderr", "text": BOUGHT},
        {"output_type": "execute_result", "data": {"text/plain": BOUGHT}},
    ]
    cells["cells"].append({"cell_type": "markdown", "source": BOUGHT})
    assert len(read(json.dumps(cells), "run.ipynb")) == 1


def test_nothing_to_summarise():
    with pytest.raises(ConfigError, match="no episodes"):
        summarise(())


DAMAGED = {
    "empty": ("", "no printed ReAct transcript"),
    "prose": ("A kettle.\n", "no printed ReAct transcript"),
    "no reset": (BOUGHT.replace("reset", "search[k]", 1), "episode 4: does not begin with a reset"),
    "no action": (f"{'-' * 17}\n2\n1 0.0 0.0 0.0\n{'-' * 13}\n", "episode 2: does not begin"),
    "no instruction": (episode_text(start=ITEM), "episode 0: its first page holds no instruction"),
    "headless": (BOUGHT.split("\n", 2)[2], "after the start: steps outside of any episode"),
    "cut at the end": (BOUGHT + BOUGHT[:-20], "after episode 4: episode 4 breaks off"),
    "cut after its heading": (BOUGHT + f"{'-' * 17}\n5\n", "after episode 4: episode 5 breaks off"),
    "cut in the middle": (
        BOUGHT[:-30] + "\n" + BOUGHT,
        "episode 4: breaks off: another one begins",
    ),
    "after the purchase": (
        episode_text(("click[Buy Now]", SCORE + "1.0"), ("think[so?]", "OK.")),
        "episode 0: goes on after the purchase",
    ),
    "too good": (episode_text(("click[Buy Now]", SCORE + "1.5")), "must be in .0, 1., got '1.5'"),
    "no number": (episode_text(("click[Buy Now]", SCORE + "nan")), "must be in .0, 1., got 'nan'"),
    "words": (episode_text(("click[Buy Now]", SCORE + "high")), "must be in .0, 1., got 'high'"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_transcripts_are_refused_whole(read, case):
    text, message = DAMAGED[case]
    with pytest.raises(TranscriptError, match=rf"log\.txt: .*{message}"):
        read(text)
    with pytest.raises(TranscriptError, match=rf"run\.ipynb: .*{message}"):
        read(notebook_text([text]), "run.ipynb")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a Jupyter notebook"),
        ('{"cells": []}', "is not a Jupyter notebook"),
        ('{"nbformat": 3, "worksheets": []}', "is not a Jupyter notebook"),
        ('{"nbformat": 4, "cells": [3]}', "cell 0: is not a notebook cell"),
        ('{"nbformat": 4, "cells": [{"outputs": [3]}]}', "cell 0: is not a notebook cell"),
        (notebook_text([["a", 3]]), "cell 0: has an output that is not text"),
        (notebook_text([], ["hello"]), "holds no printed ReAct transcript"),
    ],
)
def test_what_is_no_notebook_is_refused(read, text, message):
    with pytest.raises(TranscriptError, match=rf"run\.ipynb: {message}"):
        read(text, "run.ipynb")


def test_what_is_no_text_file_is_refused(tmp_path):
    with pytest.raises(TranscriptError, match=r"absent\.txt: cannot be read: no such file"):
        read_react(tmp_path / "absent.txt")
    with pytest.raises(TranscriptError, match="cannot be read: it is a folder"):
        read_react(tmp_path)
    (tmp_path / "photo.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(TranscriptError, match=r"photo\.txt: cannot be read as UTF-8"):
        read_react(tmp_path / "photo.txt")


_HEAD = f"{'-' * 17}\n0\nAction: reset\nObservation: "
_FOOT = f"\n\n1 0 0 0\n{'-' * 13}\n"
_PAGE = "Instruction:\na lamp\n[Search]\n\n"
_BUY = f"{_PAGE}Action: click[buy now]\nObservation: Your score (min 0.0, max 1.0):"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("".join(f"{'-' * 17}\n{i}\nhello\n" for i in range(30_000)), "episode 0 breaks off"),
        (_HEAD + "Instruction:\n" * 100_000 + _FOOT, "holds no instruction"),
        (_HEAD + "Instruction:" + "\n" * 100_000 + "x" + _FOOT, "holds no instruction"),
        (_HEAD + "\n[Search]" * 100_000 + _FOOT, "holds no instruction"),
        (_HEAD + _BUY + " " * 100_000 + "x" + _FOOT, r"a score must be in \[0, 1\], got 'x'"),
        (_HEAD + _PAGE + "Action: x\nObservation: y\n\n" * 1001 + _FOOT, "more than 1000 actions"),
        (_HEAD + _PAGE + "\n\n1 1e999 0 0\n" + "-" * 13, "a printed result is not finite"),
    ],
    ids=["headings", "instructions", "empty lines", "searches", "spaces", "actions", "infinite"],
)
def test_large_nonsense_takes_no_time(read, text, message):
    start = time.perf_counter()
    with pytest.raises(TranscriptError, match=message):
        read(text)
    assert time.perf_counter() - start < 2


def test_a_line_of_many_brackets_takes_no_time():
    start = time.perf_counter()
    assert option_groups(f"[< Prev]\n{'a [' * 50_000}\nLamp\nPrice: $5\n[Buy Now]") == ()
    assert time.perf_counter() - start < 2


_MARKS = ("-" * 13, "-" * 17, "\n0\n", "1 0 0 0", SCORE, "1e999", "²", START, ITEM)
_LINES = ("\n", "\n\n", "Action: ", "Observation: ", "reset", "OK.", "click[Buy Now]", "think[")
_PIECES = st.sampled_from([*_MARKS, *_LINES, "You have clicked red."])


def _read_or_refuse(folder, name, text):
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        episodes = read_react(path)
    except TranscriptError as error:
        assert name in str(error)
        return
    assert episodes
    for episode in episodes:
        assert 0 <= episode.total_reward <= 1
        if episode.steps:
            assert len(episode.transitions()) == len(episode.steps)
            assert episode.terminated != episode.truncated


@given(text=st.one_of(st.text(), st.lists(_PIECES, max_size=30).map("".join)))
@settings(max_examples=150)
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    _read_or_refuse(tmp_path_factory.getbasetemp(), "any.txt", text)


@given(data=st.data())
@settings(max_examples=200)
def test_a_damaged_transcript_is_read_or_refused(tmp_path_factory, data):
    start = data.draw(st.integers(0, len(BOUGHT)))
    end = data.draw(st.integers(start, min(len(BOUGHT), start + 60)))
    patch = data.draw(st.one_of(st.just(""), _PIECES, st.text(max_size=10)))
    text = BOUGHT[:start] + patch + BOUGHT[end:] + BOUGHT
    _read_or_refuse(tmp_path_factory.getbasetemp(), "damaged.txt", text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cells", "nbformat", "outputs", "output_type", "name", "text"]), inner
        )
    ),
    max_leaves=15,
)


@given(value=_JSON)
@settings(max_examples=150)
def test_any_json_is_refused(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_text(json.dumps(value))
    with pytest.raises(TranscriptError, match=r"any\.ipynb"):
        read_react(path)


@pytest.fixture(scope="module")
def real_path(conformance_dir):
    return conformance_dir / "webshop_react" / "WebShop-first350.ipynb"


@pytest.fixture(scope="module")
def real_episodes(real_path):
    return read_react(real_path)


class TestTheRealLog:
    def test_agrees_with_the_independent_reading(self, real_path, real_episodes):
        parsed = (real_path.parent / "episodes.jsonl").read_text(encoding="utf-8").splitlines()
        logged = read_log(real_path)
        assert len(parsed) == len(logged) == 350
        for line, log, episode in zip(parsed, logged, real_episodes, strict=True):
            expected = json.loads(line)
            steps = [{"observation": s.before.strip(), "action": s.action} for s in log.steps]
            assert steps == expected["steps"]
            assert log.instruction == episode.task.text == expected["instruction"]
            assert log.steps[-1].after.strip() == expected["final_observation"]
            assert episode.total_reward == expected["reward"]
            assert episode.terminated == expected["done"]
            raw = [s["action"] for s in steps if not s["action"].startswith("think")]
            assert [step.decision.reply.text for step in episode.steps] == raw

    def test_summary(self, real_episodes):
        summary = summarise(real_episodes)
        assert summary["mean_score"] == pytest.approx(0.63076, abs=5e-6)
        assert summary["success_rate"] == pytest.approx(0.32857, abs=5e-6)
        counts = (summary["episodes"], summary["purchases"], summary["transitions"])
        # 1263 clicks, 373 searches and 3 "exit" among the 2413 printed actions
        assert counts == (350, 323, 1639)
        assert sum(e.terminated and not e.final_observation for e in real_episodes) == 4

    def test_running_results_follow_from_the_scores(self, real_episodes):
        total = successes = 0.0
        for n, episode in enumerate(real_episodes, start=1):
            total += episode.total_reward
            successes += episode.is_success
            assert episode.metadata["printed_mean_score"] == pytest.approx(total / n)
            assert episode.metadata["printed_success_rate"] == pytest.approx(successes / n)

    def test_every_accepted_action_was_available(self, real_episodes):
        accepted = [s for e in real_episodes for s in e.steps if s.decision.error is None]
        assert len(accepted) == 1639 - 219  # "Invalid action!" in the log
        for step in accepted:
            is_listed = step.action in step.available_actions
            assert is_listed or WEBSHOP.match(step.action, step.available_actions) == step.action

    def test_pages_are_whole(self, real_episodes):
        for episode in real_episodes:
            for step in episode.steps:
                assert "Warning" not in step.observation
                assert step.observation not in ("OK.", "Invalid action!")
                assert step.page_type or step.observation == ""

    def test_takes_less_than_two_seconds(self, real_path):
        start = time.perf_counter()
        read_react(real_path)
        assert time.perf_counter() - start < 2
