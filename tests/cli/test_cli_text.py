import numpy as np
import pandas as pd

from countnest.cli.text import gene_table, level_text


def test_genes_are_aligned_and_rounded():
    table = pd.DataFrame(
        {
            "baseMean": [997.439773, 0.0],
            "log2FoldChange": [4.5749, np.nan],
            "lfcSE": [0.184, np.nan],
            "stat": [24.86, np.nan],
            "pvalue": [2.22e-136, np.nan],
            "padj": [4.01e-132, np.nan],
            "padj_reason": ["tested", "all_zero"],
        },
        index=["ENSG00000152583", "b"],
    )
    assert gene_table(table).splitlines() == [
        "gene             baseMean  log2FoldChange  lfcSE   stat     pvalue       padj",
        "ENSG00000152583     997.4            4.57   0.18  24.86  2.22e-136  4.01e-132",
        "b                     0.0              NA     NA     NA         NA         NA",
    ]


def test_symbols_stand_beside_the_labels():
    table = pd.DataFrame({"baseMean": [1.0, 2.0], "gene_name": ["TP53", None]}, index=["a", "b"])
    assert gene_table(table).splitlines() == [
        "gene  gene_name  baseMean",
        "a     TP53            1.0",
        "b                     2.0",
    ]


def test_lines_stay_within_100_characters():
    values = {"baseMean": 1234567.8, "log2FoldChange": -30.0, "lfcSE": 10.25, "stat": -1234.5}
    table = pd.DataFrame({**values, "pvalue": 1e-300, "padj": 1e-299}, index=["a_name_that_is_much_too_long_" * 3])
    lines = gene_table(table).splitlines()
    assert max(map(len, lines)) <= 100
    assert "a_name_that_is_much_too_long_..." in lines[1]


def test_levels_show_the_reference():
    assert level_text({"cell": ("N052611", "N061011"), "dex": ("untrt", "trt")}) == "cell N052611, dex untrt"
    assert level_text({}) == "none (no factors)"
