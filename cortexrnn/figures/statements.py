"""Statements that the book makes about a field, and what it says where they do not hold.

Some statements are about cortex: connections are few, near neighbours are connected more often.
They must hold for the published fields and their surrogate: a page on which one fails is not built.
Any other field may differ; its page states what was computed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cortexrnn.fields.sources.published import FIELDS

if TYPE_CHECKING:
    from cortexrnn.fields.field import Field

__all__ = ["is_known", "stated"]

#: Origins of a published field, whose files were checked by their digests.
PUBLISHED_ORIGINS = ("directory", "mirror", "cache", "download")

#: Neurons of the smallest published field: a smaller surrogate does not resemble them.
FEWEST_NEURONS = int(FIELDS["n_neurons"].min())


def is_known(field: Field) -> bool:
    """Check whether a field is one of those that the book makes statements about.

    Parameters
    ----------
    field : Field
        The field.

    Returns
    -------
    bool
        True for a published field as it was released, and for a surrogate that is no smaller than
        the smallest of these. False for a field of one's own, whatever its name.
    """
    if field.origin == "surrogate":
        return field.n_neurons >= FEWEST_NEURONS
    return field.origin in PUBLISHED_ORIGINS


def stated(field: Field, holds: object, sentence: str, *, otherwise: str) -> str:
    """Return the one of two sentences that is true of a field.

    Parameters
    ----------
    field : Field
        The field.
    holds : bool
        Whether the sentence is true of it.
    sentence : str
        What the book says of cortex.
    otherwise : str
        What to say where it is not true.

    Returns
    -------
    str
        One of the two.

    Raises
    ------
    AssertionError
        If the sentence is not true of a field for which it must hold.
    """
    if bool(holds):
        return sentence
    if is_known(field):
        raise AssertionError(f"field {field.name!r}: the book says {sentence!r}, but: {otherwise}")
    return otherwise
