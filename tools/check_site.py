"""Check a finished site the way a reader without a network would meet it.

``python -m tools.check_site _build/html`` reports links to files or anchors that the site does not
have, scripts, styles and pictures that would be loaded from elsewhere, pages that do not say which
data they show, cells that ended in an error, warnings of the code, and names whose asterisks became
emphasis. Sphinx sees none of these.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

#: Attributes that make a browser load something without being asked.
_LOADS = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("video", "src"),
}
_LOADED_LINKS = {"stylesheet", "preload", "modulepreload", "icon"}
_NO_TARGET = ("data:", "mailto:", "javascript:")
_SCRIPT_LOAD = re.compile(r"\b(?:import|from)\s*\(?\s*['\"](https?://[^'\"]+)")
_STYLE_LOAD = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^'\")]+)")


@dataclass
class Page:
    """What one page refers to and holds; filled by the parser."""

    name: str
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    has_banner: bool = False
    n_errors: int = 0
    n_warnings: int = 0
    n_split_words: int = 0


@dataclass(frozen=True)
class Site:
    """A site read from a folder.

    Attributes
    ----------
    root : Path
        The folder.
    pages : dict
        Pages by their path below it.
    """

    root: Path
    pages: dict[str, Page]

    @property
    def n_local_links(self) -> int:
        """Number of references that stay within the site."""
        return sum(len(page.links) for page in self.pages.values())


class _Parser(HTMLParser):
    """Collects from one page what :class:`Page` holds."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.page = Page(name)
        self._inside = ""
        self._in_stderr = False
        self._last = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        classes = set(values.get("class", "").split())
        self._inside = tag if tag in {"script", "style"} else ""
        self.page.n_split_words += tag == "em" and self._last.isalnum()
        self._last = ""
        self.page.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        self.page.has_banner |= "data-banner" in classes
        self.page.n_errors += {"output", "traceback"} <= classes
        self._in_stderr |= {"output", "stderr"} <= classes
        self._look_for_style_loads(values.get("style", ""))
        for key in ("src", "href", "data"):
            if values.get(key) and not values[key].startswith(_NO_TARGET):
                self._refer(tag, key, values[key], set(values.get("rel", "").split()))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._last = ""
        self._in_stderr &= tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.page.loads += _SCRIPT_LOAD.findall(data)
        elif self._inside == "style":
            self._look_for_style_loads(data)
        self.page.n_warnings += self._in_stderr and "Warning:" in data
        self._last = data[-1:]

    def _look_for_style_loads(self, style: str) -> None:
        self.page.loads += _STYLE_LOAD.findall(style)

    def _refer(self, tag: str, key: str, target: str, relation: set[str]) -> None:
        """Note one reference: within the site, or loaded from outside."""
        parts = urlsplit(target)
        if not parts.netloc and not parts.scheme:
            self.page.links.append(target)
        elif (tag, key) in _LOADS or (tag == "link" and relation & _LOADED_LINKS):
            self.page.loads.append(target)


def read_site(root: Path) -> Site:
    """Read all pages below a folder.

    Parameters
    ----------
    root : Path
        The folder with `index.html`.

    Raises
    ------
    FileNotFoundError
        If there is no page at all.
    """
    root = root.resolve()
    pages = {}
    for path in sorted(root.rglob("*.html")):
        name = path.relative_to(root).as_posix()
        if not name.startswith("_static/"):
            parser = _Parser(name)
            parser.feed(path.read_text(encoding="utf-8"))
            pages[name] = parser.page
    if not pages:
        raise FileNotFoundError(f"{root} holds no page; build the book first with 'make book'")
    return Site(root, pages)


def faults(site: Site) -> list[str]:
    """Return what is wrong with a site, one line for each fault, sorted.

    Parameters
    ----------
    site : Site
        A site that was read by :func:`read_site`.
    """
    lines = {f"{sheet}: loads {url}" for sheet, url in _style_sheet_loads(site.root)}
    for page in site.pages.values():
        lines |= {f"{page.name}: loads {url}" for url in page.loads}
        lines |= {fault for link in page.links if (fault := _dead(link, page, site))}
        if not page.has_banner and not _is_redirect(page):
            lines.add(f"{page.name}: does not say which data it shows")
        if page.n_errors:
            lines.add(f"{page.name}: {page.n_errors} cell output(s) with an error")
        if page.n_warnings:
            lines.add(f"{page.name}: {page.n_warnings} warning(s) of the code among the outputs")
        if page.n_split_words:
            lines.add(
                f"{page.name}: emphasis within {page.n_split_words} word(s); escape asterisks"
            )
    return sorted(lines)


def _is_redirect(page: Page) -> bool:
    """Whether a page only sends the reader on, as the index of a book does."""
    return not page.anchors and not page.loads and len(page.links) <= 1


def _dead(link: str, page: Page, site: Site) -> str | None:
    """Return the fault if a link within the site leads nowhere."""
    parts = urlsplit(link)
    path, anchor = unquote(parts.path), unquote(parts.fragment)
    target = (site.root / page.name).parent / path if path else site.root / page.name
    target = target.resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"{page.name}: missing {link}"
    if not target.is_relative_to(site.root):
        return f"{page.name}: leaves the site with {link}"
    name = PurePosixPath(target.relative_to(site.root)).as_posix()
    if anchor and name in site.pages and anchor not in site.pages[name].anchors:
        return f"{page.name}: no anchor {link}"
    return None


def _style_sheet_loads(root: Path) -> list[tuple[str, str]]:
    """Find what the site's own style sheets would load from elsewhere."""
    return [
        (path.relative_to(root).as_posix(), url)
        for path in sorted(root.rglob("*.css"))
        for url in _STYLE_LOAD.findall(path.read_text(encoding="utf-8", errors="replace"))
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="check_site", description="Check a finished site.")
    parser.add_argument("root", type=Path, help="folder with index.html")
    try:
        site = read_site(parser.parse_args(arguments).root)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    lines = faults(site)
    print("\n".join(lines) or f"{len(site.pages)} pages, {site.n_local_links} links within: fine")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
