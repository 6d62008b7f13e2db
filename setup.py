"""The links of the package's page, made from the repository's address, which _config.yml holds.

Everything else is in pyproject.toml.
"""

import re
from pathlib import Path

from setuptools import setup

config = (Path(__file__).parent / "_config.yml").read_text(encoding="utf-8")
repository = re.search(r"^  url: (\S+?)/?$", config, flags=re.MULTILINE)[1]

setup(
    project_urls={
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
        "Paper": "https://arxiv.org/abs/2606.14975",
    }
)
