"""The columns of results: one list, which tables, descriptions and the README follow."""

import re
from pathlib import Path
from typing import get_args

import countnest as cn
from countnest.containers.schema import COLUMNS, JOINT_CHANGE, REASONS, SD_OF, column_of
from countnest.options import PadjReason

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
UNITS = {"1", "log2", "counts", "probability", "statistic", "degrees of freedom", "code", "true or false"}


def test_every_column_of_every_kind_of_table_is_known():
    dds = cn.make_example_dataset(n=150, m=12, beta_sd=1.0).deseq(quiet=True)
    query = dds.means("condition")
    tables = [
        dds.results(confint=0.95), query[0].test("t"), query.test("lrt", joint=True, allow_fixed_blocks=True),
        query.test(stagewise=True)[0], cn.lfc_shrink(dds, svalue=True, quiet=True),
    ]  # fmt: skip
    for res in tables:
        assert [name for name in res.table if column_of(name) is None] == []
        assert list(res.descriptions()) == list(res.table.columns)
        assert not any("{" in text for text in res.descriptions().values())
    in_order = [name for name in COLUMNS if name in tables[0].table]
    assert list(tables[0].table.columns) == in_order
    assert column_of(f"{JOINT_CHANGE}anything") is COLUMNS[JOINT_CHANGE]


def test_units_and_reasons():
    assert {column.unit for column in COLUMNS.values()} == UNITS
    assert tuple(REASONS) == get_args(PadjReason)


def test_the_readme_has_every_column():
    table = README[README.index("| column |") :]
    listed = set(
        re.findall(r"`([A-Za-z0-9_.]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    assert listed >= set(COLUMNS) - {JOINT_CHANGE, SD_OF}
    assert column_of("sd 1 | site") is COLUMNS[SD_OF]
    assert f"`{SD_OF}1 \\| site`" in README
