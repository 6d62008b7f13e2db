"""The command line, as somebody types it."""

import hashlib
import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from cortexrnn import __version__, load_field
from cortexrnn.cli import app
from cortexrnn.networks.specification import Preset
from cortexrnn.runs import archive, experiment, plans, terminal
from cortexrnn.runs.controls import CONTROLS
from cortexrnn.runs.plans import plan

SMOKE = ["run", "--field", "surrogate_16", "--preset", "smoke", "--workers", "1"]
RUN = [*SMOKE, "--variants", "W*D*C,W", "--tasks", "go_nogo"]


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
        ([*SMOKE, "--tasks", ","], "--tasks is empty; name at least one"),
        ([*RUN, "--variants", "WD,WD"], "--variants holds 'WD' more than once"),
        ([*RUN, "--variants", "W"], "--variants holds 'W' more than once"),
        ([*RUN, "--tasks", "go_nogo"], "--tasks holds 'go_nogo' more than once"),
        ([*SMOKE, "--workers", "2.0"], "'2.0' is no whole number"),
        ([*SMOKE, "--workers", "0"], "0 is too few; give at least 1"),
        (["bench", "--sizes", "64", "--sizes", "x"], "--sizes is '64,x'; give whole numbers"),
        ([*RUN, "--tasks", "delay_match"], "'delay_match' is drawn by NeuroGym, which cannot be"),
        (["bench", "--sizes", "64,x"], "--sizes is '64,x'; give whole numbers"),
        (["bench", "--device", "cuda:9"], "device 'cuda:9' cannot be used here"),
        (["bench", "--keras", "--variants", "DW"], "unknown variant 'DW'"),
        (["tables", "--csv", "/nowhere/t.csv"], "cannot write /nowhere/t.csv"),
        (["fetch", "6_6_2", "9_9_9"], "no field called '9_9_9'"),
        ([*RUN, "--device", "cuda:9"], "device 'cuda:9' cannot be used here"),
        (["tables", "/nowhere"], "there is no folder /nowhere"),
        (["status", "/nowhere"], "no plan in /nowhere"),
        (["fetch", "1_2_3"], "1_2_3"),
    ],
)
def test_wrong_input_is_refused_with_the_reason_and_the_choices(
    call, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.setitem(sys.modules, "neurogym", None)  # also where it is installed
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


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
    command = [*SMOKE, "--variants", "W", "--tasks", "go_nogo", *arguments]
    result = call(*command, "--out", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert list(archive.load_archive(tmp_path / "runs")["seed"]) == seeds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--seed", "7", "--seeds", "3"],
            "--seeds 3 is the number of seeds and --seed names them; give",
        ),
        (["--seed", "x"], "--seed is 'x'; give whole numbers, as a list or with commas between"),
        (["--seed", "7,7"], "--seed has 7; give different whole numbers"),
        (["--seed", "-1"], "--seed has -1; give different whole numbers of at least 0"),
        (["--seed", str(2**63)], f"--seed has {2**63}; give different whole numbers of at least 0"),
        (["--seed", "9" * 400], "--seed has a number of more than 30 digits; give different"),
        (["--seed", "٣"], "--seed is '٣'; give whole numbers"),
        (["--seeds", "٣"], "'٣' is no whole number"),
        (["--seeds", "2.0"], "'2.0' is no whole number"),
        (["--seeds", "0"], "0 is too few; give at least 1"),
    ],
)
def test_seeds_that_contradict_are_refused(call, tmp_path, arguments, message):
    result = call(*RUN, *arguments, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "runs").exists()


def test_every_list_may_be_given_once_with_commas_or_repeatedly(call, tmp_path):
    once = [*SMOKE, "--variants", "W,WD", "--tasks", "go_nogo,one_choice"]
    often = [*SMOKE, "--variants", "W", "--variants", "WD"]
    often += ["--tasks", "go_nogo", "--tasks", "one_choice"]
    for folder, command in (("once", once), ("often", often)):
        result = call(*command, "--out", tmp_path / folder)
        assert result.exit_code == 0, result.output
    one, other = (archive.load_archive(tmp_path / folder) for folder in ("once", "often"))
    assert list(one["identity"]) == list(other["identity"])
    assert len(one) == 4


# --- any terminal


@pytest.fixture(scope="module")
def controls_folder(tmp_path_factory):
    """Runs of a variant and of two controls of it, which have its name with brackets."""
    out, field = tmp_path_factory.mktemp("runs"), load_field("surrogate_16")
    variants = [
        "W*D*C",
        *(CONTROLS[f"W*D*C {how}"].variant for how in ("on three clusters", "with C frozen")),
    ]
    specs = plans.plan(field, variants=variants, tasks="go_nogo", preset="smoke", seeds=[0, 1])
    experiment.run(specs, field, out=out, workers=1, progress=False)
    return out


EVERY_COMMAND = """
import sys
from cortexrnn.cli import app
runs, out, csv = sys.argv[1:]
design = "--field surrogate_16 --preset smoke --variants W --tasks go_nogo --workers 1"
for arguments in (
    ["fields"], ["status", runs], ["tables", runs, "--csv", csv],
    ["run", *design.split(), "--out", out], ["run", "--help"], ["--help"],
):
    app(arguments, standalone_mode=False)
"""


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp932"])
def test_every_command_works_on_any_terminal(encoding, controls_folder, tmp_path):
    environment = {"PYTHONIOENCODING": encoding, "LANG": "C", "LC_ALL": "C", "COLUMNS": "160"}
    csv = tmp_path / "t.csv"
    done = subprocess.run(
        [sys.executable, "-c", EVERY_COMMAND, controls_folder, tmp_path / "runs", csv],
        env=os.environ | environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    printed = done.stdout.decode(encoding)
    assert "6 of 6 runs" in printed and "W*D*C [distance=clusters]" in printed
    assert len(pd.read_csv(csv)) == 3


def test_controls_are_printed_under_their_own_names(call, controls_folder):
    printed = call("tables", controls_folder).output
    names = set(archive.load_archive(controls_folder)["variant"])
    assert len(names) == 3 and sum("[" in name for name in names) == 2
    assert [name for name in names if name not in printed] == []


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "a\\[b]", ":smile:", "[distance=none]"])
def test_data_are_no_markup(call, monkeypatch, text, capsys):
    from cortexrnn import cli

    monkeypatch.setenv("COLUMNS", "200")
    cli._show(pd.DataFrame({text: [text]}), text)
    cli._say(text)
    assert capsys.readouterr().out.count(text) == 4


def test_signs_that_a_terminal_lacks_are_written_with_those_it_has():
    text = "1.5 ± 0.2 [1,\u00a02] µ 字"
    assert text.encode("ascii", terminal.HANDLER) == rb"1.5 +- 0.2 [1, 2] u \u5b57"
    assert text.encode("gbk", terminal.HANDLER).decode("gbk") == "1.5 ± 0.2 [1, 2] u 字"


def test_status_is_read_at_eighty_columns(call, monkeypatch, controls_folder):
    monkeypatch.setenv("COLUMNS", "80")
    lines = call("status", controls_folder).output.splitlines()
    assert lines[0] == next(controls_folder.glob("*.json")).stem
    assert lines[1] == "  finished: 6 of 6 runs, 0 diverged"
    assert lines[2].startswith("  last run finished 20")
    assert max(map(len, lines)) < 80


# --- verify


@pytest.fixture
def finished(call, tmp_path):
    """Folder of two finished runs, and their table."""
    out = tmp_path / "finished"
    assert call(*RUN, "--out", out).exit_code == 0
    return out, archive.load_archive(out)


def test_recorded_runs_are_trained_again_and_agree(call, finished):
    out, runs = finished
    result = call("verify", "--out", out, "--sample", "2", "--seed", "1", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "each of 2 rows agrees with its specification and with itself" in result.output
    assert "2 runs are trained again, drawn with --seed 1" in result.output
    assert "2 of 2 equal: every stored number was reproduced to the last bit" in result.output
    for row in runs.to_dict("records"):
        shown = f"{row['identity'][:12]} surrogate_16, corr, {row['variant']}, go_nogo, seed 0"
        assert shown in result.output
        assert result.output.count(f"{row['entropy']:9.4f}") >= 2  # stored and again


def test_runs_are_verified_by_identity_or_cell_by_cell(call, finished):
    out, runs = finished
    identity = runs["identity"][1]
    result = call("verify", "--out", out, identity[:8], "--workers", "1")
    assert result.exit_code == 0 and f"{identity[:12]} " in result.output
    assert "1 of 1 equal" in result.output and "--seed" not in result.output
    cells = call("verify", "--out", out, "--all-cells", "--field", "surrogate_16", "--workers", "1")
    assert cells.exit_code == 0 and "2 of 2 equal" in cells.output
    drawn = re.search(r"drawn with --seed (\d+)", cells.output)[1]
    assert (
        drawn
        != re.search(
            r"drawn with --seed (\d+)",
            call("verify", "--out", out, "--all-cells", "--workers", "1").output,
        )[1]
    )


@pytest.mark.parametrize("hidden", [False, True])
def test_one_changed_digit_is_found(call, finished, hidden):
    # Whoever can change a file can change the record beside it: then training tells.
    out, runs = finished
    (path,), (record,) = out.glob("*.parquet"), out.glob("*.json")
    rows = archive.as_rows(archive.read_runs(path))
    rows[0]["entropy"] += 1e-4
    archive.write_runs(rows, path)
    if hidden:
        content = json.loads(record.read_text())
        content["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        record.write_text(json.dumps(content))
    result = call("verify", "--out", out, "--sample", "2", "--seed", "0", "--workers", "1")
    assert result.exit_code == 1
    assert ("is not the file that its plan wrote" in result.output) != hidden
    assert "bits must be equal, but entropy differ" in result.output
    assert "1 of 2 DIFFERS" in result.output
    assert "not everything agrees, see above" in result.output
    other = call("verify", "--out", out, runs["identity"][1], "--workers", "1")
    assert other.exit_code == (0 if hidden else 1)  # the hash is of the whole file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "choose runs by one of: identities, --sample 5, --all-cells"),
        (["--sample", "2", "--all-cells"], "choose runs by one of"),
        (["0123456789", "--sample", "2"], "choose runs by one of"),
        (["0123456789"], "no run '0123456789' here; give an identity"),
        (["--sample", "0"], "0 is too few"),
        (["--sample", "2", "--seed", "-1"], "--seed"),
        (["--sample", "3"], "3 runs were asked for, but 2 can be trained"),
        (["--sample", "1", "--field", "6_6_2"], "unknown field '6_6_2'; choose one of surrogate_"),
        (["--sample", "1", "--device", "cuda:9"], "device 'cuda:9' cannot be used here"),
        (["--sample", "1", "--out", "/nowhere"], "there is no folder /nowhere"),
    ],
)
def test_what_cannot_be_verified_is_refused(call, finished, arguments, message):
    out, _ = finished
    result = call("verify", "--out", out, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_field_that_is_not_here_is_told_with_the_remedy(call, monkeypatch):
    monkeypatch.delenv("CORTEXRNN_DATA", raising=False)  # the cache of `call` is empty
    result = call("verify", "--field", "4_7_2", "--sample", "1")
    assert result.exit_code == 2
    assert (
        "99 rows are left out: field 4_7_2 is not on this machine; run `cortexrnn fetch 4_7_2`"
        in (result.output)
    )
    assert "none of these runs can be trained here" in result.output
