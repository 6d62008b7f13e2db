"""Products by one library or the other: the same numbers, chosen by speed, said in every row."""

import json

import numpy as np
import pytest
import torch

from cortexrnn.fields.sources.surrogate import surrogate_field
from cortexrnn.networks import cache, products
from cortexrnn.networks.ensemble import RNNEnsemble
from cortexrnn.networks.penalties import Penalty, penalty
from cortexrnn.networks.products import LIBRARIES, Products, choose
from cortexrnn.networks.training import rehearse, train
from cortexrnn.networks.variant import VARIANTS, control
from tests.networks.test_training import spec

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
PENALTIES = {
    "none": None,
    **{name: name for name in VARIANTS},
    "frozen": control("W*D*C", communicability="frozen"),
}


@pytest.fixture(scope="module")
def field():
    return surrogate_field(36)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path))
    monkeypatch.delenv("CORTEXRNN_PRODUCTS", raising=False)
    products._faster.cache_clear()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(n_threads)
    products._faster.cache_clear()


def make(field, name, library, *, positive=False, device="cpu", n_networks=1):
    generator = torch.Generator().manual_seed(5)
    n = field.n_neurons

    def draw(*shape):
        return torch.randn(n_networks, *shape, generator=generator)

    start = {
        "input": draw(3, n),
        "recurrent": draw(n, n) / n**0.5,
        "bias": 0.1 * draw(n),
        "output": draw(n, 2) / n**0.5,
        "output_bias": draw(2),
    }
    variant = PENALTIES[name]
    start_weights = start["recurrent"][0].double().numpy()
    penal = (
        Penalty(strength=0.0)
        if variant is None
        else penalty(variant, field, initial_weights=start_weights)
    )
    return RNNEnsemble(
        {key: value.to(device) for key, value in start.items()},
        penalties=[penal] * n_networks,
        positive=[positive] * n_networks,
        products=Products(library, device),
    )


def losses(ensemble, n_updates=10, n_steps=23):
    generator = torch.Generator().manual_seed(6)
    device = ensemble.parameters["recurrent"].device
    targets = torch.randint(0, 2, (24,), generator=generator).to(device)
    values = []
    for _ in range(n_updates):
        inputs = torch.randn(n_steps, 24, 3, generator=generator).to(device)
        values.append(ensemble.step(inputs, targets)[0].cpu())
    return torch.stack(values)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("name", list(PENALTIES))
def test_two_libraries_agree_over_ten_updates(field, name, positive):
    one, other = (make(field, name, library, positive=positive) for library in LIBRARIES)
    torch.testing.assert_close(losses(one), losses(other), rtol=1e-5, atol=0)
    for key, value in one.parameters.items():
        torch.testing.assert_close(value, other.parameters[key], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_run_is_the_same_alone_and_beside_others_with_either_library(field, library, monkeypatch):
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", library)
    specs = [spec(field, name, seed=seed) for name in ("W*D*C", "WD*C*", "W") for seed in (0, 1)]
    for one, result in zip(specs, train(specs, field, device="cpu", progress=False), strict=True):
        (alone,) = train([one], field, device="cpu", progress=False)
        assert (alone.metrics, alone.history) == (result.metrics, result.history)
        for key, value in alone.weights.items():
            np.testing.assert_array_equal(value, result.weights[key])


@pytest.mark.parametrize("library", LIBRARIES)
def test_operands_are_views_and_products_are_written_into_them(library):
    some = Products(library, "cpu")
    rng = np.random.default_rng(0)
    left, right = (torch.from_numpy(rng.random(shape)) for shape in ((1, 4, 6), (1, 6, 5)))
    wide = torch.zeros(1, 4, 9, dtype=torch.float64)
    out = some.operand(wide[:, :, 2:7])
    some.multiply(some.operand(left), some.operand(right), out=out)
    torch.testing.assert_close(wide[:, :, 2:7], left @ right)
    assert not wide[:, :, :2].any()
    assert not wide[:, :, 7:].any()
    turned = some.operand(right.mT.contiguous().mT)
    some.multiply(some.operand(left), turned, out=out)
    torch.testing.assert_close(wide[:, :, 2:7], left @ right)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_product_is_added_to_what_is_there(library):
    some = Products(library, "cpu")
    rng = np.random.default_rng(1)
    left, right, out = (torch.from_numpy(rng.random(s)) for s in ((1, 4, 6), (1, 6, 5), (1, 4, 5)))
    expected = out + left @ right
    operands = (some.operand(t) for t in (left, right, out, torch.empty_like(out)))
    some.add_product(*operands)
    torch.testing.assert_close(out, expected)
    many = torch.ones(3, 4, 5)
    operands = (torch.ones(3, 4, 6), torch.ones(3, 6, 5), many, torch.empty(3, 4, 5))
    Products("torch", "cuda").add_product(*operands)  # as on an accelerator
    assert (many == 7).all()


def pretend(monkeypatch, **seconds):
    calls = []

    def measure(*args):
        calls.append(args)
        return seconds

    monkeypatch.setattr(products, "_seconds", measure)
    return calls


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [({"torch": 1.0, "numpy": 0.5}, "numpy"), ({"torch": 1.0, "numpy": 0.95}, "torch")],
)
def test_the_faster_library_is_chosen_once_and_remembered(monkeypatch, seconds, expected):
    calls = pretend(monkeypatch, **seconds)
    assert choose("cpu", 40).library == expected
    products._faster.cache_clear()  # as in another process
    assert choose("cpu", 40).library == expected
    assert len(calls) == 1
    assert choose("cpu", 41).library == expected
    assert len(calls) == 2


def test_a_damaged_memory_is_measured_again(monkeypatch, own_cache):
    calls = pretend(monkeypatch, torch=1.0, numpy=0.5)
    choose("cpu", 40)
    (file,) = own_cache.glob("products-*.json")
    for damage in ("{", "[]", '{"faster": "fortran"}'):
        file.write_text(damage)
        products._faster.cache_clear()
        assert choose("cpu", 40).library == "numpy"
    assert len(calls) == 4


def test_what_is_measured_is_a_time_for_each_library():
    seconds = products._seconds([Products(one, "cpu") for one in LIBRARIES], 12, torch.float32)
    assert set(seconds) == set(LIBRARIES)
    assert all(0 < value < 1 for value in seconds.values())


def test_an_argument_comes_before_the_environment_and_that_before_a_measurement(monkeypatch):
    pretend(monkeypatch, torch=1.0, numpy=0.5)
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", "torch")
    assert choose("cpu", 40).library == "torch"
    assert choose("cpu", 40, library="numpy").library == "numpy"
    assert choose("cpu", 40, library="auto").library == "numpy"
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", "")
    assert choose("cpu", 40).library == "numpy"
    assert choose("cuda:1", 40, library="numpy") == Products("torch", "cuda:1")


def test_several_threads_are_torchs_alone(monkeypatch):
    calls = pretend(monkeypatch, torch=1.0, numpy=0.5)
    torch.set_num_threads(2)
    assert choose("cpu", 40) == Products("torch", "cpu")
    assert choose("cpu", 40, library="torch") == Products("torch", "cpu")
    assert calls == []
    with pytest.raises(ValueError, match=r"numpy were asked for, and torch has 2 threads.*choose"):
        choose("cpu", 40, library="numpy")


def test_what_will_be_trained_elsewhere_is_rehearsed_with_several_threads(monkeypatch):
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", "numpy")
    large = surrogate_field(520)  # small networks are rehearsed on one thread
    torch.set_num_threads(2)
    rehearse([spec(large, "W")], large)


@pytest.mark.filterwarnings("error")
def test_a_run_that_diverges_is_recorded_with_either_library(field, monkeypatch):
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", "numpy")
    (result,) = train([spec(field, learning_rate=1e39)], field, device="cpu", progress=False)
    assert result.diverged


def test_an_unknown_library_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="unknown products 'mkl'; choose one of auto, torch, num"):
        choose("cpu", 40, library="mkl")
    monkeypatch.setenv("CORTEXRNN_PRODUCTS", "mkl")
    with pytest.raises(ValueError, match="unknown CORTEXRNN_PRODUCTS 'mkl'"):
        choose("cpu", 40)


def test_each_library_says_what_it_is():
    torchs, numpys = (Products(library, "cpu").describe() for library in LIBRARIES)
    assert torch.backends.cpu.get_cpu_capability() in torchs
    assert "of numpy" in numpys
    for text in (torchs, numpys):
        assert text.endswith(("thread", "threads"))
        assert json.dumps(text).isascii()


def test_a_folder_that_cannot_be_written_is_passed_over(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("CORTEXRNN_CACHE", str(blocked / "folder"))
    cache.remember("something", {"a": 1})
    assert cache.recall("something") is None
