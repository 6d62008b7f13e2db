"""Variants, controls, initial weights and penalties."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from cortexrnn import load_field
from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import penalties, priors, specification
from cortexrnn.networks.communicability import empirical_communicability
from cortexrnn.networks.initial_weights import initial_weights
from cortexrnn.networks.penalties import Penalty, gradient_sizes, penalty, penalty_of
from cortexrnn.networks.specification import CORRECTED, PUBLISHED, Protocol, RunSpec
from cortexrnn.networks.variant import VARIANTS, Variant, control

# The golden file names the penalty of W*DC* after an orthogonal start that is none of the eleven.
GOLDEN_NAMES = ("W", "WD*", "WD", "WD*C", "WDC", "WD*C*", "WDC*")


@pytest.fixture(scope="module")
def field():
    return surrogate_field(40)


def spec(field, variant, *, task="one_choice", seed=0, **settings):
    return RunSpec(
        field=field.name,
        field_hash=field.hash_without_events,
        variant=variant,
        task=task,
        seed=seed,
        **settings,
    )


def functional(field, seed=0):
    return priors.functional_weights(field, relation="correlation", rng=np.random.default_rng(seed))


def tiny_penalty(name, recipe):
    """Build a penalty of the small golden case, whose coordinates and grid enter as they are."""
    variant = Variant.parse(name)
    points = {
        None: None,
        "soma": recipe["positions"],
        "grid": priors.grid_coordinates((4, 3, 2), 24),
    }[variant.distance]
    distance = None if points is None else torch.from_numpy(priors.distances(points))
    target = empirical_communicability(recipe["connectome"])
    emd = variant.communicability == "emd"
    return Penalty(
        strength=1.0 if distance is None else specification.STRENGTH,
        distance=distance,
        direct=variant.communicability == "direct",
        target=torch.from_numpy(np.sort(target, axis=None)) if emd else None,
        emd_strength=specification.EMD_STRENGTH if emd else 0.0,
    )


def errors(function, weights, theirs):
    """Relative errors of value and gradient entries in float32, as the authors computed."""
    tensor = torch.tensor(weights, dtype=torch.float32)[None].requires_grad_()
    value = function.to(tensor)(tensor)
    gradient = torch.autograd.grad(value.sum(), tensor)[0][0].double()
    ours = {
        "value": value.item(),
        "grad_abs_mean": gradient.abs().mean().item(),
        "grad_0_1": gradient[0, 1].item(),
        "grad_5_3": gradient[5, 3].item(),
        "grad_2_2": gradient[2, 2].item(),
    }
    worst = {}
    for key, value in ours.items():
        if theirs[key] == 0:
            assert value == 0, key
            continue
        worst["value" if key == "value" else "gradient"] = max(
            worst.get("value" if key == "value" else "gradient", 0.0),
            abs(value / theirs[key] - 1),
        )
    return worst


def check(worst, what):
    print(
        f"{what}: value {worst['value']:.1e} of 1e-4, largest gradient entry "
        f"{worst['gradient']:.1e} of 1e-3"
    )
    assert worst["value"] < 1e-4
    assert worst["gradient"] < 1e-3


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_penalties_of_the_small_case_are_the_authors(golden, tiny, name):
    worst = errors(tiny_penalty(name, tiny), tiny["weights"], golden["tiny"]["regularizers"][name])
    check(worst, f"tiny {name}")


@pytest.mark.parametrize("coordinates", ["published_coordinates", "soma_coordinates"])
@pytest.mark.parametrize("field_name", ["6_6_2", "5_3_4"])
@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_penalties_of_real_fields_are_the_authors(mirror, golden, name, field_name, coordinates):
    real = load_field(field_name, directory=mirror)
    protocol = PUBLISHED
    if coordinates == "soma_coordinates":
        protocol = type(PUBLISHED)(name="soma coordinates only", coordinates="soma")
    worst = errors(
        penalty(name, real, protocol=protocol),
        functional(real),
        golden[field_name][coordinates][name],
    )
    check(worst, f"{field_name} {coordinates} {name}")


def test_the_eleven_stand_in_the_papers_order():
    assert list(VARIANTS) == (
        ["W*D*C", "WD*C", "WDC", "WD*", "WD", "W", "W*D*C*", "WD*C*", "W*DC*", "W!D*C", "W!D*C*"]
    )
    starts = {name: variant.start for name, variant in VARIANTS.items()}
    assert {n for n, s in starts.items() if s == "functional"} == {"W*D*C", "W*D*C*", "W*DC*"}
    assert {n for n, s in starts.items() if s == "permuted"} == {"W!D*C", "W!D*C*"}


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_each_value_belongs_to_its_own_network(field, variant):
    weights = torch.randn(
        3, 40, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    together = penalty(variant, field)(weights)
    alone = torch.cat([penalty(variant, field)(one[None]) for one in weights])
    assert together.shape == (3,)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)


@pytest.mark.parametrize("variant", [n for n, v in VARIANTS.items() if v.distance == "soma"])
def test_renaming_neurons_everywhere_changes_nothing_and_in_weights_alone_something(field, variant):
    order = np.random.default_rng(3).permutation(field.n_neurons)
    weights = functional(field)
    renamed = weights[np.ix_(order, order)]

    def value(some_field, some_weights, protocol):
        function = penalty(variant, some_field, protocol=protocol)
        return function(torch.from_numpy(some_weights)[None]).item()

    base = value(field, weights, CORRECTED)
    assert value(field.permuted(order), renamed, CORRECTED) == pytest.approx(base, rel=1e-9)
    # W!: weights renamed, field not.
    assert value(field, renamed, CORRECTED) != pytest.approx(base, rel=1e-6)
    # The published coordinates depend on the order in which neurons happen to be stored.
    base = value(field, weights, PUBLISHED)
    assert value(field.permuted(order), renamed, PUBLISHED) != pytest.approx(base, rel=1e-6)


def test_protocol_switches_change_what_they_name_and_nothing_else(field):
    weights = torch.from_numpy(functional(field))[None]

    def value(variant, **switches):
        return penalty(variant, field, protocol=type(PUBLISHED)(name="", **switches))(
            weights
        ).item()

    assert value("W") == pytest.approx(weights.abs().sum().item())
    assert value("W", plain_strength="lambda") == pytest.approx(0.3 * value("W"))
    assert value("WD", plain_strength="lambda") == value("WD")
    assert value("WD*", coordinates="soma") != pytest.approx(value("WD*"))
    assert value("WD", coordinates="soma") == value("WD")
    assert value("WD", grid_scale="unit") < value("WD")
    assert value("WD*", grid_scale="unit") == value("WD*")


def test_strengths_are_factors(field):
    weights = torch.from_numpy(functional(field))[None]
    base = penalty("W*D*C*", field)(weights)
    no_emd = penalty("W*D*C*", field, emd_strength=0.0)(weights)
    torch.testing.assert_close(no_emd, penalty("W*D*", field)(weights))
    torch.testing.assert_close(
        penalty("W*D*C*", field, emd_strength=0.2)(weights) - base, base - no_emd
    )
    torch.testing.assert_close(
        penalty("WD*", field, strength=0.6)(weights), 2 * penalty("WD*", field)(weights)
    )


def test_frozen_communicability_does_not_follow_the_weights(field):
    start = functional(field)
    frozen = penalty(control("W*D*C", communicability="frozen"), field, initial_weights=start)
    weights = torch.from_numpy(start)[None]
    torch.testing.assert_close(frozen(weights), penalty("W*D*C", field)(weights))
    torch.testing.assert_close(frozen(2 * weights), 2 * frozen(weights))
    squared = weights**2
    assert not torch.isclose(frozen(squared), penalty("W*D*C", field)(squared))
    with pytest.raises(ValueError, match="needs initial_weights"):
        penalty(control("W*D*C", communicability="frozen"), field)


def test_random_points_need_and_follow_their_generator(field):
    weights = torch.from_numpy(functional(field))[None]
    variant = control("W*D*", distance="random")
    one, same, other = (
        penalty(variant, field, rng=np.random.default_rng(seed))(weights) for seed in (0, 0, 1)
    )
    assert one == same != other
    with pytest.raises(ValueError, match="need rng"):
        penalty(variant, field)


def test_starts(field):
    orthogonal = initial_weights(spec(field, "WD*"), field)
    np.testing.assert_allclose(orthogonal @ orthogonal.T, np.eye(40), atol=1e-12)
    functional = initial_weights(spec(field, "W*D*C"), field)
    relabelled = initial_weights(spec(field, "W!D*C"), field)
    np.testing.assert_array_equal(np.sort(functional, axis=None), np.sort(relabelled, axis=None))
    assert not np.array_equal(functional, relabelled)


def test_what_is_shared_by_variants_and_tasks_and_what_is_drawn_afresh(field):
    def start(variant, **where):
        return initial_weights(spec(field, variant, **where), field)

    assert np.array_equal(start("W*D*C"), start("W*DC*", task="go_nogo"))
    assert not np.array_equal(start("W*D*C"), start("W*D*C", seed=1))
    assert np.array_equal(start("W"), start("WD*C"))
    assert not np.array_equal(start("W"), start("W", task="go_nogo"))
    assert not np.array_equal(start("W!D*C"), start("W!D*C*"))
    assert not np.array_equal(start("W!D*C"), start("W!D*C", task="go_nogo"))


def test_self_connections_removed_or_only(field):
    removed, only = (
        initial_weights(spec(field, control("W*D*C", self_connections=what)), field)
        for what in ("removed", "only")
    )
    assert (np.diag(removed) == 0).all()
    assert (only[~np.eye(40, dtype=bool)] == 0).all()
    for weights in (removed, only):
        assert priors.spectral_radius(weights) == pytest.approx(0.95)


OFF = ~np.eye(40, dtype=bool)


def changed_start(field, base="W*D*", seed=0, **switches):
    return initial_weights(spec(field, control(base, **switches), seed=seed), field)


@pytest.mark.parametrize("what", ["shuffled", "off_diagonal_shuffled"])
def test_shuffled_entries_are_the_same_values_elsewhere(field, what):
    before, after = changed_start(field), changed_start(field, entries=what, scaling="none")
    np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
    assert not np.array_equal(before[OFF], after[OFF])
    assert np.array_equal(np.diag(before), np.diag(after)) == what.startswith("off_diagonal")


@pytest.mark.parametrize("what", ["resampled", "off_diagonal_resampled"])
def test_resampled_entries_are_drawn_from_those_that_were_there_onto_the_same_places(field, what):
    before, after = changed_start(field), changed_start(field, entries=what, scaling="none")
    np.testing.assert_array_equal(before != 0, after != 0)
    assert set(after[after != 0]) < set(before[before != 0])
    assert np.array_equal(np.diag(before), np.diag(after)) == what.startswith("off_diagonal")
    drawn = after[OFF] if what.startswith("off_diagonal") else after
    assert set(drawn.ravel()) <= set((before[OFF] if what.startswith("off") else before).ravel())


def test_a_changed_start_is_shared_by_tasks_and_differs_between_seeds(field):
    variant = control("W*D*", entries="shuffled")
    one, two = (
        initial_weights(spec(field, variant, task=task), field)
        for task in ("one_choice", "go_nogo")
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, changed_start(field, entries="shuffled", seed=1))


@pytest.mark.parametrize(
    ("base", "switches"),
    [
        ("W*D*", {"entries": "shuffled"}),
        ("W*D*", {"entries": "resampled", "self_connections": "removed"}),
        ("WD*", {"start": "identity"}),
        ("WD*", {"start": "lognormal"}),
        ("WD*", {"start": "uniform"}),
    ],
)
def test_controls_of_the_start_have_the_radius_of_functional_weights(field, base, switches):
    weights = changed_start(field, base, **switches)
    assert (weights >= 0).all()
    assert priors.spectral_radius(weights) == pytest.approx(0.95)


def test_weights_whose_self_connections_are_removed_may_stay_unscaled(field):
    before = changed_start(field)
    after = changed_start(field, self_connections="removed", scaling="none")
    np.testing.assert_array_equal(after[OFF], before[OFF])
    assert priors.spectral_radius(after) < 0.95


def test_an_orthogonal_start_may_have_functional_self_connections(field):
    variant = control("WD*", self_connections="functional")
    weights = changed_start(field, "WD*", self_connections="functional")
    np.testing.assert_array_equal(weights[OFF], changed_start(field, "WD*")[OFF])
    np.testing.assert_array_equal(np.diag(weights), np.diag(changed_start(field, "W*D*")))
    assert variant.uses_function
    assert spec(field, variant).identity != spec(field, variant, relation="sttc").identity


def test_an_orthogonal_start_may_be_scaled_so_that_clipping_keeps_it_stable(field):
    plain = changed_start(field, "WD*")
    scaled = changed_start(field, "WD*", scaling="positive_part")
    assert priors.spectral_radius(plain.clip(min=0)) > 2
    assert priors.spectral_radius(scaled.clip(min=0)) == pytest.approx(0.95)
    np.testing.assert_allclose(scaled / scaled[0, 0], plain / plain[0, 0])


@pytest.mark.parametrize("base", ["W*D*", "WD*"])
def test_the_number_of_strong_self_connections_is_all_that_differs(field, base):
    before = changed_start(field, base)
    chosen = []
    for count in (0, 1, 2, 8, 40):
        variant = control(base, strong_self_connections=count)
        after = initial_weights(spec(field, variant), field)
        np.testing.assert_array_equal(after[OFF], before[OFF])
        diagonal = np.diag(after)
        assert set(diagonal) <= {0.0, 0.95} and (diagonal > 0).sum() == count
        chosen.append(set(np.flatnonzero(diagonal)))
        other = initial_weights(spec(field, variant, task="perceptual"), field)
        np.testing.assert_array_equal(np.diag(other), diagonal)
    assert all(few < more for few, more in itertools.pairwise(chosen))
    same = [
        np.diag(changed_start(field, other, strong_self_connections=2)) for other in ("W*D*", "WD*")
    ]
    np.testing.assert_array_equal(*same)
    another = np.diag(changed_start(field, base, strong_self_connections=2, seed=1))
    assert not np.array_equal(another, same[0])


def test_more_strong_self_connections_than_units_are_refused(field):
    with pytest.raises(ValueError, match="strong_self_connections is 41, and the field has 40 neu"):
        changed_start(field, strong_self_connections=41)


def distances(field, base, protocol=PUBLISHED, **switches):
    rng = np.random.default_rng(0)
    return penalties.unit_distances(control(base, **switches), field, protocol=protocol, rng=rng)


def test_matched_points_have_the_distances_of_the_somata_in_another_order(field):
    soma, random, matched = (
        distances(field, "WD*", distance=what)[np.triu_indices(40, 1)]
        for what in ("soma", "random", "matched")
    )
    np.testing.assert_array_equal(np.sort(matched), np.sort(soma))
    np.testing.assert_array_equal(matched.argsort(), random.argsort())
    assert abs(np.corrcoef(matched, soma)[0, 1]) < 0.2


def test_shuffled_distances_are_the_same_values_between_other_pairs(field):
    soma, shuffled = (distances(field, "WD*", distance=what) for what in ("soma", "shuffled"))
    np.testing.assert_array_equal(shuffled, shuffled.T)
    assert not np.diag(shuffled).any()
    upper = np.triu_indices(40, 1)
    np.testing.assert_array_equal(np.sort(shuffled[upper]), np.sort(soma[upper]))
    assert abs(np.corrcoef(shuffled[upper], soma[upper])[0, 1]) < 0.2
    by_seed = [
        penalty_of(spec(field, control("WD*", distance="shuffled"), seed=seed), field, soma)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(by_seed[0].distance, by_seed[1].distance)
    assert not torch.equal(by_seed[0].distance, by_seed[2].distance)


def test_artificial_clusters_are_three_and_as_far_as_the_somata_on_average(field):
    clusters = distances(field, "WD*", distance="clusters")
    same = np.equal.outer(np.arange(40) % 3, np.arange(40) % 3)
    assert clusters[same].max() < clusters[~same].min()
    assert 6 < clusters[~same].mean() / clusters[same & OFF].mean() < 10
    assert clusters[OFF].mean() == pytest.approx(distances(field, "WD*")[OFF].mean())


def test_a_matched_grid_is_the_grid_at_the_mean_distance_of_the_somata(field):
    grid = distances(field, "WD")
    matched = distances(field, "WD", Protocol(name="mine", grid_scale="matched"))
    np.testing.assert_allclose(matched[OFF] / grid[OFF], matched[0, 1] / grid[0, 1])
    assert matched[OFF].mean() == pytest.approx(distances(field, "WD*")[OFF].mean())


def test_a_unit_may_be_as_far_from_itself_as_units_are_on_average(field):
    plain = distances(field, "WD*")
    reached = distances(field, "WD*", self_distance="mean")
    np.testing.assert_array_equal(reached[OFF], plain[OFF])
    np.testing.assert_allclose(np.diag(reached), plain[OFF].mean())


@pytest.mark.parametrize("name", [*VARIANTS, "W*D*"])
def test_strength_may_be_set_in_units_of_the_gradient(field, name):
    protocol = Protocol(name="mine", strength_unit="gradient")
    variant = Variant.parse(name)
    start = initial_weights(spec(field, variant), field)
    held = penalty(variant, field, protocol=protocol, strength=0.02, initial_weights=start)
    weights = torch.from_numpy(start)[None]
    without_wiring = dataclasses.replace(held, target=None)
    assert gradient_sizes(without_wiring, weights).overall.item() == pytest.approx(0.02)
    with pytest.raises(ValueError, match="units of the gradient needs initial_weights"):
        penalty(variant, field, protocol=protocol)


@pytest.mark.parametrize("name", ["W", "WD*C", "WD*C*"])
def test_without_a_gradient_no_strength_is_in_units_of_it(field, name):
    protocol = Protocol(name="mine", strength_unit="gradient")
    start = np.zeros((field.n_neurons, field.n_neurons))
    arguments = {"protocol": protocol, "initial_weights": start}
    held = penalty(name, field, **arguments)
    assert not np.isfinite(held.strength)
    assert not torch.isfinite(held(torch.from_numpy(start)[None])).any()
    none = penalty("W", field, strength=0.0, **arguments)
    assert none.strength == 0.0


@pytest.mark.parametrize("name", ["W", "WD*C"])
def test_a_strength_in_units_of_the_gradient_follows_the_mean_over_networks(field, name):
    starts = [functional(field, seed) for seed in range(3)]

    def strength(initial_weights):
        protocol = Protocol(name="mine", strength_unit="gradient")
        held = penalty(name, field, protocol=protocol, initial_weights=initial_weights, strength=1)
        return held.strength

    # The strength is one over the gradient, and gradients are averaged.
    mean = np.mean([1 / strength(one) for one in starts])
    assert 1 / strength(np.stack(starts)) == pytest.approx(mean)


def test_the_mean_gradient_of_a_plain_penalty_is_its_strength():
    weights = torch.randn(3, 5, 5)
    sizes = gradient_sizes(Penalty(strength=0.3), weights)
    torch.testing.assert_close(sizes.overall, torch.full((3,), 0.3))


def test_gradients_of_self_connections_are_told_from_the_rest():
    weights = torch.ones(2, 3, 3, dtype=torch.float64)
    weights[1, 0, 0] = 0.0  # not held
    cost = torch.ones(3, 3, dtype=torch.float64)
    cost.fill_diagonal_(0.0)
    cost[0, 0] = 6.0
    sizes = gradient_sizes(Penalty(strength=0.5, distance=cost), weights)
    assert sizes.self_connections.tolist() == [1.0, 0.0]
    assert sizes.others.tolist() == [0.5, 0.5]
    assert sizes.overall.tolist() == pytest.approx([6 / 9, 3 / 9])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Variant.parse("W**D"), r"unknown variant 'W\*\*D'"),
        (lambda: control("W*D*C", colour="red"), "unknown switch 'colour'; choose one of start"),
        (lambda: control("W*D*C", distance="far"), "unknown distance 'far'"),
        (lambda: control("W*D*C", distance=None), "choose a distance"),
        (lambda: control("WD*", self_connections="only"), "starts orthogonal"),
        (lambda: control("WD*", entries="shuffled"), "starts orthogonal; choose a base with W"),
        (lambda: control("W*", self_distance="mean"), "distance is None; choose a distance"),
        (lambda: control("W*D*", self_connections="functional"), "which this one has"),
        (lambda: control("W*D*", scaling="none"), "nothing is; set entries or self_connections"),
        (lambda: control("W*D*", scaling="positive_part"), "is for orthogonal weights"),
        (
            lambda: control("W*D*", strong_self_connections=2, self_connections="only"),
            "replaces all self-connections, and self_connections='only' changes them as well",
        ),
        (lambda: control("W*D*", strong_self_connections=-1), "must be a whole number >= 0"),
        (lambda: control("W*D*", strong_self_connections=1.5), "must be a whole number >= 0"),
    ],
)
def test_unknown_variants_and_switches_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_controls_say_what_was_switched():
    assert control("W*D*C").name == "W*D*C"
    assert control("W*D*C", communicability=None, self_connections="only").name == (
        "W*D* [self_connections=only]"
    )
    assert control("WD*", start="identity").name == "WD* [start=identity]"


def test_equal_variants_have_equal_names_and_equal_starts(field):
    one, other = VARIANTS["W!D*C"], control("W!D*", communicability="direct")
    assert one == other
    np.testing.assert_array_equal(
        initial_weights(spec(field, one), field),
        initial_weights(spec(field, other), field),
    )
