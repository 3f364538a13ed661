"""Rank correlation, AUC and their intervals over episodes, with numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from rememberer_nb.analysis.calibration import relation, score_by_bin, spearman, success_auc
from rememberer_nb.errors import ConfigError


def frame(*rows, part=None):
    """Steps from (episode, score, record, other)."""
    table = pd.DataFrame(rows, columns=["episode_id", "score", "record", "other"])
    table["is_success"] = table["score"] == 1.0
    return table if part is None else table.assign(part=part)


class TestMeasures:
    def test_ranks_by_hand(self):
        # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: Σ dx dy = 4.5, Σ dx² = 4.5, Σ dy² = 5.
        rho = spearman(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0.0, 0.2, 0.5, 1.0]))
        assert rho == pytest.approx(4.5 / np.sqrt(4.5 * 5))

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
    def test_spearman_is_the_correlation_of_ranks_and_0_for_constants(self, pairs):
        x, y = np.array(pairs, dtype=float).T
        is_constant = min(np.ptp(x), np.ptp(y)) == 0
        wanted = 0.0 if is_constant else np.corrcoef(rankdata(x), rankdata(y))[0, 1]
        assert spearman(x, y) == pytest.approx(wanted)

    def test_auc_needs_both_outcomes(self):
        values = np.array([0.2, 0.9, 0.9])
        # Pairs (0.2, 0.9) and (0.9, 0.9): 0 + 1/2, of 2.
        assert success_auc(values, np.array([True, True, False])) == 0.25
        assert np.isnan(success_auc(values, np.array([True, True, True])))
        assert np.isnan(success_auc(values, np.array([False, False, False])))


class TestRelation:
    def test_a_perfect_predictor_and_a_constant(self):
        rows = [(f"e{i}", float(i % 2), float(i % 2), 0.5) for i in range(20)]
        table = relation(frame(*rows), ["record", "other"]).set_index(["predictor", "metric"])
        assert table.loc[("record", "spearman"), "value"] == pytest.approx(1.0)
        assert table.loc[("record", "auc"), ["value", "low", "high"]].tolist() == [1.0, 1.0, 1.0]
        assert table.loc[("other", "auc"), ["value", "low", "high"]].tolist() == [0.5, 0.5, 0.5]
        assert table["is_clear"].tolist() == [True, False, True, False]

    def test_differences_are_paired(self):
        rows = [(f"e{i}", float(i % 2), i % 2 + 0.1 * (i % 3), 0.5) for i in range(30)]
        table = relation(frame(*rows), ["record", "other"], contrasts=[("record", "other")])
        by_name = table.set_index(["predictor", "metric"])
        gap = by_name.loc[("record − other", "auc")]
        assert gap["value"] == pytest.approx(by_name.loc[("record", "auc"), "value"] - 0.5)
        assert gap["chance"] == 0 and gap["is_clear"]

    def test_episodes_not_steps_are_drawn(self):
        # Two episodes of 50 steps each: an interval over steps would be narrow, this one is not.
        rows = [("a", 1.0, v, 0.0) for v in np.linspace(0, 1, 50)]
        rows += [("b", 0.0, v, 0.0) for v in np.linspace(-0.1, 0.9, 50)]
        rows += [("c", 0.0, 2.0, 0.0), ("d", 1.0, -2.0, 0.0)]
        few = relation(frame(*rows), ["record"]).iloc[1]
        many = frame(*rows).assign(episode_id=[f"s{i}" for i in range(len(rows))])
        by_step = relation(many, ["record"]).iloc[1]
        assert few["value"] == by_step["value"]
        assert few["high"] - few["low"] > 2 * (by_step["high"] - by_step["low"])

    def test_parts_are_measured_one_by_one(self):
        # Each part's constant is right about the other part: pooled it would be all wrong.
        low = frame(("a", 1.0, 0.2, 0), ("b", 1.0, 0.2, 0), ("c", 0.0, 0.2, 0), part=0)
        high = frame(("d", 0.0, 0.8, 0), ("e", 0.0, 0.8, 0), ("f", 1.0, 0.8, 0), part=1)
        both = pd.concat([low, high], ignore_index=True)
        assert relation(both, ["record"], n_resamples=20)["value"].tolist() == [0.0, 0.5]
        pooled = relation(both.drop(columns="part"), ["record"], n_resamples=20)
        assert pooled["value"].iloc[1] == pytest.approx(3 / 9)  # 1 win and 4 ties of 9 pairs

    def test_parts_weigh_by_their_steps(self):
        good = frame(("a", 1.0, 1.0, 0), ("b", 0.0, 0.0, 0), part=0)
        bad = frame(*[(f"c{i}", float(i % 2), -float(i % 2), 0) for i in range(6)], part=1)
        one_sided = frame(("x", 0.0, 0.3, 0), ("y", 0.0, 0.6, 0), part=2)
        table = relation(
            pd.concat([good, bad, one_sided], ignore_index=True), ["record"], n_resamples=10
        )
        # AUC 1 with weight 2, AUC 0 with weight 6; the third part has no AUC.
        assert table["value"].iloc[1] == pytest.approx(2 / 8)

    def test_one_outcome_only_is_no_number(self):
        row = relation(frame(("a", 0.0, 0.1, 0), ("b", 0.0, 0.2, 0)), ["record"]).iloc[1]
        assert np.isnan([row["value"], row["low"], row["high"]]).all() and not row["is_clear"]

    def test_the_seed_decides(self):
        rng = np.random.default_rng(1)
        rows = [(f"e{i}", float(rng.integers(2)), rng.random(), 0.0) for i in range(40)]
        one, same, other = (relation(frame(*rows), ["record"], seed=s) for s in (0, 0, 1))
        assert one.equals(same) and not one.equals(other)

    def test_nothing_to_relate(self):
        with pytest.raises(ConfigError, match="no predictions"):
            relation(frame().astype({"score": float}), ["record"])


def test_bins_by_hand():
    table = score_by_bin(
        frame(
            ("a", 1.0, 0.1, 0), ("a", 1.0, 0.19, 0), ("b", 0.0, 0.0, 0), ("c", 0.5, 1.0, 0),
            ("d", 0.25, 1.3, 0),
        )
    )  # fmt: skip
    assert table[["low_edge", "high_edge"]].values.tolist() == [[0.0, 0.2], [0.8, 1.0]]
    assert table["mean"].tolist() == pytest.approx([2 / 3, 0.375])
    assert table[["n_steps", "n_episodes"]].values.tolist() == [[3, 2], [2, 2]]
    assert table.loc[1, ["low", "high"]].tolist() == [0.25, 0.5]
