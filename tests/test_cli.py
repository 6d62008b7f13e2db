"""The command line, as somebody types it."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from cortexrnn import __version__, archive, experiment, load_field
from cortexrnn.cli import app
from cortexrnn.experiment import plan
from cortexrnn.protocol import Preset

RUN = ["run", "--field", "surrogate_16", "--preset", "smoke", "--variants", "W*D*C,W"]
RUN += ["--tasks", "go_nogo", "--workers", "1"]


@pytest.fixture
def call(monkeypatch, tmp_path):
    monkeypatch.setenv("CORTEXRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        return CliRunner().invoke(app, list(map(str, arguments)))

    return run


def test_a_design_is_run_resumed_and_tabled(call, tmp_path):
    out = tmp_path / "runs"
    first = call(*RUN, "--out", out)
    assert first.exit_code == 0, first.output
    assert "surrogate_16: 16 neurons, from surrogate" in first.output
    assert len(archive.load_archive(out)) == 2
    again = call(*RUN, "--out", out)
    assert again.exit_code == 0
    assert "finished" in call("status", out).output
    tables = call("tables", out, "--csv", tmp_path / "t.csv")
    assert tables.exit_code == 0, tables.output
    assert "surrogate_16, corr, go_nogo (published protocol)" in tables.output
    assert list(pd.read_csv(tmp_path / "t.csv")["variant"]) == ["W*D*C", "W"]


def test_runs_of_other_sizes_are_other_cells_and_stand_beside_nothing(call, tmp_path):
    out, csv = tmp_path / "runs", tmp_path / "t.csv"
    assert call(*RUN, "--out", out).exit_code == 0
    small = Preset(n_seeds=1, epochs=2, n_train=512, n_validation=256)
    field = load_field("surrogate_16")
    more = plan(field, variants=["W"], tasks=["go_nogo"], preset=small)
    experiment.run(more, field, out=out, workers=1, progress=False)
    shown = call("tables", out, "--csv", csv)
    assert "epochs=2" in shown.output
    table = pd.read_csv(csv)
    assert list(table["runs"]) == [1, 1, 1]
    assert sorted(table["settings"]) == [
        "epochs=1, n_train=512, n_validation=256",
        "epochs=1, n_train=512, n_validation=256",
        "epochs=2, n_train=512, n_validation=256",
    ]
    assert table["published"].isna().all()
    assert table["difference"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--field", "6_6_3"], "6_6_2"),
        (["run", "--field", "662"], "did you mean 6_6_2"),
        ([*RUN, "--variants", "W*D*,DW"], "unknown variant 'DW'; names are W, W* or W!"),
        ([*RUN, "--tasks", "chess"], "unknown task 'chess'; choose one of one_choice"),
        ([*RUN, "--preset", "huge"], "unknown preset 'huge'; choose one of smoke, quick, paper"),
        ([*RUN, "--relation", "corr"], "choose one of correlation, precision, sttc"),
        ([*RUN, "--protocol", "mine"], "choose one of published, corrected"),
        ([*RUN, "--device", "cuda:9"], "device 'cuda:9' cannot be used here"),
        (["tables", "/nowhere"], "there is no folder /nowhere"),
        (["status", "/nowhere"], "no plan in /nowhere"),
        (["fetch", "1_2_3"], "1_2_3"),
    ],
)
def test_wrong_input_is_refused_with_the_reason_and_the_choices(
    call, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.rglob("*.parquet"))


def test_fields_and_version(call):
    listed = call("fields")
    assert "6_6_2" in listed.output
    assert "312" in listed.output
    assert __version__ in call("--version").output


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [
        (["--seeds", "3"], [0, 1, 2]),
        (["--seed", "7"], [7]),
        (["--seed", "7", "--seed", "3"], [7, 3]),
        (["--seed", "7,3", "--seed", "0"], [7, 3, 0]),
        ([], [0]),
    ],
)
def test_seeds_says_how_many_and_seed_says_which(call, tmp_path, arguments, seeds):
    command = [*RUN, "--variants", "W", *arguments, "--out", tmp_path / "runs"]
    result = call(*command)
    assert result.exit_code == 0, result.output
    assert list(archive.load_archive(tmp_path / "runs")["seed"]) == seeds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "7", "--seeds", "3"], "--seeds 3 says how many and --seed says which; give"),
        (["--seed", "x"], "--seed is 'x'; give whole numbers with commas between"),
        (["--seed", "7,7"], "--seed has 7; give different whole numbers"),
        (["--seed", "-1"], "--seed has -1; give different whole numbers of at least 0"),
    ],
)
def test_seeds_that_contradict_are_refused(call, tmp_path, arguments, message):
    result = call(*RUN, *arguments, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "runs").exists()
