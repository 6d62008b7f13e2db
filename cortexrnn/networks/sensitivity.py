"""How the priors of a field depend on earlier choices: bins, windows, and axons not followed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cortexrnn.fields import relations
from cortexrnn.fields.derivation import Floats, derived, events_of
from cortexrnn.fields.field import Field
from cortexrnn.fields.inputs import arguments
from cortexrnn.fields.proofreading import check_connectome, dropped
from cortexrnn.networks import priors
from cortexrnn.networks.communicability import empirical_communicability
from cortexrnn.networks.initial_weights import functional_start

__all__ = ["simulate_missing_axons", "sweep"]


def sweep(
    field: Field, *, bins_s: Iterable[float], windows_s: Iterable[float], seed: int = 0
) -> pd.DataFrame:
    """Recompute relations and functional weights for other bins and other windows.

    One setting is changed at a time, the other stays as published (200 ms bins, 100 ms window).
    All weights are made with the same lognormal draw, except in the last row, which shows what
    another draw does at the published settings.

    Parameters
    ----------
    field : Field
        Field with events.
    bins_s, windows_s : iterable of float
        Widths of bins and windows in seconds.
    seed : int
        Seed of the draw, as of a run: the weights are those that its networks start from.

    Returns
    -------
    DataFrame
        ``setting`` (``"bin"``, ``"window"``, ``"redraw"``), ``seconds``, ``mean``: mean
        over pairs of the relation that changes; ``relation_r``: correlation over pairs of that
        relation with its published setting; ``weights_r``: correlation of off-diagonal weights
        with those of the published settings; ``self_ratio``: mean self-connection over mean
        connection to others; ``radius_rest``: spectral radius without self-connections. Bins in
        which a neuron's correlation is undefined have no numbers.

    Raises
    ------
    FieldError
        If the field has no events.
    ValueError
        If a setting is not positive, or a neuron's relation is undefined with the published ones.
    """
    windows_s = arguments.numbers("windows_s", windows_s)
    bins_s = arguments.numbers("bins_s", bins_s)
    events = events_of(field)
    base = derived(field, precision=False)
    reference = _weights(field, base, seed)
    rows = []
    for setting, values in (("bin", bins_s), ("window", windows_s)):
        name = "correlation" if setting == "bin" else "sttc"
        for seconds in values:
            relation = _relation_by(setting, seconds, events)
            if relation is None:
                rows.append({"setting": setting, "seconds": float(seconds)})
                continue
            row = {"setting": setting, "seconds": float(seconds), "mean": _others(relation).mean()}
            row["relation_r"] = _r(relation, base[name])
            rows.append(row | _compared(_weights(field, base | {name: relation}, seed), reference))
    again = {"setting": "redraw", "seconds": np.nan, "mean": np.nan, "relation_r": 1.0}
    rows.append(again | _compared(_weights(field, base, seed + 1), reference))
    return pd.DataFrame(rows)


def _relation_by(setting: str, seconds: float, events: Sequence[ArrayLike]) -> Floats | None:
    """Compute correlation by bin or STTC by window; None where wide bins leave it undefined."""
    if setting == "window":
        return relations.sttc(events, window_s=seconds)
    if not seconds > 0:
        raise ValueError(f"a bin of {seconds} s has no width; give positive seconds")
    try:
        return relations.correlation(relations.bin_events(events, bin_s=seconds))
    except ValueError:
        return None  # a recording of one bin, or a neuron with the same count in all of them


def _weights(field: Field, relations: dict[str, Floats], seed: int) -> Floats:
    """Functional weights of a field that has these relations instead of its own."""
    changed = dataclasses.replace(
        field,
        correlation=relations["correlation"],
        sttc=relations["sttc"],
        precision=None,
        response=None,
        measured=None,  # all pairs are, by their events
    )
    return functional_start(changed, seed=seed)


def _compared(weights: Floats, reference: Floats) -> dict[str, float]:
    """Compare weights with those of the published settings."""
    diagonal = np.diag(weights)
    return {
        "weights_r": _r(weights, reference),
        "self_ratio": float(diagonal.mean() / _others(weights).mean()),
        "radius_rest": priors.spectral_radius(weights - np.diag(diagonal)),
    }


def _others(matrix: Floats) -> Floats:
    return matrix[~np.eye(len(matrix), dtype=bool)]


def _r(first: Floats, second: Floats) -> float:
    return float(np.corrcoef(_others(first), _others(second))[0, 1])


def simulate_missing_axons(
    connectome: ArrayLike, *, shares: Iterable[float], draws: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Simulate incomplete proofreading and measure its effect on the wiring prior C*.

    Parameters
    ----------
    connectome : array_like, shape (N, N)
        Synapse counts, row = presynaptic neuron.
    shares : iterable of float
        Shares of sending neurons that lose their outputs, each below 1.
    draws : int
        How often the order is drawn in which neurons lose their outputs: within a draw, a larger
        share takes away what a smaller one did, and more.
    seed : int
        Seed of all draws.

    Returns
    -------
    DataFrame
        One row per share and draw: ``share``, ``draw``, ``density`` (connected share of ordered
        pairs), ``silent`` (share of neurons without outgoing synapse), ``mean`` and ``largest``
        entry of the communicability, ``mean_senders``: its mean among neurons that have outputs.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, or the connectome is no matrix of synapse counts, see
        :func:`cortexrnn.fields.proofreading.dropped`.
    """
    shares = arguments.numbers("shares", shares)
    counts = check_connectome(connectome)
    n, rows = len(counts), []
    for share in shares:
        for draw in range(draws):
            rng = np.random.default_rng([seed, draw])
            remaining = dropped(counts, share, rng=rng)
            sends = remaining.sum(axis=1) > 0
            wiring = empirical_communicability(remaining)
            rows.append(
                {
                    "share": share,
                    "draw": draw,
                    "density": np.count_nonzero(remaining) / (n * (n - 1)),
                    "silent": float((~sends).mean()),
                    "mean": wiring.mean(),
                    "largest": wiring.max(),
                    "mean_senders": wiring[np.ix_(sends, sends)].mean(),
                }
            )
    return pd.DataFrame(rows)
