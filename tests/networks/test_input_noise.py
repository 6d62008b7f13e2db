"""Noise: the same numbers whenever they are drawn, and never too many at a time."""

import threading

import pytest
import torch

from cortexrnn.networks import input_noise

CPU = torch.device("cpu")
SHAPES = [(5, 16, 3)] * 4 + [(5, 7, 3)] + [(5, 16, 3)] * 4 + [(5, 7, 3)]
"""Batches of two epochs, the last of each smaller."""


def generators(n_seeds=3):
    return [torch.Generator().manual_seed(seed) for seed in range(n_seeds)]


def defined(n_seeds=3):
    """What noise is: each seed's own numbers, batch after batch."""
    own = generators(n_seeds)
    return [torch.stack([torch.randn(shape, generator=g) for g in own]) for shape in SHAPES]


@pytest.mark.parametrize("draw", [input_noise.drawn, input_noise.drawn_ahead])
@pytest.mark.parametrize("most_bytes", [1, 2 * 4 * 3 * 5 * 16 * 3, 2**25])
@pytest.mark.parametrize("n_seeds", [1, 3, 9])
def test_noise_is_the_same_whenever_it_is_drawn(draw, most_bytes, n_seeds, monkeypatch):
    monkeypatch.setattr(input_noise, "BLOCK_BYTES", most_bytes)
    monkeypatch.setattr(input_noise.os, "cpu_count", lambda: 2)
    batches = list(draw(generators(n_seeds), SHAPES, CPU))
    assert len(batches) == len(SHAPES)
    for batch, expected in zip(batches, defined(n_seeds), strict=True):
        assert torch.equal(batch, expected)


def test_a_batch_stays_as_it_is_while_the_next_ones_are_drawn(monkeypatch):
    monkeypatch.setattr(input_noise, "BLOCK_BYTES", 1)
    noise = input_noise.drawn_ahead(generators(), SHAPES, CPU)
    first = next(noise)
    before = first.clone()
    rest = list(noise)
    assert torch.equal(first, before)
    assert torch.equal(rest[-1], defined()[-1])


def test_blocks_hold_batches_of_one_shape_and_few_bytes(monkeypatch):
    monkeypatch.setattr(input_noise, "BLOCK_BYTES", 3 * 4 * 2 * 5 * 16 * 3)
    blocks = list(input_noise._blocks(SHAPES, 2))
    assert [len(block) for block in blocks] == [3, 1, 1, 3, 1, 1]
    assert [shape for block in blocks for shape in block] == SHAPES
    monkeypatch.setattr(input_noise, "BLOCK_BYTES", 1)
    assert [len(block) for block in input_noise._blocks(SHAPES, 2)] == [1] * len(SHAPES)


def test_closed_early_it_leaves_no_thread():
    def at_work():
        return [t for t in threading.enumerate() if t.name.startswith("input noise")]

    noise = input_noise.drawn_ahead(generators(), SHAPES, CPU)
    next(noise)
    assert at_work()
    noise.close()
    assert not at_work()


def test_what_goes_wrong_while_drawing_is_raised(monkeypatch):
    def failing(*_):
        raise MemoryError("no room for noise")

    monkeypatch.setattr(input_noise, "_draw", failing)
    with pytest.raises(MemoryError, match="no room for noise"):
        next(input_noise.drawn_ahead(generators(), SHAPES, CPU))
