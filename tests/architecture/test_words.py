"""The project speaks in the terms of its field: the words that CONTRIBUTING.md bans are not used."""

import re

from architecture.tree import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BANNED = re.findall(r'"([^"]+)" \(', re.search(r"- Not used: (.*?)\n- ", TEXT, flags=re.DOTALL)[1])
PAGES = [*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
SOURCES = [path for folder in ("src", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_banned_words_are_not_used():
    assert len(BANNED) > 5
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, BANNED))})s?\b", flags=re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in (*SOURCES, *PAGES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)
