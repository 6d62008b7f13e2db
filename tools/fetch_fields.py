"""Fetch the real fields that tests use into a folder that ``CORTEXRNN_DATA`` can name.

Usage: ``python -m tools.fetch_fields FOLDER``. The files come from the pinned public source, about
29 MB; each is checked by its hash. What is there and right is not fetched again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cortexrnn.fields.sources.published import SourceError, fetch

WITH_EVENTS = ("4_7_2", "5_3_4", "5_3_8", "5_6_8", "6_6_8")
"""Small fields, whose relations are derived again from their events."""

WITHOUT_EVENTS = ("6_6_2", "7_4_4", "9_3_2")
"""Larger fields, of which tests read positions, connectome and relations alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what is missing.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of those of the command line.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="gets one folder for each field")
    folder = parser.parse_args(arguments).folder.resolve()
    os.environ["CORTEXRNN_CACHE"] = str(folder)
    try:
        for name in (*WITH_EVENTS, *WITHOUT_EVENTS):
            print(fetch(name, events=name in WITH_EVENTS, progress=False), flush=True)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Now set CORTEXRNN_DATA={folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
