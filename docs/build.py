"""Build the documentation site from the files of the repository: ``python docs/build.py``.

It needs ``pip install '.[docs]'``, and no network. A warning of Sphinx is an error, and so is a page that would load
anything from another site. The site is in ``build/site``; ``index.html`` is its start.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sphinx.cmd.build import build_main

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
GENERATED = ROOT / "docs" / "reference" / "generated"
LOADED = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)=["'](?:https?:)?//[^"']*["']""")
IMPORTED = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^"')]*""")


def loaded_from_elsewhere(site: Path) -> list[str]:
    """Return what pages and style sheets would load from other sites, with the file that does."""
    rules = {".html": LOADED, ".css": IMPORTED}
    return [
        f"{path.relative_to(site)}: {found}"
        for path in sorted(site.rglob("*"))
        if path.suffix in rules
        for found in rules[path.suffix].findall(path.read_text(encoding="utf-8"))
    ]


def build(site: Path = SITE) -> None:
    """Build the site from nothing.

    Parameters
    ----------
    site
        The folder of the site; its files are written over.

    Raises
    ------
    SystemExit
        Sphinx warned, or a page loads something from another site.
    """
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--fresh-env", "--write-all"]
    folders = ["--conf-dir", str(ROOT / "docs"), "--doctree-dir", str(site.with_name("doctrees"))]
    shutil.rmtree(GENERATED, ignore_errors=True)
    try:
        code = build_main([*options, *folders, str(ROOT), str(site)])
    finally:
        shutil.rmtree(GENERATED, ignore_errors=True)
    if code:
        raise SystemExit(code)
    if found := loaded_from_elsewhere(site):
        raise SystemExit("pages load from other sites:\n" + "\n".join(found))


if __name__ == "__main__":
    shutil.rmtree(SITE, ignore_errors=True)
    build()
    print(f"open {SITE / 'index.html'}")
