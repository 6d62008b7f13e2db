"""Figures and sentences of the page on cost: how long a design takes, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from cortexrnn.benchmark import forecast, report
from cortexrnn.fields.sources import load_field
from cortexrnn.fields.sources.published import FIELDS
from cortexrnn.figures.style import WIDTH, palette

__all__ = [
    "accelerator_sentence",
    "answer",
    "beside_keras",
    "curves",
    "design_table",
    "duration",
    "floor_sentence",
    "floors",
    "growth_table",
    "hour_sentence",
    "keras_sentence",
    "keras_table",
    "left_out_table",
    "members",
    "name_and_size",
    "topology",
]

NARROW = 4.9
"""Inches. A figure of this width keeps its text at ten pixels and more on the screen of a phone."""
NAMES = {"plain": "without C", "direct": "with C", "emd": "with C*"}
"""What readers call a kind of penalty."""
COLOURS = {"plain": palette[0], "direct": palette[1], "emd": palette[4]}
UNITS = {
    "milliseconds": 1 / 3_600_000,
    "seconds": 1 / 3600,
    "minutes": 1 / 60,
    "hours": 1.0,
    "days": 24.0,
}
"""Units of time, in hours."""
TICKS = {
    0.01 / 3600: "10 ms", 0.1 / 3600: "0.1 s", 1 / 3600: "1 s", 10 / 3600: "10 s",
    1 / 60: "1 min", 1 / 6: "10 min", 1.0: "1 h", 10.0: "10 h", 100.0: "4 days",
    1000.0: "40 days", 10_000.0: "1 year",
}  # fmt: skip
"""Where an axis of hours has its marks, about ten times apart, and what they are called."""
SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
"""Marks of an axis of neurons."""


def duration(hours: float) -> str:
    """Say how long something takes, in a unit that leaves a small number.

    Parameters
    ----------
    hours : float
        How long.

    Returns
    -------
    str
        For example ``45 seconds``, ``14 minutes``, ``2.6 hours`` or ``5.0 days``.

    Examples
    --------
    >>> duration(0.25)
    '15 minutes'
    """
    limits = {"milliseconds": 0.5 / 3600, "seconds": 90 / 3600, "minutes": 1.5, "hours": 48.0}
    unit = next((name for name, limit in limits.items() if hours < limit), "days")
    value = hours / UNITS[unit]
    return f"{value:.0f} {unit}" if value >= 9.95 else f"{value:.1f} {unit}"


def name_and_size(field: str) -> tuple[str, int]:
    """Name a field and count its neurons; a published one is not loaded for that.

    Parameters
    ----------
    field : str
        What :func:`cortexrnn.fields.sources.load_field` takes.

    Returns
    -------
    name : str
        Its name.
    n_neurons : int
        N.
    """
    listed = FIELDS.set_index("field")["n_neurons"]
    if field in listed:
        return field, int(listed[field])
    loaded = load_field(field)
    return loaded.name, loaded.n_neurons


# --- the answer


def answer(
    measured: report.Measurements,
    *,
    field: str,
    n_neurons: int,
    n_runs: int,
    cores: int,
    published: Sequence[int],
) -> Figure:
    """Draw how long a design takes against the number of neurons, with the reader's field in it.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    field : str
        The reader's field.
    n_neurons : int
        Its neurons.
    n_runs, cores : int
        The design, see :func:`cortexrnn.benchmark.forecast.design_hours`.
    published : sequence of int
        Neurons of the published fields, marked on the axis.

    Returns
    -------
    Figure
        Lines on the processor, full where whole runs were measured and dashed where they are
        scaled, and one for every accelerator and kind that was measured; a point for the design.
    """
    there = forecast.accelerator_hours(measured, n_runs=n_runs)
    n_lines = len(there.drop_duplicates(["accelerator", "what"]))
    figure = Figure(figsize=(NARROW, 3.5 + 0.3 * n_lines), layout="constrained")
    axes = figure.subplots()
    known = {*measured.table["n_neurons"], *there["n_neurons"], n_neurons}
    smallest, largest = min(*known, *published), max(known)
    sizes = np.geomspace(smallest, max(measured.table["n_neurons"].max(), n_neurons), 60)
    whole = measured.table[(measured.table["kind"] == "run") & (measured.table["members"] == 1)]
    grid = sorted({*sizes.round().astype(int).tolist(), *whole["n_neurons"]})
    here = forecast.hours_by_size(measured, grid, n_runs=n_runs, cores=cores)
    cores_text = "1 core" if cores == 1 else f"{cores} cores"
    for what, line in here.groupby("what", sort=False):
        exact = line[~line["scaled"]]
        axes.plot(line["n_neurons"], line["hours"], "--", color=COLOURS[what], linewidth=1.5)
        axes.plot(
            exact["n_neurons"], exact["hours"], color=COLOURS[what], linewidth=2.5,
            label=f"{NAMES[what]}, {cores_text}",
        )  # fmt: skip
    markers = iter("sD^vPX")
    for name, device in there.groupby("accelerator", sort=False):
        marker = next(markers, "o")
        for what in (kind for kind in forecast.KINDS if kind in set(device["what"])):
            line = device[device["what"] == what]
            axes.plot(
                line["n_neurons"], line["hours"], marker=marker, color=COLOURS[what],
                linewidth=1.0, markersize=5, label=f"{NAMES[what]}, {name}",
            )  # fmt: skip
    own = forecast.design_hours(measured, n_neurons=n_neurons, n_runs=n_runs, cores=cores)["hours"]
    shown = pd.concat([here["hours"], there["hours"]])
    low = shown.min() / 3
    _mark_fields(axes, published, bottom=low)
    axes.axvline(n_neurons, color="0.6", linewidth=1, zorder=0)
    axes.plot(n_neurons, own, "o", color="black", markersize=8, zorder=5)
    on_the_right = n_neurons > np.sqrt(smallest * largest)
    axes.annotate(
        f"{field}: {duration(own)}", (n_neurons, own),
        xytext=(-9, 9) if on_the_right else (9, -14), textcoords="offset points",
        ha="right" if on_the_right else "left", fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )  # fmt: skip
    axes.set(xlim=(smallest / 1.15, largest * 1.15), ylim=(low, shown.max() * 3))
    _neurons_and_hours(axes)
    axes.set_ylabel(f"time of {n_runs:,} {'run' if n_runs == 1 else 'runs'}")
    figure.legend(loc="outside upper left", ncols=2 if there.empty else 1, columnspacing=1.0)
    return figure


def _mark_fields(axes: Axes, published: Sequence[int], *, bottom: float) -> None:
    """Mark published fields as ticks that stand on the axis of neurons."""
    axes.plot(
        published, np.full(len(published), bottom * 1.35), "|", color="0.35", markersize=9,
        label="published fields",
    )  # fmt: skip


def _neurons_and_hours(axes: Axes) -> None:
    """Scale both axes by logarithms, with marks that are numbers of neurons and times."""
    bounds = axes.get_xlim(), axes.get_ylim()
    axes.set(xscale="log", yscale="log", xlabel="neurons N")
    axes.set(xlim=bounds[0], ylim=bounds[1])
    _neurons(axes)
    axes.yaxis.set_major_locator(FixedLocator(list(TICKS)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: TICKS.get(value, "")))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="0.9", linewidth=0.8)


def _neurons(axes: Axes) -> None:
    """Mark an axis of neurons by powers of two."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(SIZES))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())


def accelerator_sentence(measured: report.Measurements, *, n_runs: int) -> str:
    """Say what the design takes on an accelerator, or that none was measured.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    n_runs : int
        Runs of the design.

    Returns
    -------
    str
        Whole sentences.
    """
    said = [
        f"On {one.machine['accelerator']}{' in TF32' if one.tf32 else ''}, "
        f"{one.parts['experiment']['runs']:,} runs took "
        f"{duration(one.parts['experiment']['seconds'] / 3600)}, topology included."
        for one in measured.accelerators
        if "experiment" in one.parts and one.machine["accelerator"]
    ]
    there = forecast.accelerator_hours(measured, n_runs=n_runs)
    if said:
        return " ".join(said)
    if there.empty:
        return "No accelerator has been measured yet."
    names = ", ".join(dict.fromkeys(there["accelerator"]))
    return f"Lines of {names} are updates in the best batch that was measured, without topology."


# --- how that is known


def floor_sentence(table: pd.DataFrame, *, n_neurons: int) -> str:
    """Say how many times its floor an update takes at the measured size nearest to one.

    Parameters
    ----------
    table : DataFrame
        Measurements.
    n_neurons : int
        N.

    Returns
    -------
    str
        One sentence.

    Raises
    ------
    ValueError
        If no update was measured on a processor.
    """
    steps = _alone(table, kinds=("step",))
    sizes = steps["n_neurons"].unique()
    nearest = min(sizes, key=lambda size: abs(np.log(size / n_neurons)))
    there = steps[steps["n_neurons"] == nearest].set_index("what")
    ratios = there["seconds"] / there["floor_seconds"]
    said = [f"{ratios[what]:.2f} times {name}" for what, name in NAMES.items() if what in ratios]
    near = "" if nearest == n_neurons else ", the measured size nearest to yours"
    return f"At {nearest} neurons{near}, an update takes its floor {', '.join(said)}."


def floors(table: pd.DataFrame) -> Figure:
    """Draw how many times its floor an update takes, against the number of neurons.

    Parameters
    ----------
    table : DataFrame
        Measurements; updates of one network on the processor are drawn.

    Returns
    -------
    Figure
        Medians with the range of the repetitions; one is the floor.

    Raises
    ------
    ValueError
        If no update was measured.
    """
    steps = _alone(table, kinds=("step",))
    figure = Figure(figsize=(NARROW, 2.9), layout="constrained")
    axes = figure.subplots()
    for shift, what in zip((0.97, 1.0, 1.03), NAMES, strict=True):
        line = steps[steps["what"] == what].sort_values("n_neurons")
        low, ratio, high = (line[name] / line["floor_seconds"] for name in _RANGE)
        axes.errorbar(
            shift * line["n_neurons"], ratio, np.stack([ratio - low, high - ratio]), fmt="o-",
            markersize=5, linewidth=1.5, color=COLOURS[what], label=NAMES[what],
        )  # fmt: skip
    axes.axhline(1.0, color="0.35", linestyle=":")
    axes.annotate("floor", (1.0, 1.0), xycoords=("axes fraction", "data"), xytext=(0, -14),
                  textcoords="offset points", ha="right", color="0.35")  # fmt: skip
    _neurons(axes)
    axes.set(ylim=(0, None), xlabel="neurons N", ylabel="times the floor")
    axes.legend(loc="upper right")
    return figure


_RANGE = ("low", "seconds", "high")


def topology(table: pd.DataFrame) -> Figure:
    """Draw what measuring a network takes beside training it, against the number of neurons.

    Parameters
    ----------
    table : DataFrame
        Measurements.

    Returns
    -------
    Figure
        A run without communicability, the nulls of a size, and the measures of one network.

    Raises
    ------
    ValueError
        If nothing was measured on a processor.
    KeyError
        If one of the three was not.
    """
    alone = _alone(table, kinds=("run", "topology")).set_index(["kind", "what"])
    lines = {
        "one run without C": ("run", "plain", palette[0]),
        "1,000 nulls, drawn once for all": ("topology", "nulls", palette[7]),
        "topology of one network": ("topology", "measure", palette[2]),
    }
    figure = Figure(figsize=(NARROW, 3.7), layout="constrained")
    axes = figure.subplots()
    shown = []
    for label, (kind, what, colour) in lines.items():
        line = alone.loc[[(kind, what)]].sort_values("n_neurons")
        low, seconds, high = (line[name] / 3600 for name in _RANGE)
        reach = np.stack([seconds - low, high - seconds])
        axes.errorbar(
            line["n_neurons"], seconds, reach, fmt="o-", markersize=5, color=colour, label=label
        )
        shown.append(line)
    drawn = pd.concat(shown)
    sizes, low, high = drawn["n_neurons"], drawn["low"].min(), drawn["high"].max()
    axes.set(xlim=(sizes.min() / 1.15, sizes.max() * 1.15), ylim=(low / 7200, high / 1800))
    _neurons_and_hours(axes)
    axes.set_ylabel("time")
    figure.legend(loc="outside upper left")
    return figure


def hour_sentence(networks: pd.DataFrame) -> str:
    """Say how large a network one hour of one core trains.

    Parameters
    ----------
    networks : DataFrame
        See :func:`cortexrnn.benchmark.reach.largest_networks`.

    Returns
    -------
    str
        One or two sentences.
    """
    found = networks.set_index("what")
    names = NAMES | {"low_rank": "with C of low rank"}
    said = [
        f"{found.loc[w, 'n_neurons']:,} {name}" for w, name in names.items() if w in found.index
    ]
    text = (
        f"In one hour, one core trains one network of as many neurons as this: {', '.join(said)}."
    )
    if (found["limit"] == "memory").any():
        short = ", ".join(names[what] for what in found.index[found["limit"] == "memory"])
        text += f" Memory, not time, sets the size {short}."
    return text


# --- beside an ordinary implementation

STAGES = {
    "training": "training",
    "whole, nulls drawn anew": "whole run, nulls anew on both sides",
    "whole, each as it is": "whole run, nulls anew for Keras alone",
}
"""Stages of a run that are drawn, and what readers call them."""


def keras_sentence(pairs: pd.DataFrame) -> str:
    """Say how many times as fast ours is as the Keras reference, or that it was not compared.

    Parameters
    ----------
    pairs : DataFrame
        Runs of both sides.

    Returns
    -------
    str
        One sentence, of the fewest threads.
    """
    if pairs.empty:
        return "This file holds no runs of the Keras reference."
    spans = _fewest_threads(report.reference_table(pairs)).groupby("stage")["ratio"]
    low, high = spans.min().map("{:.1f}".format), spans.max().map("{:.1f}".format)
    said = {name: f"{low[name]} to {high[name]}" for name in STAGES}
    return (
        f"On one core, training is {said['training']} times as fast as with Keras, and a whole run "
        f"{said['whole, nulls drawn anew']} times, or {said['whole, each as it is']} times where "
        "Keras draws its nulls anew for every network and ours are at hand."
    )


def beside_keras(pairs: pd.DataFrame) -> Figure:
    """Draw how many times as fast ours is as the Keras reference.

    Parameters
    ----------
    pairs : DataFrame
        Runs of both sides.

    Returns
    -------
    Figure
        Ratios of the medians with the range of the rounds, for every variant, on the fewest
        threads; at one both are equal.

    Raises
    ------
    ValueError
        If there are no pairs.
    """
    if pairs.empty:
        raise ValueError("pairs is empty; cortexrnn bench --keras adds runs of both sides")
    table = _fewest_threads(report.reference_table(pairs))
    variants = list(dict.fromkeys(table["variant"]))
    figure = Figure(figsize=(NARROW, 1.8 + 0.45 * len(variants)), layout="constrained")
    axes = figure.subplots()
    looks = zip(STAGES.items(), (palette[0], palette[2], palette[3]), "osD", (-0.2, 0, 0.2),
                strict=True)  # fmt: skip
    for (stage, label), colour, marker, shift in looks:
        ratios = table[table["stage"] == stage].set_index("variant").loc[variants]
        reach = [ratios["ratio"] - ratios["ratio_low"], ratios["ratio_high"] - ratios["ratio"]]
        axes.errorbar(
            ratios["ratio"], np.arange(len(variants)) + shift, xerr=np.stack(reach), fmt=marker,
            markersize=6, color=colour, label=label,
        )  # fmt: skip
    axes.axvline(1.0, color="0.35", linestyle=":")
    axes.set_yticks(range(len(variants)), variants)
    axes.set(xlim=(0, None), ylim=(len(variants) - 0.5, -0.5))
    axes.set_xlabel("times as fast as Keras")
    figure.legend(loc="outside upper left")
    return figure


def _fewest_threads(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["threads"] == table["threads"].min()]


# --- every measurement


def _alone(table: pd.DataFrame, *, kinds: Sequence[str]) -> pd.DataFrame:
    """Measurements of one network on the processor, fewest threads."""
    alone = table[(table["members"] == 1) & table["kind"].isin(kinds)]
    alone = alone[alone["device"].astype(str).str.startswith("cpu")]
    if alone.empty:
        raise ValueError(f"table: expected measurements of {', '.join(kinds)} on a processor")
    return alone[alone["threads"] == alone["threads"].min()]


def curves(table: pd.DataFrame, *, kinds: tuple[str, ...]) -> Figure:
    """Time of one call against the number of neurons, one panel for each kind.

    Parameters
    ----------
    table : DataFrame
        Measurements; those of one network on the processor and the fewest threads are drawn.
    kinds : tuple of str
        Kinds to draw.

    Returns
    -------
    Figure
        Points are medians with the range of the repetitions, full lines the fitted power laws over
        the sizes that they were fitted to, dotted lines the floors; the legend tells exponents.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    alone = _alone(table, kinds=kinds)
    shown = [kind for kind in kinds if kind in set(alone["kind"])]
    figure = Figure(figsize=(WIDTH, 4.2 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
    fitted = report.exponents(alone).set_index(["kind", "what"])
    for axes, kind in zip(panels, shown, strict=True):
        measured = alone[alone["kind"] == kind]
        for what, colour in zip(dict.fromkeys(measured["what"]), palette, strict=False):
            curve = measured[measured["what"] == what].sort_values("n_neurons")
            n, seconds = curve["n_neurons"].to_numpy(), curve["seconds"].to_numpy()
            reach = np.stack([seconds - curve["low"], curve["high"] - seconds])
            label = what
            if (kind, what) in fitted.index:
                law = fitted.loc[(kind, what)]
                ends = np.array([law["smallest"], law["largest"]])
                axes.plot(ends, law["factor"] * ends ** law["exponent"], color=colour)
                label = f"{what}, N^{law['exponent']:.1f}"
            axes.errorbar(n, seconds, reach, fmt="o", markersize=5, color=colour, label=label)
            axes.plot(n, curve["floor_seconds"], ":", color=colour)
        axes.set_title(kind, loc="left", fontsize="medium")
        axes.set(xscale="log", yscale="log", ylabel="seconds")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    sizes = sorted(set(alone["n_neurons"]))
    panels[-1].set_xticks(sizes, [str(n) for n in sizes], rotation=45)
    panels[-1].minorticks_off()
    panels[-1].set_xlabel("neurons N")
    return figure


def members(table: pd.DataFrame) -> Figure:
    """Time of an update for each network against the networks trained as one batch.

    Parameters
    ----------
    table : DataFrame
        Measurements.

    Returns
    -------
    Figure
        One line for each number of neurons.

    Raises
    ------
    ValueError
        If no ensemble was measured.
    """
    steps = table[(table["kind"] == "step") & (table["what"] == "plain")]
    steps = steps[steps["device"].astype(str).str.startswith("cpu")]
    steps = steps[steps["threads"] == steps["threads"].min()]
    if steps["members"].nunique() < 2:
        raise ValueError("table: expected updates of ensembles of at least 2 sizes")
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axes = figure.subplots()
    for (n, curve), colour in zip(steps.groupby("n_neurons"), palette, strict=False):
        curve = curve.sort_values("members")
        alone = 1000 * curve["seconds"] / curve["members"]
        axes.plot(curve["members"], alone, "o-", color=colour, label=f"N = {n}")
    counts = sorted(set(steps["members"]))
    axes.set(xscale="log", yscale="log", xlabel="networks in the batch M",
             ylabel="ms per network")  # fmt: skip
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


# --- tables


def design_table(
    measured: report.Measurements, *, n_neurons: int, n_runs: int, cores: int
) -> pd.DataFrame:
    """List what a design takes at several numbers of neurons.

    Parameters
    ----------
    measured : Measurements
        What was measured.
    n_neurons : int
        The size of the reader's field, which is among them.
    n_runs, cores : int
        The design, see :func:`cortexrnn.benchmark.forecast.design_hours`.

    Returns
    -------
    DataFrame
        Hours by N: all variants in equal parts with the range of the repetitions, and the same
        number of runs without communicability and with it.
    """
    sizes = sorted({*measured.table["n_neurons"], n_neurons})
    of_all = [
        forecast.design_hours(measured, n_neurons=n, n_runs=n_runs, cores=cores) for n in sizes
    ]
    table = pd.DataFrame(of_all, index=pd.Index(sizes, name="N"))
    kinds = forecast.hours_by_size(measured, sizes, n_runs=n_runs, cores=cores)
    wide = kinds.pivot(index="n_neurons", columns="what", values="hours").rename(columns=NAMES)
    names = {"hours": "all variants", "low": "from", "high": "to"}
    columns = [*names.values(), *(NAMES[kind] for kind in forecast.KINDS)]
    return table.rename(columns=names).join(wide)[columns]


def growth_table(table: pd.DataFrame) -> pd.DataFrame:
    """List how every curve of cost grows with N, in words where there is no number.

    Parameters
    ----------
    table : DataFrame
        Measurements.

    Returns
    -------
    DataFrame
        For each curve the exponent with its standard error, the sizes that it was fitted to, and
        at the largest size the time and how many times its floor that is.
    """
    fitted = report.exponents(table)
    return pd.DataFrame(
        {
            "exponent": [f"{a:.2f} ± {b:.2f}" for a, b in fitted[["exponent", "error"]].values],
            "over N": [f"{a} to {b}" for a, b in fitted[["smallest", "largest"]].values],
            "time": [duration(seconds / 3600) for seconds in fitted["seconds"]],
            "times floor": _texts(fitted["times_floor"], missing="no products"),
        },
        index=pd.Index([_named(row) for row in fitted.to_dict("records")], name="curve"),
    )


def _named(row: dict[str, Any]) -> str:
    """Name what a measurement is of."""
    extras = {
        f"{row['members']} networks": row["members"] > 1,
        f"{row['threads']} threads": row["threads"] > 1,
        f"{row['processes']} processes": row["processes"] > 1,
        f"on {row['device']}": not str(row["device"]).startswith("cpu"),
    }
    return ", ".join([f"{row['kind']} {row['what']}", *(text for text, so in extras.items() if so)])


def _texts(values: pd.Series, *, missing: str) -> list[str]:
    """Write numbers with two digits, and a word where there is none."""
    return [missing if pd.isna(value) else f"{value:.2f}" for value in values]


def left_out_table(measured: report.Measurements) -> pd.DataFrame:
    """List what was not measured, and why.

    Parameters
    ----------
    measured : Measurements
        What was measured.

    Returns
    -------
    DataFrame
        What, its number of neurons, and the reason; no rows if everything was measured.
    """
    points = [*measured.skipped, *measured.failed]
    reasons = [
        f"would take {duration(point['expected_seconds'] / 3600)}"
        if point.get("expected_seconds") is not None
        else point.get("reason", "too little time")
        for point in points
    ]
    sizes = [point["n_neurons"] for point in points]
    rows = {"N": sizes, "not measured because": reasons}
    return pd.DataFrame(rows, index=pd.Index([_named(point) for point in points], name="what"))


def keras_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """List medians of ours and of the Keras reference for every stage of a run.

    Parameters
    ----------
    pairs : DataFrame
        Runs of both sides; may be empty, and then so is the table.

    Returns
    -------
    DataFrame
        Seconds of both sides, their ratio with the range of the rounds, and how many times its
        floor ours is, for each variant, number of threads and stage.
    """
    names = ["ours (s)", "Keras (s)", "ratio", "range", "ours / floor"]
    if pairs.empty:
        return pd.DataFrame(columns=names)
    table = report.reference_table(pairs)
    table = table.sort_values("threads", kind="stable")
    shown = table[["variant", "threads", "stage"]].assign(
        **{
            "ours (s)": table["ours"].round(2),
            "Keras (s)": table["keras"].round(2),
            "ratio": table["ratio"].round(2),
            "range": [f"{a:.2f} to {b:.2f}" for a, b in table[["ratio_low", "ratio_high"]].values],
            "ours / floor": _texts(table["times_floor"], missing="no products"),
        }
    )
    return shown.set_index(["variant", "threads", "stage"])
