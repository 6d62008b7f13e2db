"""What a chapter tells about its data, and the look of its figures."""

import base64
import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from cortexrnn.fields.sources import load_field
from cortexrnn.figures.page import (
    banner,
    download,
    field_to_show,
    folded,
    glue,
    remark,
    rows_or,
    text_table,
)
from cortexrnn.figures.style import palette, set_style
from cortexrnn.runs.archive import ArchiveError


def test_surrogate_is_called_synthetic() -> None:
    shown = banner(load_field("surrogate"))
    assert "synthetic" in shown.text
    assert "N = 96" in shown.text
    assert shown.kind == "live"
    assert shown.short in shown.text


def test_published_name_is_called_real_and_any_other_is_not() -> None:
    assert "real field 6_6_2" in banner("6_6_2").text
    assert "real" not in banner("mine").text
    assert "real" not in banner("surrogate").short


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        ([0, 1, 1], "3 recorded runs on real field 6_6_2, 2 seeds"),
        ([0], "1 recorded run on real field 6_6_2"),
        ([], "no recorded runs on real field 6_6_2"),
    ],
)
def test_recorded_runs_are_counted(seeds: list[int], sentence: str) -> None:
    shown = banner("6_6_2", runs=pd.DataFrame({"seed": seeds}))
    assert sentence in shown.text
    assert shown.kind == "archive"


def test_recorded_runs_of_several_fields_are_told_with_all_of_them() -> None:
    runs = pd.DataFrame({"field": ["5_6_8", "mine", "5_3_4", "5_6_8"], "seed": [0, 0, 1, 2]})
    sentence = "4 recorded runs on real fields 5_6_8, 5_3_4 and field mine, up to 3 seeds"
    assert sentence in banner("5_6_8", runs=runs).text
    assert (
        "on real field 5_6_8, 2 seeds" in banner("5_6_8", runs=runs[runs["field"] == "5_6_8"]).text
    )


def test_page_and_build_get_the_same_sentence() -> None:
    shown = banner("6_6_2")
    data, metadata = shown._repr_mimebundle_()
    assert data["text/markdown"] == shown.text
    assert metadata["cortexrnn"] == {"kind": "archive", "short": shown.short}


def recorded_on(*names: str) -> pd.DataFrame:
    """An archive in which runs of controls lie on these fields, and others on more."""
    fields = ["5_6_8", "6_6_2", "5_3_4", "6_6_2", "4_7_2"]
    return pd.DataFrame({"field": fields, "control": [name in names for name in fields]})


def shown_of(archive: pd.DataFrame, field: str, **options: str) -> tuple[str, list[str]]:
    return field_to_show(
        archive,
        field,
        runs_on=lambda name: archive[archive["control"] & (archive["field"] == name)],
        what="controls",
        **options,
    )


def test_a_field_with_runs_is_shown_and_nothing_said(capsys: pytest.CaptureFixture[str]) -> None:
    archive = recorded_on("5_3_4", "6_6_2")
    assert shown_of(archive, "5_3_4") == ("5_3_4", ["6_6_2", "5_3_4"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("names", "options", "shown"),
    [
        (("5_3_4", "6_6_2"), {}, "6_6_2"),
        (("5_3_4", "6_6_2"), {"default": "5_3_4"}, "5_3_4"),
        (("5_3_4", "5_6_8"), {}, "5_6_8"),  # the first of the archive
    ],
)
def test_another_field_takes_the_place_of_one_without_runs_and_the_page_says_so(
    names: tuple[str, ...],
    options: dict[str, str],
    shown: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shown_of(recorded_on(*names), "4_7_2", **options)[0] == shown
    assert capsys.readouterr().out == (
        f"No recorded runs of field 4_7_2; these are those of {shown}.\n"
    )
    shown_of(recorded_on(*names), "4_7_2", otherwise="{shown}, not {field}", **options)
    assert capsys.readouterr().out == f"{shown}, not 4_7_2\n"


def test_runs_that_no_field_has_are_refused() -> None:
    with pytest.raises(ArchiveError, match="no recorded runs of controls, on field 6_6_2 or any"):
        shown_of(recorded_on(), "6_6_2")


def test_style_is_white_readable_and_colour_blind_safe() -> None:
    with mpl.rc_context():
        set_style()
        assert mpl.rcParams["axes.facecolor"] == mpl.rcParams["figure.facecolor"] == "white"
        assert mpl.rcParams["font.size"] >= 11
        colours = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        assert tuple(map(mpl.colors.to_hex, colours)) == palette


def test_glue_outside_a_notebook_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    glue("answer", 42.0)
    assert capsys.readouterr().out == ""


def test_glued_numpy_scalar_is_a_plain_number(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, object] = {}
    monkeypatch.setattr("cortexrnn.figures.page.shell", lambda: object())
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: kept.update({name: value}))
    glue("half", np.float64(0.5))
    glue("word", "one")
    assert repr(kept) == "{'half': 0.5, 'word': 'one'}"


def test_a_table_of_texts_shows_every_word_as_it_is() -> None:
    table = pd.DataFrame({"reading": ["a < b & W*" + " more" * 20]}, index=["function"])
    shown = text_table(table)
    assert 'class="dataframe prose"' in shown._repr_html_()
    assert "a &lt; b &amp; W*" + " more" * 20 in shown._repr_html_()
    assert "a < b & W*" + " more" * 20 in repr(shown) and "function" in repr(shown)


def test_a_download_holds_every_digit() -> None:
    table = pd.DataFrame({"a": [1 / 3, 1e-17, 123456789.12345679]})
    page = download(table, "mine.csv").page
    assert 'download="mine.csv"' in page
    content = base64.b64decode(page.split("base64,")[1].split('"')[0])
    again = pd.read_csv(io.BytesIO(content), float_precision="round_trip")
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_table_without_rows_gives_way_to_a_sentence() -> None:
    table = pd.DataFrame({"a": [1]})
    assert rows_or(table, "None.") is table
    nothing = rows_or(table.head(0), "No <runs>.")
    assert nothing._repr_html_() == remark("No <runs>.")._repr_html_() == "<p>No &lt;runs&gt;.</p>"
    assert repr(nothing) == "No <runs>."


def test_a_long_table_is_folded_behind_its_line() -> None:
    table = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"]})
    page = folded(table, "2 rows < 3").page
    assert page.startswith('<details class="runs"><summary>2 rows &lt; 3</summary><table')
    assert "<td>x</td>" in page and "<td></td>" in page and "NaN" not in page
    assert "<details" not in folded(table.head(0), "0 rows").page
