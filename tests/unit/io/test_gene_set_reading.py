"""Files of gene sets in the format GMT."""

import gzip

import pytest

import countnest as cn
from cases import each
from countnest.errors import FileError


def written(folder, text):
    path = folder / "sets.gmt"
    path.write_text(text, encoding="utf-8")
    return path


def test_sets_are_read_in_their_order_each_gene_once(tmp_path):
    text = "B\thttp://x\tg1\tg2\tg1\t\r\nA\t\tg3\r\n\r\nempty\tno gene\r\n"
    expected = {"B": ["g1", "g2"], "A": ["g3"], "empty": []}
    assert cn.read_gmt(written(tmp_path, text)) == expected
    packed = tmp_path / "sets.gmt.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    found = cn.read_gmt(packed)
    assert found == expected
    assert list(found) == list(expected)


@each(
    ("text", "message"),
    [
        ("A,x,g1\n", "not in the format GMT: line 1"),
        ("A\tx\tg1\n\tx\tg1\n", "line 2"),
        ("A\tx\tg1\nA\ty\tg2\n", "more than once: 'A'"),
        ("\n", "has no gene sets"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    with pytest.raises(FileError, match=message):
        cn.read_gmt(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        cn.read_gmt(tmp_path / "nothing.gmt")
