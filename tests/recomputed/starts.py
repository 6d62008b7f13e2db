"""What single units of a start can remember, and whether it tells which runs learn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import optimize, stats

from . import rows, statistics

NOISE = 0.05
"""Standard deviation of the noise on every channel and step."""
CONDITIONS = (
    *("W*D*", "W*D*C*", "W*D*C", "W!D*C", "W!D*C*"),
    *("self-connections of W* alone", "W* shuffled off the diagonal"),
)
COHERENCES = (6.4, 12.8, 25.6, 51.2)
"""Of perceptual decision, without zero, which has no right answer."""
GOALS_AND_OFFERS = (
    *((1, (1, 0), 1), (1, (2, 3), 2), (3, (0, 3), 3), (2, (2, 3), 3)),
    *((2, (1, 0), 0), (0, (1, 2), 1), (3, (0, 2), 2), (0, (0, 2), 0)),
)
"""The eight problems of one-choice: goal, directions on offer, answer (left, up, right, down)."""
CUES = {"one_choice": (0, 1, 2, 3), "perceptual": (1, 2), "go_nogo": (1, 2)}
TOLD_APART = {"one_choice": ({1, 2}, {0, 3}), "perceptual": ({1, 2},), "go_nogo": ({1, 2},)}
"""Cues that ask for different answers at equal last input."""


def trials(task: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Noiseless trials with one right answer, and pairs that only memory can tell apart."""
    if task == "one_choice":
        inputs = np.zeros((8, 50, 8))
        for trial, (goal, offer, _) in zip(inputs, GOALS_AND_OFFERS, strict=True):
            trial[:20, goal] = 1
            trial[30:, [4 + direction for direction in offer]] = 1
        answers = [answer for *_, answer in GOALS_AND_OFFERS]
    elif task == "perceptual":
        inputs = np.zeros((8, 41, 3))
        inputs[:, :, 0] = 1
        answers = [0, 0, 0, 0, 1, 1, 1, 1]
        for trial, answer, coherence in zip(inputs, answers, COHERENCES * 2, strict=True):
            way = coherence / 200 * (1 - 2 * answer)
            trial[1:31, 1:] = (0.5 + way, 0.5 - way)
    else:
        inputs, answers = np.zeros((2, 40, 3)), [0, 1]
        inputs[:, :5, 0] = inputs[:, 25:35, 0] = 1
        inputs[0, 5:25, 1] = inputs[1, 5:25, 2] = 1
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(len(inputs)), 2)
        if answers[i] != answers[j] and np.array_equal(inputs[i, -1], inputs[j, -1])
    ]
    return inputs, pairs


def leaky_accuracy(task: str, weight: float) -> float:
    """Accuracy of two uncoupled leaky units that read a channel each."""
    if task == "perceptual":
        steps, on, signals = 41, slice(1, 31), np.array([0.0, *COHERENCES]) / 100
    else:
        steps, on = (50, slice(0, 20)) if task == "one_choice" else (40, slice(5, 25))
        signals = np.array([1.0])
    variance = np.full(steps, 2 * NOISE**2)
    if task == "perceptual":
        variance[on] += 2 * 0.1**2
    kept = weight ** np.arange(steps - 1, -1, -1.0)
    right = stats.norm.cdf(signals * kept[on].sum() / np.sqrt((kept**2) @ variance)).mean()
    return float(2 / 8 + 6 / 8 * right if task == "one_choice" else right)


def needed(task: str) -> float:
    """Self-connection with half of what a perfect integrator gains."""
    middle = (rows.GUESS[task] + leaky_accuracy(task, 1.0)) / 2
    return float(optimize.brentq(lambda w: leaky_accuracy(task, w) - middle, 0.01, 1, xtol=1e-14))


def features(units: pd.DataFrame) -> pd.DataFrame:
    """Measure every start by its listed units."""
    known = {task: (needed(task), *trials(task)) for task in rows.TASKS}
    found = {}
    for identity, mine in units.sort_values("rank").groupby("identity", sort=False):
        task, n = str(mine["task"].iloc[0]), int(mine["n_neurons"].iloc[0])
        weights = np.stack(mine["input_weights"].to_list())
        found[identity] = _start(task, weights, mine["self_connection"].to_numpy(), n, *known[task])
    return pd.DataFrame(found).T


def _start(
    task: str,
    weights: np.ndarray,
    own: np.ndarray,
    n_neurons: int,
    threshold: float,
    inputs: np.ndarray,
    pairs: list[tuple[int, int]],
) -> dict[str, float]:
    """Measure one start; weights have shape (units, channels)."""
    of_cues = weights[:, CUES[task]]
    strong = own > threshold
    excited = strong & (of_cues.max(axis=1) > 0)
    preferred = {CUES[task][int(of_cues[unit].argmax())] for unit in np.flatnonzero(excited)}
    state = np.zeros((len(inputs), len(own)))
    for step in range(inputs.shape[1]):
        state = np.maximum(0.0, inputs[:, step] @ weights.T + state * own)
    scale = (6 / (weights.shape[1] + n_neurons)) ** 0.5
    apart = np.mean([np.linalg.norm(state[i] - state[j]) for i, j in pairs]) / scale
    return {
        **{"strong": strong.sum(), "excited": excited.sum()},
        **{"opposed": any(pair <= preferred for pair in TOLD_APART[task])},
        **{"largest": own[0], "second": own[1] if len(own) > 1 else 0.0},
        **{"separation": apart, "silent": apart < NOISE},
        **{"strongest_excited": of_cues[0].max() > 0},
    }


def runs_with_features(cells: rows.Cells, measured: pd.DataFrame) -> pd.DataFrame:
    """Put starts beside what became of their runs."""
    runs = pd.concat(
        rows.condition(cells, name, field) for name in CONDITIONS for field in rows.FIELDS
    )
    runs = runs.assign(learned=rows.learned(runs)).set_index("identity")
    lacking = {**dict.fromkeys(measured.columns, 0.0), "silent": 1.0}
    beside = measured.astype(float).reindex(runs.index).fillna(lacking)
    return runs[["label", "field", "task", "seed", "accuracy", "learned"]].join(beside)


def effective(seeds: pd.Series) -> float:
    """Number of seeds that runs are worth (Kish)."""
    sizes = seeds.value_counts().to_numpy()
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def shares(table: pd.DataFrame, by: Sequence[str]) -> dict[tuple, tuple[float, ...]]:
    """Runs, seeds, learned, share and exact interval of clusters, by some columns."""
    found = {}
    for key, mine in table.groupby(list(by)):
        share, worth = mine["learned"].mean(), effective(mine["seed"])
        ends = statistics.exact_share(share * worth, worth)
        found[key] = (len(mine), mine["seed"].nunique(), mine["learned"].sum(), share, *ends)
    return found


def traces(table: pd.DataFrame) -> pd.DataFrame:
    """When units of watched runs fell silent, and what became of the strongest."""
    found = []
    for _, run in table.groupby("identity", sort=False):
        task = run["task"].iloc[0]
        start = run[run["update"] == 0]
        heard = run.groupby("update")["separation"].max() >= NOISE
        last = heard[heard].index.max() if heard.any() else -1
        after = heard.index[heard.index > last]
        first = run[run["rank"] == 1].sort_values("update")["self_connection"]
        found.append(
            {
                **{name: run[name].iloc[0] for name in ("field", "task", "seed", "learned")},
                "strong": int((start["self_connection"] > needed(task)).sum()),
                "silent_at_start": not heard.loc[0],
                "silent_from": after[0] if len(after) else np.nan,
                **{"start": first.iloc[0], "end": first.iloc[-1]},
            }
        )
    return pd.DataFrame(found)


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logistic model with half the sum of squares of slopes added, by Newton's method."""
    design = np.column_stack([np.ones(len(x)), x])
    ridge = np.diag([0.0, *np.ones(x.shape[1])])
    weights = np.zeros(design.shape[1])
    for _ in range(60):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (y - chance) - ridge @ weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, slope)
        weights = weights + step * min(1.0, 4 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-12:
            break
    return weights


def out_of_sample(table: pd.DataFrame, columns: Sequence[str]) -> dict[tuple, tuple[float, ...]]:
    """Area under the curve for runs of another field, and of seeds that were left out.

    Separations span orders of magnitude and enter by their square root.
    """
    table = table.assign(separation=table["separation"] ** 0.5)
    found = {}
    for task in rows.TASKS:
        of_task = table[table["task"] == task]
        for field in rows.FIELDS:
            here, rest = of_task[of_task["field"] == field], of_task[of_task["field"] != field]
            ways = {"another field": [(rest, here)], "other seeds": list(_by_seed(here))}
            for way, splits in ways.items():
                found[task, field, way] = _tested(splits, list(columns))
    return found


def _by_seed(runs: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    for seed in sorted(runs["seed"].unique()):
        yield runs[runs["seed"] != seed], runs[runs["seed"] == seed]


def _tested(
    splits: list[tuple[pd.DataFrame, pd.DataFrame]], columns: list[str]
) -> tuple[float, float, float]:
    """Area, with its interval, over all tested runs of some splits."""
    scores = []
    for train, test in splits:
        if train["learned"].nunique() < 2:
            return np.nan, np.nan, np.nan
        center, spread = train[columns].mean(), train[columns].std(ddof=0).replace(0.0, 1.0)
        x, new = (((part[columns] - center) / spread).to_numpy() for part in (train, test))
        weights = fit(x, train["learned"].to_numpy(float))
        scores.append(test.assign(score=weights[0] + new @ weights[1:]))
    tested = pd.concat(scores)
    good, bad = (tested[tested["learned"] == did] for did in (True, False))
    if good.empty or bad.empty:
        return np.nan, np.nan, np.nan
    higher = np.sign(np.round(good["score"].to_numpy()[:, None] - bad["score"].to_numpy(), 9))
    area = float((higher.mean() + 1) / 2)
    return area, *area_interval(area, effective(good["seed"]), effective(bad["seed"]))


def area_interval(area: float, m: float, n: float) -> tuple[float, float]:
    """Newcombe's method 5 for an area under the curve."""
    z, star = stats.norm.isf(0.025), (m + n) / 2 - 1

    def off(theta: float) -> float:
        spread = 1 + star * (1 - theta) / (2 - theta) + star * theta / (1 + theta)
        return float((area - theta) ** 2 - z**2 * theta * (1 - theta) * spread / (m * n))

    low = 0.0 if area == 0 else optimize.brentq(off, 0, area, xtol=1e-14)
    high = 1.0 if area == 1 else optimize.brentq(off, area, 1, xtol=1e-14)
    return float(low), float(high)
