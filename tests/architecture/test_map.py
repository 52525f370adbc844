"""docs/architecture.md names every module where it is, and nothing that is not there."""

import re
from collections import defaultdict

from architecture.tree import FILES, ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TOP = "countnest"
MODULES = [name for name, path in FILES.items() if not path.stem.startswith("__")]


def folders():
    """Return the modules of each folder: `stats/glm`, and `countnest` for the top."""
    found = defaultdict(set)
    for name in MODULES:
        *above, last = name.split(".")
        found["/".join(above) or TOP].add(last)
    return found


def listed():
    """Return the modules of each folder by the table of the page."""
    table = PAGE.split("## Modules\n", 1)[1].split("\n## ", 1)[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in table.splitlines() if line.startswith("| `")]
    return {folder: set(modules) for folder, *modules in rows}


def row(folder, modules):
    return f"| `{folder}` | {', '.join(f'`{name}`' for name in sorted(modules))} |"


def test_every_module_is_in_the_table_of_modules():
    there, on_the_page = folders(), listed()
    wrong = [row(folder, there[folder]) for folder in sorted(there) if there[folder] != on_the_page.get(folder)]
    assert not wrong, "these rows of docs/architecture.md should be:\n" + "\n".join(wrong)
    assert set(on_the_page) <= set(there)


def test_every_path_on_the_page_is_there():
    spans = re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)+)(?:\.\w+)?`", PAGE)
    there = {name.replace(".", "/") for name in FILES} | set(folders())
    tops = {name.split(".")[0] for name in MODULES}
    assert len(spans) > 30
    assert sorted({path for path in spans if path.split("/")[0] in tops} - there) == []
