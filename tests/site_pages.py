"""The pages of the documentation site, as their files say: no Sphinx is needed."""

import re

from architecture.tree import ROOT

DOCS = ROOT / "docs"
DIRECTIVE = re.compile(r"^```\{(?P<name>[\w-]+)\}\n(?P<body>.*?)^```$", flags=re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^(`{3,}).*?^\1|`[^`\n]+`", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]*(?:\([^()]*\))?[^()\s]*)\)")


def directives(text, name):
    """Return the lines of every directive of a page that has the name, without its options and empty lines."""
    for found in DIRECTIVE.finditer(text):
        if found["name"] == name:
            yield [line.strip() for line in found["body"].splitlines() if line.strip() and line.strip()[0] != ":"]


def listed(page):
    """Return the files that the tables of contents of a page name, and those of the pages that they name."""
    found = set()
    for lines in directives(page.read_text(encoding="utf-8"), "toctree"):
        for line in lines:
            entry = re.sub(r"^.*<(.*)>$", r"\1", line)
            paths = {path.resolve() for suffix in (".md", ".ipynb") for path in page.parent.glob(entry + suffix)}
            assert paths, f"{page.relative_to(ROOT)} lists {entry}, which does not exist"
            found |= paths
    return found.union(*(listed(path) for path in found if path.suffix == ".md"))


def reference_names():
    """Return the names on the pages of the reference, as they stand there without the dash, in their order."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((DOCS / "reference").glob("*.md"))]
    blocks = [lines for text in texts for lines in directives(text, "eval-rst")]
    return [line.removeprefix("~") for lines in blocks for line in lines if not line.startswith("..")]


def links(text):
    """Return what the links of a page in Markdown point to; code has none."""
    return LINK.findall(CODE.sub("", text))
