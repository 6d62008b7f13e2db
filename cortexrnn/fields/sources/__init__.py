"""Sources of fields; :func:`load_field` loads a field from any of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from cortexrnn.fields.errors import FieldError
from cortexrnn.fields.field import Field
from cortexrnn.fields.sources.published import FIELDS, load_published

__all__ = ["load_field"]


def load_field(
    name: str | os.PathLike[str], *, directory: str | os.PathLike[str] | None = None
) -> Field:
    """Return the field called `name`.

    Parameters
    ----------
    name : str or path
        ``"surrogate"`` or ``"surrogate_<N>"`` for a synthetic field of 96 or N neurons; a
        published name such as ``"6_6_2"``; ``"microns_6_6_2"`` for the same imaging field built
        from the release itself (:func:`cortexrnn.fields.sources.microns.field_name` has the
        forms); ``"worm"`` for C. elegans, which needs the extra ``cortexrnn[worm]``; or the path of
        a file that :meth:`~cortexrnn.fields.field.Field.save` wrote.
    directory : path, optional
        Where to look for a published field, instead of mirror, cache and public source.

    Returns
    -------
    Field
        Its ``origin`` says where it comes from.

    Raises
    ------
    FieldError
        If there is no such field, or it is damaged. A real field that cannot be loaded is never
        replaced by a surrogate.
    """
    text = _name_as_text(name)
    is_built = text == "worm" or text.startswith(("surrogate", "microns_"))
    is_built = is_built and text not in _published()
    if not is_built and (text in _published() or not _looks_like_file(text)):
        return load_published(text, directory=directory)
    if directory is not None:
        raise FieldError(
            f"field {text!r} is not looked up in a directory, but directory={str(directory)!r} was "
            "given; leave it out, or name a published field"
        )
    if text == "worm":
        from cortexrnn.fields.sources.worm import worm_field

        return worm_field()
    if _looks_like_file(text):
        return Field.load(text)
    return _microns(text) if text.startswith("microns_") else _surrogate(text)


def _published() -> set[str]:
    return set(FIELDS["field"])


def _looks_like_file(text: str) -> bool:
    return text.endswith(".npz") or (text != "surrogate" and Path(text).is_file())


def _surrogate(text: str) -> Field:
    """Make the synthetic field of the size that the name asks for."""
    match = re.fullmatch(r"surrogate(?:_(\d{1,6}))?", text)
    if match is None:
        raise FieldError(
            f"no field called {text!r}; a surrogate is named surrogate or surrogate_<N> with N "
            "neurons, such as surrogate_200"
        )
    # Only this branch needs the generator; reading a real field should not pay for its import.
    from cortexrnn.fields.sources.surrogate import surrogate_field

    return surrogate_field() if match[1] is None else surrogate_field(int(match[1]))


def _microns(text: str) -> Field:
    """Build the field of the release that the name stands for."""
    # Imported here for the same reason.
    from cortexrnn.fields.sources.microns import named

    return named(text)


def _name_as_text(name: object) -> str:
    """Refuse what is not a name, above all a name that was read as a number on its way here."""
    if isinstance(name, str | os.PathLike):
        return str(name)
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        meant = [field for field in FIELDS["field"] if field.replace("_", "") == str(name)]
        example = meant[0] if meant else "6_6_2"
        raise FieldError(
            f"the field arrived as the number {name}, not as a name: Python reads 6_6_2 as 662, "
            f"and papermill's -p does so too; use `-r field {example}`, which keeps text, or "
            f'field = "{example}"'
        )
    raise FieldError(
        f"a field is given by name or path, got {type(name).__name__} {name!r}; write it as text, "
        'such as "6_6_2"'
    )
