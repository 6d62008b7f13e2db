"""One look for every figure.

The first cell of a chapter calls :func:`set_style`. In the book (environment variable
``CORTEXRNN_BOOK=1``, set by the build) interactive figures then share one script of the site and
need no network; anywhere else, Colab included, they use what that place offers.
"""

from __future__ import annotations

import os
from typing import Any

import seaborn as sns

__all__ = ["WIDTH", "palette", "set_style", "shell"]

#: Ten colours that stay apart for colour-blind readers (seaborn's "colorblind"), as hex codes.
palette: tuple[str, ...] = tuple(sns.color_palette("colorblind").as_hex())


#: Width of a figure in inches. At this width the text of a figure that is scaled down to the
#: screen of a phone (about 360 of 460 points) keeps more than nine pixels.
WIDTH = 6.4


_FONT_SIZE = 12.0


_STYLE: dict[str, Any] = {
    "figure.figsize": (WIDTH, 4.0),
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": _FONT_SIZE,
    "axes.titleweight": "bold",
    "axes.labelsize": _FONT_SIZE,
    "font.size": _FONT_SIZE,
    "xtick.labelsize": _FONT_SIZE - 1,
    "ytick.labelsize": _FONT_SIZE - 1,
    "legend.fontsize": _FONT_SIZE - 1,
    "legend.frameon": False,
    "image.cmap": "viridis",
    "svg.hashsalt": "cortexrnn",  # the same figure gives the same file
}


_PLOTLY_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["sendChartToCloud"],  # nothing leaves the reader's machine
}


def set_style() -> None:
    """Choose theme, colours, sizes and output formats for all figures that follow.

    Inside IPython figures are stored as SVG (for the page) and PNG (for viewers without SVG). With
    ``CORTEXRNN_BOOK`` set, plotly figures are written for the book.
    """
    sns.set_theme(style="white", palette=list(palette), rc=_STYLE)
    if shell() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", "png")
    if os.environ.get("CORTEXRNN_BOOK"):
        _use_book_renderer()


def shell() -> Any:
    """Return the running IPython shell, or None in a plain interpreter."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _use_book_renderer() -> None:
    """Make plotly write figures that load its script from the site itself."""
    try:
        import plotly.io as pio
        from plotly.io.base_renderers import MimetypeRenderer
    except ImportError:  # plotly belongs to the extra "book"
        return

    class BookRenderer(MimetypeRenderer):  # type: ignore[misc]  # plotly has no types
        """A plotly figure as a piece of HTML; ``_static/plotly.min.js`` comes with the site."""

        def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
            page = pio.to_html(
                fig_dict,
                full_html=False,
                include_plotlyjs="../_static/plotly.min.js",
                include_mathjax=False,
                validate=False,
                default_width="100%",
                default_height="min(440px, 95vw)",  # on a phone as high as it is wide
                config=_PLOTLY_CONFIG,
            )
            return {"text/html": page}

    pio.renderers["book"] = BookRenderer()
    pio.renderers.default = "book"
