"""Input noise, drawn on the processor so that every device sees the same numbers."""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

__all__ = ["drawn", "drawn_ahead"]

BLOCK_BYTES = 2**25
"""Numbers that are drawn and sent to a device at a time, unless one batch has more."""

Shape = tuple[int, int, int]


def drawn(
    generators: Sequence[torch.Generator], shapes: Sequence[Shape], device: torch.device
) -> Generator[Tensor, None, None]:
    """Draw standard normal noise for one batch after another.

    On an accelerator it is drawn ahead, see :func:`drawn_ahead`; a processor has nothing to do
    meanwhile, and draws each batch when it is asked for it.

    Parameters
    ----------
    generators : sequence of torch.Generator
        One for each of S seeds; every batch takes its numbers from all of them.
    shapes : sequence of tuple of int
        (T, B, I) of every batch.
    device : torch.device
        Where the noise is used.

    Yields
    ------
    Tensor of float32, shape (S, T, B, I)
        Noise on the device. Close the generator if batches are left.
    """
    if device.type != "cpu":
        yield from drawn_ahead(generators, shapes, device)
        return
    for shape in shapes:
        numbers = torch.empty(1, len(generators), *shape)
        _draw(generators, numbers)
        yield numbers[0]


def drawn_ahead(
    generators: Sequence[torch.Generator], shapes: Sequence[Shape], device: torch.device
) -> Generator[Tensor, None, None]:
    """Draw the same noise in blocks of batches, each while the block before it is used.

    Parameters
    ----------
    generators, shapes, device
        As for :func:`drawn`.

    Yields
    ------
    Tensor of float32, shape (S, T, B, I)
        As from :func:`drawn`.
    """
    on_cuda = device.type == "cuda"
    copies = torch.cuda.Stream(device) if on_cuda else None  # type: ignore[no-untyped-call]
    n_threads = min(len(generators), os.cpu_count() or 1)
    blocks = _blocks(shapes, len(generators))
    with ThreadPoolExecutor(n_threads, thread_name_prefix="input noise") as pool:

        def begin() -> tuple[Tensor, list[Future[None]]] | None:
            if (block := next(blocks, None)) is None:
                return None
            size = (len(block), len(generators), *block[0])
            numbers = torch.empty(size, pin_memory=on_cuda)
            # A generator belongs to one thread, and a block begins when the last one is drawn.
            return numbers, [
                pool.submit(_draw, generators[i::n_threads], numbers[:, i::n_threads])
                for i in range(n_threads)
            ]

        ahead = begin()
        while ahead is not None:
            numbers, parts = ahead
            for part in parts:
                part.result()
            there = _sent(numbers, device, copies)
            # torch keeps pinned memory from being used again before it has been copied.
            del numbers
            ahead = begin()
            yield from there


def _draw(generators: Sequence[torch.Generator], numbers: Tensor) -> None:
    """Fill numbers (K, S, T, B, I), for each seed batch after batch."""
    for i, generator in enumerate(generators):
        for batch in numbers:
            torch.randn(batch[i].shape, generator=generator, out=batch[i])


def _sent(numbers: Tensor, device: torch.device, copies: torch.cuda.Stream | None) -> Tensor:
    """Copy to a device, beside what it is doing where it can do both."""
    if copies is None:
        return numbers.to(device)
    with torch.cuda.stream(copies):
        there = numbers.to(device, non_blocking=True)
    computing = torch.cuda.current_stream(device)
    computing.wait_stream(copies)
    there.record_stream(computing)
    return there


def _blocks(shapes: Sequence[Shape], n_seeds: int) -> Iterator[list[Shape]]:
    """Cut batches into blocks of one shape that are not too large."""
    for shape, alike in itertools.groupby(shapes):
        n_bytes = 4 * n_seeds * torch.Size(shape).numel()
        while block := list(itertools.islice(alike, max(1, BLOCK_BYTES // n_bytes))):
            yield block
