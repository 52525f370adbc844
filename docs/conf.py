"""Settings of Sphinx for the documentation site, which ``python docs/build.py`` builds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "src"))

from docutils import nodes
from docutils.utils.math import latex2mathml

from countnest.version import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

project = "countnest"
author = "the countnest developers"
release = version = __version__

# The source of the site is the repository itself, so that links between files hold in both.
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "docs/**.md",
    "docs/reference/generated/*.rst",
    "vignettes/*.ipynb",
]
exclude_patterns = [".*", "benchmarks", "build", "dist", "src", "tests"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
templates_path = [str(DOCS / "_templates")]
show_warning_types = True

# Pages and notebooks. The stored outputs of notebooks are shown; the tests run the notebooks.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_merge_streams = True

# The reference: a page for each name, from its docstring. `name` is a link if it is public, code if not.
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # `.test()` in a docstring may be the method of several classes
autosummary_ignore_module_all = False
autosummary_filename_map = {"countnest.results": "countnest.results-function"}  # beside Results, where case is ignored
autodoc_member_order = "groupwise"
autodoc_inherit_docstrings = False
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"countnest {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]
html_copy_source = False
html_show_copyright = False
html_math_renderer = "mathml"


def _write_formula(writer: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers show without a script."""
    block = isinstance(node, nodes.math_block)
    formula = latex2mathml.tex2mathml(node.astext(), as_block=block)
    writer.body.append(f'<div class="formula">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def _show_own_branch(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Open the tree of pages beside a page at the page alone: with all names of the reference it is long and slow."""
    if "toctree" in context:
        whole = context["toctree"]
        context["toctree"] = lambda **options: whole(**{**options, "collapse": True})


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer of formulas and the shorter tree of pages."""
    app.add_html_math_renderer("mathml", (_write_formula, None), (_write_formula, None))
    app.connect("html-page-context", _show_own_branch, priority=400)  # before the theme's
    return {"parallel_read_safe": True, "parallel_write_safe": True}
