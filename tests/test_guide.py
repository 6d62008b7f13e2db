"""The pages of the guide whose code is to be typed: it runs, and prints what they say."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.test_chapters import write_csv_files

ROOT = Path(__file__).parents[1]
PAGES = ("adapt", "own_penalty", "own_task", "own_networks")
BLOCK = re.compile(
    r"(?:^% needs (?P<needs>\w+)\n+)?"
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<printed>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
MARK = "end of block"


def blocks(page):
    """Python blocks of a page that can be run here, with what they print if the page says it."""
    text = (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
    found = [match.groupdict() for match in BLOCK.finditer(text)]
    assert len(found) == text.count("```python")
    assert sum(block["printed"] is not None for block in found) == text.count("```text")
    return [block for block in found if block["needs"] is None or find_spec(block["needs"])]


def as_pattern(printed):
    """Text of a page as a pattern, in which three dots at the end of a line stand for anything."""
    lines = (re.escape(line) for line in printed.splitlines())
    return "\n".join(re.sub(r"\\\.\\\.\\\.$", ".*", line) for line in lines) + "\n"


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_in_its_order_and_prints_what_it_says(page, tmp_path):
    wanted = blocks(page)
    code = f"\nprint({MARK!r})\n".join(block["code"] for block in wanted)
    write_csv_files(tmp_path)  # which the page on fields of one's own reads
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CORTEXRNN_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"{MARK}\n")
    assert len(printed) == len(wanted)
    for block, seen in zip(wanted, printed, strict=True):
        if block["printed"] is not None:
            assert re.fullmatch(as_pattern(block["printed"]), seen.lstrip("\n")), seen


def test_pages_that_are_tested_are_pages_of_the_book():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert all(f"book/{page}\n" in toc for page in PAGES)
    yaml.safe_load(toc)
