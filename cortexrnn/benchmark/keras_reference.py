"""The same run written the ordinary way: a Keras model and the Brain Connectivity Toolbox.

What `cortexrnn bench --keras` compares this package with. One network at a time: Gaussian noise on
the input, a `SimpleRNN` layer whose recurrent kernel carries the penalty of the variant as its
regulariser, a softmax read-out, Adam, `model.fit` in fixed order with validation after every
epoch; then networkx, scipy and bctpy on the trained matrix, as in the code released with Shakiba
et al. 2026 (arXiv:2606.14975). TensorFlow and bctpy come with the extra ``bench`` and are imported
by the functions that need them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from cortexrnn.fields.field import Field
from cortexrnn.networks import initial_weights, penalties
from cortexrnn.networks.communicability import ZERO_STRENGTH, empirical_communicability
from cortexrnn.networks.specification import RunSpec, task_of
from cortexrnn.networks.topology import Nulls, Topology
from cortexrnn.networks.variant import VARIANTS

__all__ = [
    "KerasReferenceError",
    "build",
    "draw_nulls",
    "fit",
    "measure",
    "prepare",
    "recurrent_penalty",
    "train",
]

Floats = NDArray[np.floating]
Trials = tuple[Floats, NDArray[np.integer]]


class KerasReferenceError(RuntimeError):
    """The Keras reference cannot be run here."""


def _optional(name: str) -> Any:
    """Import a package of the extra."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise KerasReferenceError(
            f"{name} cannot be imported ({error}); the comparison needs the extra: "
            "pip install -e '.[bench]'"
        ) from error


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before it is imported, else no use
    return _optional("tensorflow")


def prepare(n_threads: int) -> None:
    """Import what the Keras reference needs, and give TensorFlow a number of threads.

    Once in a process and before TensorFlow computes; no import then falls into a measured time.

    Parameters
    ----------
    n_threads : int
        Threads within an operation; operations run one after another.

    Raises
    ------
    KerasReferenceError
        If a package is missing, or TensorFlow already runs with another number.
    """
    tensorflow = _tensorflow()
    tensorflow.keras.utils.set_random_seed(0)  # keras is only imported when something of it is used
    _optional("bct")
    threading = tensorflow.config.threading
    try:
        threading.set_intra_op_parallelism_threads(n_threads)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        if threading.get_intra_op_parallelism_threads() != n_threads:
            raise KerasReferenceError(
                f"TensorFlow already runs and cannot be given {n_threads} threads any more; "
                "use a new process"
            ) from error


def recurrent_penalty(spec: RunSpec, field: Field) -> Callable[[Any], Any]:
    """Make the regulariser of a variant from TensorFlow's own operations.

    Parameters
    ----------
    spec : RunSpec
        The run; its variant is one of the paper's.
    field : Field
        Its field.

    Returns
    -------
    callable
        Recurrent kernel, shape (N, N), to the penalty.

    Raises
    ------
    ValueError
        For controls that the released code does not have.
    KerasReferenceError
        If TensorFlow is missing.
    """
    tf = _tensorflow()
    variant = spec.variant
    if variant.switches:
        raise ValueError(
            f"{variant.name} is a control; the Keras reference knows {', '.join(VARIANTS)}"
        )
    distances = penalties.unit_distances(variant, field, protocol=spec.protocol)
    unit = distances is None and spec.protocol.plain_strength == "unit"
    strength = 1.0 if unit else spec.strength
    cost = None if distances is None else tf.constant(distances, tf.float32)
    if variant.communicability == "emd":
        wiring = empirical_communicability(field.connectome)
        wanted = tf.constant(np.sort(wiring, axis=None), tf.float32)

    def communicability(magnitude: Any, offset: float) -> Any:
        root = tf.sqrt(tf.reduce_sum(magnitude, axis=1) + offset)
        paths = tf.linalg.expm(magnitude / (root[:, None] * root[None, :]))
        return tf.linalg.set_diag(paths, tf.zeros(field.n_neurons))

    def value(kernel: Any) -> Any:
        magnitude = tf.abs(kernel)
        priced = magnitude if cost is None else magnitude * cost
        if variant.communicability == "direct":
            priced = priced * communicability(magnitude, 0.0)
        total = strength * tf.reduce_sum(priced)
        if variant.communicability == "emd":
            own = communicability(magnitude, ZERO_STRENGTH)
            gap = tf.abs(tf.sort(tf.reshape(own, [-1])) - wanted)
            total += spec.emd_strength * tf.reduce_mean(gap)
        return total

    return value


def build(spec: RunSpec, field: Field) -> Any:
    """Build the model of a run, ready to be fitted.

    Parameters
    ----------
    spec : RunSpec
        The run. Recurrent weights start as ours do; all other numbers are drawn by Keras.
    field : Field
        Its field.

    Returns
    -------
    keras.Sequential
        Input noise, the recurrent layer, the read-out.

    Raises
    ------
    KerasReferenceError
        If TensorFlow is missing.
    """
    keras = _tensorflow().keras
    keras.utils.set_random_seed(spec.seed)
    task = task_of(spec)
    start = initial_weights.initial_weights(spec, field).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((task.n_steps, task.n_channels)),
            keras.layers.GaussianNoise(spec.input_noise),
            keras.layers.SimpleRNN(
                field.n_neurons,
                activation="relu",
                recurrent_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(
                    start, dtype
                ),
                recurrent_regularizer=recurrent_penalty(spec, field),
                name="recurrent",
            ),
            keras.layers.Dense(task.n_classes, activation="softmax", name="output"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(spec.learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def fit(model: Any, spec: RunSpec, *, trials: tuple[Trials, Trials]) -> dict[str, float]:
    """Fit a model in fixed order, with validation after every epoch.

    Parameters
    ----------
    model : keras.Sequential
        From :func:`build`; its weights are changed.
    spec : RunSpec
        The run.
    trials : tuple
        Training and validation trials: inputs (n, T, I) and targets (n,).

    Returns
    -------
    dict of str to float
        ``accuracy``, ``loss``, ``validation_accuracy``, ``validation_loss`` of the last epoch.
    """
    to_categorical = _tensorflow().keras.utils.to_categorical
    n_classes = task_of(spec).n_classes
    (inputs, answers), validation = ((x, to_categorical(y, n_classes)) for x, y in trials)
    history = model.fit(
        inputs,
        answers,
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        shuffle=False,
        validation_data=validation,
        verbose=0,
    ).history
    names = {"val_accuracy": "validation_accuracy", "val_loss": "validation_loss"}
    return {names.get(name, name): float(values[-1]) for name, values in history.items()}


def train(
    spec: RunSpec, field: Field, *, trials: tuple[Trials, Trials]
) -> tuple[Floats, dict[str, float]]:
    """Build a model and fit it.

    Parameters
    ----------
    spec : RunSpec
        The run, see :func:`build`.
    field : Field
        Its field.
    trials : tuple
        See :func:`fit`.

    Returns
    -------
    weights : ndarray, shape (N, N)
        Trained recurrent weights.
    metrics : dict of str to float
        See :func:`fit`.

    Raises
    ------
    KerasReferenceError
        If TensorFlow is missing.
    """
    model = build(spec, field)
    metrics = fit(model, spec, trials=trials)
    weights = model.get_layer("recurrent").get_weights()[1]
    _tensorflow().keras.backend.clear_session()
    return weights, metrics


def measure(weights: Floats, nulls: Nulls) -> Topology:
    """Measure a matrix with the usual packages.

    Parameters
    ----------
    weights : ndarray, shape (N, N)
        Finite recurrent weights.
    nulls : Nulls
        Random graphs, from :func:`draw_nulls`.

    Returns
    -------
    Topology
        The same measures as :func:`cortexrnn.networks.topology.measure`.

    Raises
    ------
    KerasReferenceError
        If bctpy is missing.
    """
    bct = _optional("bct")
    values = np.asarray(weights, dtype=float)
    magnitude = np.abs(values)
    links = magnitude > np.quantile(magnitude, 0.9)
    links = links | links.T
    np.fill_diagonal(links, False)
    network = nx.from_numpy_array(links.astype(int))
    groups = nx.community.greedy_modularity_communities(network)
    binary = links.astype(float)
    clustering = float(np.mean(bct.clustering_coef_bu(binary)))
    efficiency = float(bct.efficiency_bin(binary))
    return Topology(
        entropy=_entropy(values.ravel()),
        modularity=nx.community.modularity(network, groups),
        assortativity=nx.degree_assortativity_coefficient(network),
        small_worldness=clustering / nulls.clustering * (efficiency / nulls.efficiency),
        clustering=clustering,
        efficiency=efficiency,
        edges=float(network.number_of_edges()),
    )


def _entropy(values: Floats) -> float:
    """Bits of a kernel density on 100 points."""
    density = gaussian_kde(values)(np.linspace(values.min(), values.max(), 100))
    share = density / density.sum()
    share = share[share > 0]
    return float(-np.sum(share * np.log2(share)))


def draw_nulls(n: int, *, n_nulls: int = 1000, seed: int = 0) -> Nulls:
    """Draw random graphs and measure each with bctpy.

    Parameters
    ----------
    n : int
        Nodes.
    n_nulls : int
        Graphs.
    seed : int
        Seed of their generator.

    Returns
    -------
    Nulls
        As :func:`cortexrnn.networks.topology.null_graphs`.

    Raises
    ------
    KerasReferenceError
        If bctpy is missing.
    """
    bct = _optional("bct")
    rng = np.random.default_rng(seed)
    clustering, efficiency = [], []
    for _ in range(n_nulls):
        uniform = rng.random((n, n))
        graph = ((uniform + uniform.T) / 2 > 0.7).astype(float)
        clustering.append(np.mean(bct.clustering_coef_bu(graph)))
        efficiency.append(bct.efficiency_bin(graph))
    return Nulls(
        float(np.mean(clustering)),
        float(np.mean(efficiency)),
        float(np.std(clustering)),
        float(np.std(efficiency)),
        n_nulls,
    )
