"""Every number of the page of rules is that of the code, and every constant is on the page."""

import inspect
import math
import re
from datetime import datetime

import pytest

from cortexrnn.evidence import equivalence, predictions, replication
from cortexrnn.evidence.intervals import t_interval
from cortexrnn.evidence.predictions import PREDICTIONS
from cortexrnn.evidence.published import ROUNDING, published_cells, published_table
from cortexrnn.fields.sources.published import FIELDS
from cortexrnn.networks.specification import SIGNS
from cortexrnn.networks.tasks import TASKS
from cortexrnn.networks.variant import VARIANTS
from cortexrnn.runs.archive import load_archive
from cortexrnn.runs.controls import DOSES, NORM_SHARES
from cortexrnn.runs.labels import as_published, select
from tests.evidence.test_held_beforehand import (
    FIRST,
    FURTHER,
    HELD,
    LAST,
    NORMS,
    RELABELLED,
    SECOND,
    THIRD,
)
from tests.test_promises import RULES, read, said, table

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
WORDS += ["eleven"]
CELLS = published_cells()
LOST = CELLS[CELLS["published_diverged"]]
LEVEL = inspect.signature(t_interval).parameters["level"].default
ORTHOGONAL = [name for name, variant in VARIANTS.items() if variant.start == "orthogonal"]


def in_words(*counts: int) -> tuple[str, ...]:
    return tuple(WORDS[count] for count in counts)


def time_of(commit: str) -> str:
    """Hour and minute of a commit, as the page writes them."""
    (time,) = {held.time for held in HELD.values() if held.commit == commit}
    return time[11:16]


def day_of(name: str) -> str:
    return f"{datetime.fromisoformat(HELD[name].time):%d %B %Y}"


def count_of(name: str) -> str:
    return str(HELD[name].count)


SAID = {
    r"written on (\d+ \w+ \d+), before the first full run": day_of("rules"),
    r"(\w+) metrics \(.*\), (\w+) variants, (\w+) tasks, (\w+) signs": in_words(
        len(equivalence.MARGINS), len(VARIANTS), len(TASKS), len(SIGNS)
    ),
    r"signs, (\d+) cells": str(len(CELLS)),
    r"is a mean over (\d+) simulations": str(equivalence.PUBLISHED_RUNS),
    r"protocol, seeds (\d+) to (\d+), one draw": ("0", "19"),  # see the archive, below
    r"the (\w+) variants that start orthogonal": WORDS[len(ORTHOGONAL)],
    r"These (\d+) combinations of variant and task": str(
        len(LOST.drop_duplicates(["variant", "task"]))
    ),
    r"task \((\d+) of the (\d+) cells\)": (str(len(LOST)), str(len(CELLS))),
    r"The other (\d+) cells are \*testable\*": str(len(CELLS) - len(LOST)),
    r"With fewer than (\w+) values a cell is not": WORDS[equivalence.LEAST_RUNS],
    r"with the rounding to (\w+) decimals": WORDS[-round(math.log10(ROUNDING * 12**0.5))],
    r"two small fields, (\w+) and (\w+),": replication.DRAW_FIELDS,
    r"carries over to (\d+) neurons": str(FIELDS.set_index("field")["n_neurons"]["6_6_2"]),
    r"false discovery rate of (\d+) %": f"{100 * equivalence.FALSE_DISCOVERY_RATE:g}",
    r"Not more than (\d+) % of the testable cells": f"{100 * replication.TOLERATED:g}",
    r"with a (\d+) % interval from the t distribution": f"{100 * LEVEL:g}",
    r"penalty gradient at the start and accuracy is at most (-[\d.]+\d)": (
        f"{predictions.ORDERING:g}"
    ),
    r"On (\d+ \w+ \d+), before the first run of a control": day_of("first"),
    r"of a control, (\d+) predictions were written": str(
        sum(HELD[name].count for name in ("first", "second", "third"))
    ),
    r"UTC\): (\d+) at ([\d:]+), (\d+) at ([\d:]+) in the place of two": (
        *(count_of("first"), time_of(FIRST)),
        *(count_of("second"), time_of(SECOND)),
    ),
    r"and (\d+) about the tasks of NeuroGym at ([\d:]+)": (count_of("third"), time_of(THIRD)),
    r"five seeds of field (\w+) were known, at ([\d:]+), (\d+) were added": (
        *(*{field for one in PREDICTIONS for field in one.known_on}, time_of(LAST)),
        count_of("later"),
    ),
    r"also written then, for all (\d+)": count_of("readings"),
    r"On (\d+ \w+ \d+), when these had been run": day_of("further"),
    r"read, (\d+) predictions about further controls were added at ([\d:]+)": (
        count_of("further"),
        time_of(FURTHER),
    ),
    r"On (\d+ \w+ \d+), at ([\d:]+), (\d+) predictions were added about penalties": (
        *(day_of("at equal norm"), time_of(NORMS)),
        count_of("at equal norm"),
    ),
    r"At ([\d:]+) one more was added, before W": time_of(RELABELLED),
    r"norm of the weights, or ([\d.]+) of it": f"{max(NORM_SHARES):g}",
    r"shuffled distances, .* values; (\d+) to (\d+) strong": (str(min(DOSES)), str(max(DOSES))),
    r"means over at least (\w+) draws lie on both": WORDS[replication.LEAST_DRAWS],
    r"by themselves .* so that (\w+) are asked now": WORDS[equivalence.LEAST_RUNS],
}
UNCHECKED = [
    r"Tables 2 and 3",  # of the paper
    r"A bound of 1 or -1",  # differences of accuracies and modularities lie between
    r"chapters 6 and 7",
    r"the first 51 predictions had been judged",  # as "readings" counts them, see above
    r"Chapter 10",
    r"10_controls.ipynb",
    r"\d_\d_\d",  # fields
    r"seeds of field 5_3_4",
    r"\\neq 0",
    r"\\tau\^2",
]


@pytest.mark.parametrize("pattern", SAID)
def test_a_number_of_the_rules_is_that_of_the_code(pattern: str) -> None:
    assert said(RULES, pattern) == SAID[pattern]


def test_no_number_of_the_rules_goes_unchecked() -> None:
    lines = [line for line in read(RULES).splitlines() if not line.startswith("|")]
    text = " ".join(" ".join(lines).split())
    spans = [
        m.span(i + 1) for one in SAID for m in re.finditer(one, text) for i in range(m.re.groups)
    ]
    spans += [m.span() for one in UNCHECKED for m in re.finditer(one, text)]
    known = {place for low, high in spans for place in range(low, high)}
    unknown = [m.start() for m in re.finditer(r"\d", text) if m.start() not in known]
    assert [text[max(0, place - 40) : place + 20] for place in unknown] == []


def test_margins_and_spans_are_those_of_the_code_and_the_published_table() -> None:
    rows = table(RULES, "metric")
    names = rows["metric"].str.removesuffix(" (bits)").str.replace("-", "_")
    margins = dict(zip(names, map(float, rows["margin"]), strict=True))
    assert margins == equivalence.MARGINS
    free = published_table().query("arm == 'corr'").groupby("metric")["mean"]
    spans = free.max() - free.min()
    for name, span in zip(names, rows["span"], strict=True):
        assert f"{spans[name]:.2f}" == span


def test_bounds_are_those_of_the_predictions() -> None:
    rows = table(RULES, "prediction").set_index(["prediction", "metric"]).astype(float)
    shared = {
        "same": predictions.SAME,
        "lost": predictions.LOST,
        "at least": predictions.AT_LEAST,
        "gained": predictions.GAINED,
    }
    for name, bounds in shared.items():
        assert rows.loc[(name, "accuracy")].to_dict() == bounds
    listed = {(metric, *row) for (_, metric), row in zip(rows.index, rows.to_numpy(), strict=True)}
    assert listed == {(one.metric, one.low, one.high) for one in PREDICTIONS}


def test_verdicts_are_those_that_are_defined() -> None:
    defined = re.findall(r"^\*([a-z]+)\*\n: ", read(RULES), flags=re.MULTILINE)
    assert defined == list(equivalence.VERDICTS[:3])


def test_the_archive_holds_the_runs_that_the_rules_name() -> None:
    archive = load_archive()
    first, last = map(int, said(RULES, r"protocol, seeds (\d+) to (\d+), one draw"))
    for sign in SIGNS:
        runs = select(archive, field="6_6_2", sign=sign)
        assert set(runs["data_seed"]) == {0}
        seeds = runs.groupby(["variant", "task"])["seed"].apply(set)
        assert len(seeds) == len(VARIANTS) * len(TASKS)
        assert all(one == set(range(first, last + 1)) for one in seeds)
    assert said(RULES, r"(\w+) draws and (\w+) seeds of every variant") == in_words(10, 2)
    runs = as_published(archive).query("arm == 'corr'")
    for name in replication.DRAW_FIELDS:
        on = runs[runs["field"] == name].groupby(["variant", "task"])
        assert len(on) == len(VARIANTS) * len(TASKS)
        for _, cell in on:
            seeds = cell.groupby("data_seed")["seed"].apply(set)
            assert len(seeds) == 10
            assert len(set.intersection(*seeds)) == 2
