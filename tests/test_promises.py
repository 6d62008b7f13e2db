"""What the pages promise, held against the code: formulas, numbers, tables and commands."""

import dataclasses
import doctest
import inspect
import itertools
import re
import shlex
import tomllib
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from scipy import linalg, stats

from cortexrnn import load_field
from cortexrnn.benchmark import flops, forecast, measure, report
from cortexrnn.cli import app
from cortexrnn.evidence import (
    equivalence,
    graph_nulls,
    leaky_units,
    linear_model,
    pooled,
    replication,
)
from cortexrnn.evidence.published import PUBLISHED_FIELDS
from cortexrnn.fields import derivation, relations
from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources import arrays, microns
from cortexrnn.fields.sources.published import FIELDS
from cortexrnn.fields.sources.surrogate import DEFAULT_NEURONS, surrogate_field
from cortexrnn.figures import function as function_figures
from cortexrnn.networks import (
    ensemble,
    initial_weights,
    penalties,
    priors,
    specification,
    topology,
    training,
)
from cortexrnn.networks.neurogym import GYM_TASKS
from cortexrnn.networks.penalties import penalty
from cortexrnn.networks.specification import CORRECTED, PRESETS, PUBLISHED, Protocol, RunSpec
from cortexrnn.networks.tasks import PROBLEMS, TASKS
from cortexrnn.networks.variant import VARIANTS, control
from cortexrnn.runs import trained_weights
from cortexrnn.runs.archive import ArchiveError
from cortexrnn.runs.trained_weights import WeightsError
from tools import parameters
from tools.project import ROOT, Project
from tools.sync_notebooks import read_cells
from tools.write_api import modules

README, METHODS, RULES = "README.md", "book/methods.md", "book/rules.md"
RUN, ADAPT = "book/run.md", "book/adapt.md"


@pytest.fixture(scope="module")
def field():
    return surrogate_field(40)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def said(name, pattern):
    """Give what the groups of a pattern match on a page, line breaks being spaces."""
    match = re.search(pattern, " ".join(read(name).split()))
    assert match is not None, f"{name} no longer says {pattern!r}; the test has to follow"
    return match.groups() if len(match.groups()) > 1 else match[1]


def number(text):
    return float(text.replace(",", ""))


def table(name, first):
    """Rows of the Markdown table of a page whose first column has this heading."""
    lines = read(name).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    cells = [[cell.strip(" `") for cell in row.split("|")[1:-1]] for row in rows]
    return pd.DataFrame(cells[2:], columns=cells[0])


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", read(name), flags=re.DOTALL)


def spec(field, variant="WD*", **settings):
    return RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        variant=variant,
        **({"task": "go_nogo", "seed": 0} | settings),
    )


# --- methods: the priors


@pytest.mark.parametrize("relation", ["correlation", "precision", "sttc"])
def test_functional_weights_are_the_formula_of_the_page(field, relation):
    mean, sd = said(METHODS, r"\\mathcal N\((-[\d.]+),\\; ([\d.]+)\^2\)")
    target, least, radius = (
        number(said(METHODS, pattern))
        for pattern in (
            r"scaled to a mean of ([\d.]+),",
            r"entries below ([\d.]+) are lifted to it",
            r"to a spectral radius of ([\d.]+\d)",
        )
    )
    product = np.random.default_rng(5).lognormal(float(mean), float(sd), (40, 40))
    for name in {relation, "sttc"}:
        values = field.relation(name)
        product *= (values - values.min()) / (values.max() - values.min())
    product *= target / product.mean()
    product = np.where((product > 0) & (product < least), least, product)
    expected = product * radius / np.abs(linalg.eigvals(product)).max()
    weights = priors.functional_weights(field, relation=relation, rng=np.random.default_rng(5))
    np.testing.assert_allclose(weights, expected, rtol=1e-12)


@pytest.mark.parametrize("relation", ["correlation", "precision", "sttc"])
def test_self_connections_are_many_times_larger_on_average_and_not_than_each(relation):
    field = surrogate_field(96)
    eye = np.eye(96, dtype=bool)
    weights = priors.functional_weights(field, relation=relation, rng=np.random.default_rng(0))
    assert weights[eye].mean() > 5 * weights[~eye].mean()
    if relation == "sttc":
        assert weights[~eye].max() > weights[eye].min()
    for known in (field.correlation, field.sttc):
        np.testing.assert_allclose(np.diag(known), 1)


def test_the_published_fields_are_as_many_as_the_page_says():
    assert int(said(METHODS, r"There are (\d+) published fields")) == len(FIELDS)
    assert int(said(RUN, r"# the (\d+) fields and their sizes")) == len(FIELDS)


def test_distances_of_the_grid_are_several_times_those_of_the_somata(field):
    grid, soma = (penalties.unit_distances(VARIANTS[name], field) for name in ("WD", "WD*"))
    assert priors.mean_distance(grid) / priors.mean_distance(soma) > 2


def literal_penalty(row, weights, field):
    """Penalty of a row of the table of variants, term by term as it stands there."""
    strength, emd = said(METHODS, r"use \$\\lambda = ([\d.]+)\$ and \$\\lambda_E = ([\d.]+)\$")
    price = np.abs(weights)
    if row["distances"] == "positions":
        points = field.positions.reshape(3, -1).T  # as the table of switches says
        low, high = points.min(0), points.max(0)
        points = (points - low) / (high - low)
    elif row["distances"] == "grid":
        points = np.stack([a.ravel() for a in np.meshgrid(*map(range, field.grid))], axis=1)
        points = points[: field.n_neurons]
    if row["distances"] != "none":
        price = price * np.linalg.norm(points[:, None] - points[None], axis=-1)
    if row["communicability"] == "direct":
        price = price * literal_communicability(weights)
    value = price.sum() * (float(strength) if r"\lambda" in row["penalty"] else 1.0)
    if r"\lambda_E" in row["penalty"]:
        silent = field.connectome.sum(1) == 0
        counts = literal_communicability(field.connectome, np.where(silent, 1e-10, 0))
        own = literal_communicability(weights)
        value += float(emd) * stats.wasserstein_distance(own.ravel(), counts.ravel())
    return value


def literal_communicability(weights, extra=0.0):
    root = np.sqrt(np.abs(weights).sum(1) + extra)
    result = linalg.expm(np.abs(weights) / root[:, None] / root[None])
    np.fill_diagonal(result, 0)
    return result


def test_the_table_of_variants_is_the_code(field):
    rows = table(METHODS, "variant").set_index("variant")
    assert list(rows.index) == list(VARIANTS)
    words = {
        "starts from": ("orthogonal", "function", "relabelled function"),
        "distances": ("none", "grid", "positions"),
        "communicability": ("none", "direct", "empirical"),
    }
    values = (("orthogonal", "functional", "permuted"), (None, "grid", "soma"))
    meant = dict(zip(words, (*values, (None, "direct", "emd")), strict=True))
    for name, variant in VARIANTS.items():
        switches = (variant.start, variant.distance, variant.communicability)
        for (column, known), value in zip(words.items(), switches, strict=True):
            assert rows.loc[name, column] == known[meant[column].index(value)], (name, column)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_the_penalty_of_a_variant_is_its_row_of_the_table(field, name):
    row = table(METHODS, "variant").set_index("variant").loc[name]
    weights = np.random.default_rng(0).normal(0, 0.2, (40, 40))
    value = penalty(name, field)(torch.from_numpy(weights)[None]).item()
    assert value == pytest.approx(literal_penalty(row, weights, field), rel=1e-9)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_only_the_plain_variant_puts_a_price_on_self_connections(field, name):
    weights = torch.tensor(initial_weights.initial_weights(spec(field, name), field))[
        None
    ].requires_grad_()
    (slope,) = torch.autograd.grad(penalty(name, field)(weights).sum(), weights)
    outwards = (slope * weights.sign())[0].diagonal()
    sign = 1 if name == "W" else 0 if VARIANTS[name].communicability is None else -1
    assert (outwards.sign() == sign).all()


def test_no_variant_starts_from_function_without_communicability():
    assert "has a functional start without communicability" in " ".join(read(METHODS).split())
    for variant in VARIANTS.values():
        assert variant.start == "orthogonal" or variant.communicability is not None


def test_nothing_that_a_network_is_built_from_depends_on_the_unit_of_positions(field):
    stretched = dataclasses.replace(field, voxel_size=np.array([1.0, 10.0, 7.0]))
    assert stretched.hash_without_events != field.hash_without_events
    for name, variant in VARIANTS.items():
        for protocol in (PUBLISHED, CORRECTED):
            one, other = (
                penalties.unit_distances(variant, some, protocol=protocol)
                for some in (field, stretched)
            )
            np.testing.assert_array_equal(one, other, err_msg=name)


# --- methods: network, training, tasks, measures


def test_numbers_of_training_are_those_of_a_run_by_default(field):
    run = spec(field)
    epochs, batches, size = map(
        int, said(METHODS, r"for (\d+) epochs of (\d+) batches of (\d+) trials")
    )
    assert (run.epochs, run.n_train // run.batch_size, run.batch_size) == (epochs, batches, size)
    trials = said(METHODS, r"once for each task, ([\d,]+) to train and ([\d,]+) to validate")
    assert (run.n_train, run.n_validation) == tuple(map(number, trials))
    noise = number(said(METHODS, r"noise of standard deviation ([\d.]+) is added"))
    assert run.input_noise == noise == leaky_units.INPUT_NOISE
    assert run.learning_rate == 10 ** int(said(METHODS, r"learning rate \$10\^\{(-\d+)\}\$"))
    strengths = said(METHODS, r"use \$\\lambda = ([\d.]+)\$ and \$\\lambda_E = ([\d.]+)\$")
    assert (run.strength, run.emd_strength) == tuple(map(number, strengths))
    assert (run.strength, run.emd_strength) == (specification.STRENGTH, specification.EMD_STRENGTH)
    paper = PRESETS["paper"]
    assert [getattr(paper, key) for key in ("epochs", "n_train", "n_validation")] == [
        run.epochs, run.n_train, run.n_validation,
    ]  # fmt: skip


def test_training_goes_through_the_trials_in_an_order_that_never_changes(field, monkeypatch):
    small = {"n_train": 300, "n_validation": 64, "epochs": 3, "input_noise": 0.0}
    seen, step = [], ensemble.RNNEnsemble.step

    def watched(self, inputs, targets):
        seen.append((inputs.clone(), targets.clone()))
        return step(self, inputs, targets)

    monkeypatch.setattr(ensemble.RNNEnsemble, "step", watched)
    for seed, variant in ((0, "WD*"), (1, "W*D*C")):
        training.train([spec(field, variant, seed=seed, **small)], field, progress=False)
    assert [len(targets) for _, targets in seen] == [128, 128, 44] * 6
    for i, (inputs, targets) in enumerate(seen):
        assert torch.equal(inputs, seen[i % 3][0])
        assert torch.equal(targets, seen[i % 3][1])


def test_weights_of_input_and_read_out_start_glorot_uniform_and_biases_at_zero(field):
    start = initial_weights.initial_weights(spec(field), field)
    member = training._member(spec(field), start, (8, 4000, 4))
    for name, shape in (("input", (8, 4000)), ("output", (4000, 4))):
        limit = (6 / sum(shape)) ** 0.5
        assert member[name].shape == shape
        uniform = stats.kstest(member[name].ravel(), stats.uniform(-limit, 2 * limit).cdf)
        assert uniform.pvalue > 1e-3
    assert not member["bias"].any()
    assert not member["output_bias"].any()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("one_choice", "One-choice inference"),
        ("perceptual", "Perceptual decision"),
        ("go_nogo", "Go/NoGo"),
    ],
)
def test_sizes_of_tasks_are_those_of_the_page(name, title):
    pattern = rf"\*{title}\* \((\d+) steps, (\d+) channels, (\d+) answers\)"
    task = TASKS[name]
    assert (task.n_steps, task.n_channels, task.n_classes) == tuple(
        map(int, said(METHODS, pattern))
    )


def test_two_of_eight_problems_follow_from_the_offer_and_six_leave_a_choice_of_two():
    answers = {}
    for _, offer, answer in PROBLEMS:
        answers.setdefault(frozenset(offer), []).append(answer)
    settled = sum(len(given) for given in answers.values() if len(set(given)) == 1)
    assert (settled, len(PROBLEMS) - settled) == (2, 6)
    assert {len(given) for given in answers.values()} == {1, 2}
    best, of = said(METHODS, r"a network without memory can reach (\d)/(\d)")
    assert int(best) == sum(max(map(given.count, given)) for given in answers.values())
    assert int(of) == len(PROBLEMS) == 8
    assert len(PROBLEMS) * leaky_units.CONTESTED == 6


def test_signals_of_the_perceptual_decision_are_those_of_the_page():
    largest = number(said(METHODS, r"coherence of 0 to ([\d.]+) %"))
    coherences = TASKS["perceptual"].coherences
    assert (min(coherences), max(coherences)) == (0, largest)
    assert "A fifth of the trials carries no evidence" in " ".join(read(METHODS).split())
    assert len(coherences) == len(set(coherences)) == 5
    inputs, targets = (
        TASKS["perceptual"]
        .with_settings(noise_sd=0.0, coherences=(largest,))
        .sample(50, rng=np.random.default_rng(0))
    )
    apart = inputs[:, 1, 1] - inputs[:, 1, 2]
    np.testing.assert_allclose(apart, np.where(targets == 0, 1, -1) * largest / 100, rtol=1e-5)


def test_numbers_of_the_measures_are_those_of_the_page():
    assert int(said(METHODS, r"kernel density on (\d+) points")) == topology.KDE_POINTS
    assert number(said(METHODS, r"exceeds the ([\d.]+) quantile")) == topology.EDGE_QUANTILE


def test_switches_of_the_protocols_are_those_of_the_page():
    listed = read(METHODS).split("tab-switches")[1].split(":::")[0]
    rows = re.findall(r"\* - `(\w+)`\n  - `(\w+)`.*?\n  - `(\w+)`", listed, flags=re.DOTALL)
    published, corrected = (
        {key: value for key, value in dataclasses.asdict(one).items() if key != "name"}
        for one in (PUBLISHED, CORRECTED)
    )
    assert {name: one for name, one, _ in rows} == {
        key: value for key, value in published.items() if value != corrected[key]
    }
    assert all(corrected[name] == other for name, _, other in rows)


# --- run and README


def test_the_python_that_is_asked_for_is_the_one_that_the_package_needs():
    needed = tomllib.loads(read("pyproject.toml"))["project"]["requires-python"].removeprefix(">=")
    assert {said(RUN, r"Python ([\d.]+) or newer"), said(README, r"Python ([\d.]+) or newer")} == {
        needed
    }


def test_presets_are_those_of_the_table_of_parameters():
    row = table(RUN, "parameter").set_index("parameter").loc["PRESET"]
    assert re.findall(r"\w+", row["values"]) == list(PRESETS)
    counts = {"one seed and one epoch": 1, "three seeds": 3, "the paper's twenty seeds": 20}
    meant = [counts[part.strip()] for part in row["meaning"].split(";")]
    assert [preset.n_seeds for preset in PRESETS.values()] == meant
    assert PRESETS["smoke"].epochs == 1


def commands(*pages):
    """Lines of the shell on these pages, continued lines put together."""
    text = "\n".join(block for page in pages for block in blocks(page, "bash"))
    return [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()]


def test_every_command_of_the_pages_is_one_that_the_command_line_knows():
    group, tried = typer.main.get_command(app), []
    for words in commands(README, RUN):
        at = next((i for i, word in enumerate(words) if word.endswith("/cortexrnn")), None)
        if at is None:
            continue
        name, *arguments = words[at + 1 :]
        group.commands[name].make_context(name, arguments)
        tried.append(name)
    assert {"run", "status", "tables", "fields", "fetch", "bench"} <= set(tried)


def test_every_parameter_that_the_pages_give_is_one_of_a_chapter():
    offered = {script.stem: parameters.defaults(script) for script in Project().chapters()}
    tried = set()
    for words in commands(README, RUN):
        if {"make", "tools.build_book"} & set(words):
            given = parameters.parse(
                [word for word in words[1:] if "=" in word and not word.startswith("CORTEXRNN")]
            )
            parameters.assign(given, offered)
            tried |= set(given)
    assert {"field", "preset", "measurements", "runs", "cores"} <= tried


def test_the_readme_lists_the_chapters_of_the_book():
    listed = table(README, "chapter")["chapter"].str.extract(r"(\d+) (.*)")
    scripts = [script for script in Project().chapters() if int(script.name[:2]) < 90]
    titles = [read_cells(script)[0].source.splitlines()[0] for script in scripts]
    assert [int(script.name[:2]) for script in scripts] == list(listed[0].astype(int))
    for title, name in zip(titles, listed[1], strict=True):
        assert title.removeprefix("# ").startswith(name)


def test_the_code_of_the_readme_runs(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path))
    (code,) = blocks(README, "python")
    for large, small in (('"surrogate"', '"surrogate_16"'), ('"quick"', '"smoke"')):
        assert large in code
        code = code.replace(large, small)
    exec(compile(code, README, "exec"), {})  # a page of our own
    assert len(capsys.readouterr().out.split("W*D*C")) == 2


# --- adapt


def page_with(text):
    """Name of the page of the book that holds a text; sections move between pages."""
    (path,) = [path for path in (ROOT / "book").glob("*.md") if text in path.read_text("utf-8")]
    return f"book/{path.name}"


def code_of_adapt(first):
    (code,) = [block for block in blocks(page_with(first), "python") if first in block]
    return code


def test_a_field_of_ones_own_is_made_saved_and_found_again(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code_of_adapt("Field.from_arrays("), ADAPT, "exec"), names)
    again = load_field(names["path"])
    assert again.content_hash == names["field"].content_hash
    assert "correlation" in again.relations


def test_relations_by_hand_are_those_of_a_field(field):
    pytest.importorskip("sklearn")
    # Names that blocks before it on the page may have made.
    names = {"events": field.events[:8], "np": np, "rng": np.random.default_rng(0), "n": 8}
    exec(compile(code_of_adapt("precision = relations.precision(counts)"), ADAPT, "exec"), names)
    for name in ("correlation", "sttc", "precision"):
        assert names[name].shape == (8, 8)


def test_controls_of_the_page_are_controls():
    names = {}
    exec(compile(code_of_adapt('VARIANTS["W*D*C"]'), ADAPT, "exec"), names)
    assert names["control"]("W*D*C", distance="random").distance == "random"


def test_a_control_is_trained_like_any_other_variant():
    code = code_of_adapt("train(specs, field)")
    for large, small in (
        ('"surrogate"', '"surrogate_16"'),
        ("seed=seed,", "seed=seed, n_train=128, n_validation=64,"),
    ):
        assert large in code
        code = code.replace(large, small)
    names = {"control": control}
    exec(compile(code, ADAPT, "exec"), names)
    assert len(names["results"]) == 3


def test_settings_of_a_task_are_changed_as_the_page_says():
    names = {"np": np}
    exec(compile(code_of_adapt('TASKS["one_choice"].with_settings'), ADAPT, "exec"), names)
    task = names["long_delay"]
    assert names["inputs"].shape == (128, task.n_steps, task.n_channels)
    assert task.n_steps == TASKS["one_choice"].n_steps + 30
    assert names["targets"].shape == (128,)


def test_a_protocol_of_ones_own_changes_the_switch_that_is_named_and_no_other():
    protocol = Protocol(name="mine", coordinates="soma")
    assert 'Protocol(name="mine", coordinates="soma")' in read(ADAPT)
    assert dataclasses.replace(protocol, name="published", coordinates="reshaped") == PUBLISHED


def test_the_table_of_further_tasks_lists_them_with_what_their_texts_say():
    column = "from the last stimulus alone"
    rows = table(page_with(f"| {column} |"), "task").set_index("task")[column]
    assert sorted(rows.index) == sorted(GYM_TASKS)
    for name, share in rows.items():
        text = " ".join((type(GYM_TASKS[name]).__doc__ or "").split())
        assert re.search(rf"\b{re.escape(share)}\d*\b", text), (name, share)


# --- numbers that stand in two places


def test_numbers_that_stand_twice_in_the_package_are_the_same():
    assert PRESETS["paper"].n_seeds == equivalence.PUBLISHED_RUNS
    assert set(PUBLISHED_FIELDS.values()) >= set(replication.DRAW_FIELDS)
    assert set(measure.VARIANTS.values()) < set(VARIANTS)
    task, defaults = TASKS[measure.TASK], inspect.signature(flops.step_flops).parameters
    for name in ("n_steps", "n_channels", "n_classes"):
        assert defaults[name].default == getattr(task, name)
    assert defaults["n_trials"].default == measure.BATCH == RunSpec.batch_size


def test_widths_of_bins_and_windows_are_those_of_the_page_wherever_they_are_a_default():
    width = int(said(METHODS, r"event counts in bins of (\d+) ms")) / 1000
    window = int(said(METHODS, r"with a window of \$\\pm (\d+)\$ ms")) / 1000
    takers = [
        relations.bin_events,
        relations.sttc,
        derivation.derived,
        arrays.field_from_data,
        microns.assemble,
        function_figures.frame_grid,
        function_figures.bin_widths,
    ]
    defaults = {"bin_s": set(), "window_s": set()}
    for taker in takers:
        for name, parameter in inspect.signature(taker).parameters.items():
            if name in defaults:
                defaults[name].add(parameter.default)
    assert defaults == {"bin_s": {width}, "window_s": {window}}


def test_the_synthetic_field_has_as_many_neurons_as_the_page_says():
    least = int(said(RUN, r"synthetic field of (\d+) or any other number"))
    assert load_field("surrogate").n_neurons == least == DEFAULT_NEURONS


def test_examples_in_docstrings_give_what_they_say():
    results = [doctest.testmod(import_module(name)) for name in ("cortexrnn", *modules())]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 5


# --- errors that docstrings name and no other test provokes


@pytest.fixture(scope="module")
def bare(field):
    """Make a field without relations and events."""
    names = ("positions", "connectome", "voxel_size")
    return Field.from_arrays(name="bare", **{name: getattr(field, name) for name in names})


RUNS = pd.DataFrame({"task": ["go_nogo", "perceptual"], "variant": "W", "field": ["a", "b"]})
ERRORS = [
    (FieldError, "correlation", lambda f: graph_nulls.starts(f)),
    (FieldError, "correlation", lambda f: leaky_units.self_connections(f, relation="correlation")),
    (FieldError, "correlation", lambda f: initial_weights.initial_weights(spec(f, "W*D*C"), f)),
    (FieldError, "event times", lambda f: derivation.derived(f)),
    (FieldError, "relation", lambda f: derivation.differences(f, {"correlation": np.eye(40)})),
    (ValueError, "share", lambda f: leaky_units.needed_self_connection(TASKS["go_nogo"], share=1)),
    (ValueError, "chess", lambda f: leaky_units.learned("chess", [0.5])),
    (ValueError, "delay_match", lambda f: leaky_units.contrast(GYM_TASKS["delay_match"])),
    (ArchiveError, "nowhere", lambda f: report.load("/nowhere")),
    (
        ValueError,
        "n_neurons|neurons|at least 1",
        lambda f: forecast.design_hours(report.load(), n_neurons=0, n_runs=1, cores=1),
    ),
    (
        ValueError,
        "measured",
        lambda f: forecast.run_seconds(report.load().table.head(0), 100, "plain"),
    ),
    (ValueError, "positive", lambda f: report.fit_exponent([1, 2, 0], [1, 2, 3])),
    (ValueError, "task", lambda f: linear_model.rank_anova(RUNS)),
    (ValueError, "x", lambda f: linear_model.rank_anova(RUNS.head(1), reference="x")),
    (ValueError, "chess", lambda f: pooled.pooled(RUNS, among="chess")),
    (ValueError, "positive", lambda f: derivation.frames_in_bins(0, 0.2, 5)),
    (ValueError, "4", lambda f: derivation.signal_correlation(np.ones((2, 5)), np.ones(4))),
    (ValueError, "4", lambda f: derivation.regress_out(np.ones((2, 5)), np.ones(4))),
    (ValueError, "different", lambda f: derivation.frame_grid([[1.0], [1.0]])),
    (WeightsError, "nowhere", lambda f: trained_weights.load_weights("/nowhere.npz")),
    (ValueError, "W", lambda f: penalty("W??", f)),
    (FieldError, "sttc", lambda f: f.relation("sttc")),
]


@pytest.mark.parametrize(("kind", "named", "call"), ERRORS)
def test_errors_are_those_that_the_docstring_names(bare, kind, named, call):
    with pytest.raises(kind, match=named):
        call(bare)
