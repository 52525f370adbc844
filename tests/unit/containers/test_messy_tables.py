"""Tables as people have them: each is accepted with the right counts, or refused with words that help.

A row has a name, what is done with a folder for files, and what must come of it: the counts of the study below, with
words of a warning or without one; or an error, with words of its message.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import countnest as cn
from countnest.errors import CountsError, OptionError, SamplesError
from unit.containers.messy import (
    FEATURE_COUNTS,
    LOGS,
    OK,
    VALUES,
    S,
    anndata_of,
    as_text,
    backed,
    csv,
    faults,
    from_file,
    named,
    sheet,
    spoilt,
    study,
    table,
    with_other_genes,
    with_rows,
    written,
)

ROWS = [
    # rows that are no genes
    (
        "STAR's rows",
        lambda _: study(named("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")),
        None,
        "4 rows of counts are not genes, .* left out: 'N_unmapped', 'N_multimapping', 'N_noFeature', 'N_ambiguous'",
    ),
    (
        "htseq-count's rows",
        lambda _: study(named("__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned")),
        None,
        "4 rows .*'__no_feature'",
    ),
    (
        "htseq-count's rows, old",
        lambda _: study(named("no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique")),
        None,
        "5 rows .*'no_feature', 'ambiguous'",
    ),
    (
        "featureCounts' rows",
        lambda _: study(named("Unassigned_NoFeatures", "Unassigned_MultiMapping")),
        None,
        "2 rows .*'Unassigned_NoFeatures'",
    ),
    ("samtools' row", lambda _: study(named("*")), None, r"1 row .* is not a gene.*'\*'"),
    ("R's names of them", lambda _: study(named("X__no_feature", "N_unmapped ")), None, "2 rows .*'X__no_feature'"),
    ("a row Total", lambda _: study(with_rows(Total=VALUES.sum(axis=0))), None, "1 row .*'Total'"),
    ("a row Sum", lambda _: study(with_rows(Sum=VALUES.sum(axis=0) + 3)), None, "1 row .*'Sum'"),
    (
        "rows of library sizes",
        lambda _: study(named("library_size", "lib.size", "total_counts", "Grand Total")),
        None,
        "4 rows .*'library_size'",
    ),
    ("samples in rows", lambda _: study(named("N_unmapped", "Total").T), None, "2 rows .*'N_unmapped', 'Total'"),
    (
        "AnnData with other rows",
        lambda _: cn.DESeqDataSet(with_other_genes(), design="~ group"),
        None,
        "1 row .*'__no_feature'",
    ),
    (
        "a file of AnnData with other rows",
        lambda d: cn.DESeqDataSet(backed(d, with_other_genes()), design="~ group"),
        None,
        "1 row .*'__no_feature'",
    ),
    (
        "a file with STAR's rows",
        lambda d: from_file(d, "x.tsv", csv(named("N_unmapped"), sep="\t")),
        None,
        "'N_unmapped'",
    ),
    ("a row of means", lambda _: study(with_rows(Mean=VALUES.mean(axis=0))), None, "1 row .*'Mean'"),
    ("spike-ins are genes", lambda _: study(), None, OK),
    (
        "the sum of all others",
        lambda _: study(with_rows(all_genes=VALUES.sum(axis=0))),
        CountsError,
        r"the row 'all_genes' is the sum of all other rows .* not a gene. Drop it: counts.drop\(index='all_genes'\)",
    ),
    (
        "the sum in a samples table",
        lambda _: study(with_rows(everything=VALUES.sum(axis=0)).T),
        CountsError,
        "the row 'everything' is the sum",
    ),
    (
        "the sum of a sparse table",
        lambda _: study(sparse.csr_array(np.vstack([VALUES, VALUES.sum(axis=0)]))),
        CountsError,
        "the row 'gene8' is the sum",
    ),
    (
        "a summary of featureCounts",
        lambda _: study(pd.DataFrame(5, index=["Assigned", "Unassigned_Unmapped"], columns=S)),
        CountsError,
        "no row of counts is a gene.*without '.summary'",
    ),
    # numbers
    (
        "a decimal comma",
        lambda _: study(as_text("1,5")),
        CountsError,
        "'1,5' in gene 'g4', sample 'S1'.*decimal comma.*decimal=','",
    ),
    (
        "a decimal comma in a file",
        lambda d: from_file(d, "x.csv", csv(spoilt(0.5), sep=";", decimal=",")),
        CountsError,
        "decimal comma",
    ),
    (
        "thousands: 1,234",
        lambda _: study(as_text("1,234")),
        CountsError,
        "thousands separator.*thousands=','",
    ),
    (
        "thousands: 1 234",
        lambda _: study(as_text("1 234")),
        CountsError,
        "thousands separator.*thousands=' '",
    ),
    (
        "thousands: no-break space",
        lambda _: study(as_text("1\u00a0234")),
        CountsError,
        "thousands separator",
    ),
    (
        "thousands: 1'234",
        lambda _: study(as_text("1'234")),
        CountsError,
        'thousands separator.*thousands="\'"',
    ),
    ("thousands: 1.234.567", lambda _: study(as_text("1.234.567")), CountsError, "thousands='.'"),
    (
        "thousands and decimals",
        lambda _: study(as_text("1.234,5")),
        CountsError,
        "thousands='.', decimal=','",
    ),
    ("thousands: 1.234", lambda _: study(spoilt(1.234)), CountsError, "not whole.*thousands separators"),
    (
        "thousands in a file",
        lambda d: from_file(d, "x.csv", csv().replace(",1234,", ',"1,234",')),
        CountsError,
        "1 column .*thousands separator",
    ),
    ("numbers as text", lambda _: study(table().astype(str)), CountsError, "stored as text.*astype"),
    ("objects", lambda _: study(table().astype(object)), CountsError, "astype"),
    (
        "a mark for missing",
        lambda _: study(as_text("-")),
        CountsError,
        "'-' in gene 'g4', sample 'S1', as in 2 cells",
    ),
    ("a slip in one cell", lambda _: study(as_text("12a", [(1, 1)])), CountsError, "12a"),
    (
        "a line about the samples",
        lambda _: study(pd.concat([sheet()[["group"]].T, table()])),
        CountsError,
        r"row 'group' holds text.*belongs in the sample sheet.*drop\(index=\['group'\]\)",
    ),
    ("empty cells", lambda _: study(spoilt(np.nan)), CountsError, "missing"),
    ("infinite", lambda _: study(spoilt(np.inf)), CountsError, "infinite"),
    ("negative", lambda _: study(spoilt(-1)), CountsError, "negative"),
    ("estimated", lambda _: study(spoilt(2.57)), CountsError, r"not whole.*counts.round\(\)"),
    ("2**53 + 1", lambda _: study(spoilt(2**53 + 1, np.int64)), CountsError, r"1 count is 2\*\*53 or more.*'g3'.*'S2'"),
    ("2**64 - 1, unsigned", lambda _: study(spoilt(2**64 - 1, np.uint64)), CountsError, r"2\*\*53 or more"),
    ("2**53 + 1, nullable", lambda _: study(spoilt(2**53 + 1, "Int64")), CountsError, r"2\*\*53 or more"),
    ("1e300", lambda _: study(spoilt(1e300)), CountsError, r"2\*\*53 or more"),
    ("2**60, sparse", lambda _: study(sparse.csr_array(spoilt(2**60, np.int64))), CountsError, r"2\*\*53 or more"),
    ("10**30, object", lambda _: study(spoilt(10**30, object).astype(float)), CountsError, r"2\*\*53 or more"),
    (
        "2**53 + 1 in a file",
        lambda d: from_file(d, "x.csv", csv(spoilt(2**53 + 1, np.int64))),
        CountsError,
        r"2\*\*53 or more",
    ),
    (
        "10**25 in a file",
        lambda d: from_file(d, "x.csv", csv(spoilt(10**25, object))),
        CountsError,
        r"2\*\*53 or more|astype",
    ),
    ("true and false", lambda _: study(table() > 5), CountsError, "True and False are not counts"),
    ("dates", lambda _: study(table().assign(S2=pd.Timestamp("2020-01-01"))), CountsError, "datetime"),
    ("a table of nothing", lambda _: study(table() * 0), CountsError, "all counts are zero"),
    # AnnData
    (
        "counts in a layer",
        lambda _: cn.DESeqDataSet(anndata_of(LOGS, {"counts": VALUES.T}), design="~ group"),
        CountsError,
        "in the layer 'counts': give layer='counts'",
    ),
    (
        "counts in a layer, backed",
        lambda d: cn.DESeqDataSet(backed(d, anndata_of(LOGS, {"counts": VALUES.T})), design="~ group"),
        CountsError,
        "give layer='counts'",
    ),
    (
        "counts in raw",
        lambda _: cn.DESeqDataSet(anndata_of(LOGS, raw=VALUES.T.astype(float)), design="~ group"),
        CountsError,
        r"in raw: give adata.raw.to_adata\(\)",
    ),
    (
        "scaled, counts in a sparse layer",
        lambda _: cn.DESeqDataSet(anndata_of(LOGS - 2, {"raw_counts": sparse.csr_matrix(VALUES.T)}), design="~ group"),
        CountsError,
        "negative.*give layer='raw_counts'",
    ),
    (
        "counts in X, not in the layer",
        lambda _: cn.DESeqDataSet(anndata_of(VALUES.T, {"log": LOGS}), layer="log"),
        CountsError,
        "Whole numbers are in X",
    ),
    (
        "no counts anywhere",
        lambda _: cn.DESeqDataSet(anndata_of(LOGS, {"log": LOGS}), design="~ group"),
        CountsError,
        "no whole numbers in the other layers",
    ),
    (
        "other counts in a layer",
        lambda _: cn.DESeqDataSet(anndata_of(VALUES.T, {"counts": VALUES.T + 1}), design="~ group"),
        None,
        "whole numbers in X and others in the layer 'counts': those of X are taken",
    ),
    (
        "the same counts in a layer",
        lambda _: cn.DESeqDataSet(anndata_of(VALUES.T, {"counts": sparse.csr_matrix(VALUES.T)}), design="~ group"),
        None,
        OK,
    ),
    (
        "truth values in X",
        lambda _: cn.DESeqDataSet(anndata_of(VALUES.T > 3, {"counts": VALUES.T}), design="~ group"),
        CountsError,
        "of type bool.*give layer='counts'",
    ),
    (
        "no X",
        lambda _: cn.DESeqDataSet(anndata_of(None, {"counts": VALUES.T}), design="~ group"),
        CountsError,
        "has no X.*give layer='counts'",
    ),
    (
        "a layer by name",
        lambda _: cn.DESeqDataSet(anndata_of(LOGS, {"counts": VALUES.T}), design="~ group", layer="counts"),
        None,
        OK,
    ),
    (
        "a wrong layer",
        lambda _: cn.DESeqDataSet(anndata_of(VALUES.T, {"counts": VALUES.T}), layer="count"),
        OptionError,
        "Did you mean 'counts'",
    ),
    # labels
    ("samples in rows, another order", lambda _: study(table().T.iloc[::-1]), None, OK),
    (
        "paths of BAM files as names",
        lambda _: study(table([f"/data/x/{s}.bam" for s in S])),
        None,
        "4 sample labels .* mean the same: '/data/x/S1.bam' and 'S1'",
    ),
    (
        "the same path, other files",
        lambda _: study(table([f"/data/{s}/Aligned.out.bam" for s in S])),
        None,
        "mean the same",
    ),
    ("paths of Windows", lambda _: study(table([rf"C:\data\{s}.sorted.bam" for s in S])), None, "mean the same"),
    ("names of sorted files", lambda _: study(table([f"{s}.sorted.bam" for s in S])), None, "mean the same"),
    (
        "R's names of paths",
        lambda _: study(table([f"X.data.{s}.bam" for s in S])),
        None,
        "mean the same: 'X.data.S1.bam' and 'S1'",
    ),
    (
        "STAR's names of files",
        lambda _: study(table([f"{s}_Aligned.sortedByCoord.out.bam" for s in S])),
        None,
        "mean the same",
    ),
    ("a common end", lambda _: study(table([f"{s}_counts" for s in S]).T), None, "mean the same"),
    (
        "the longest label counts",
        lambda _: study(table(["S1.bam", "S1_2.bam", "S3.bam", "S4.bam"]), sheet(["S1", "S1-2", "S3", "S4"])),
        None,
        "'S1.bam' and 'S1', 'S1_2.bam' and 'S1-2'",
    ),
    (
        "S1 is not S10",
        lambda _: study(table(["S10.bam", "S2.bam", "S3.bam", "S4.bam"])),
        SamplesError,
        "'S2.bam' and 'S2', .* may be the same",
    ),
    (
        "two labels in a name",
        lambda _: study(table(["S1_S2.bam", "S2.bam", "S3.bam", "S4.bam"])),
        SamplesError,
        "several labels stand in 'S1_S2.bam'",
    ),
    (
        "two names with a label",
        lambda _: study(table(["S1.a.bam", "S1.b.bam", "S3.bam", "S4.bam"])),
        SamplesError,
        "whole words",
    ),
    (
        "single digits say nothing",
        lambda _: study(table(["day_4", "day_3", "day_2", "day_1"]), sheet(list("1234"))),
        CountsError,
        "neither axis",
    ),
    (
        "paths in the sheet",
        lambda _: study(None, sheet([f"/data/{s}.bam" for s in S])),
        None,
        "mean the same: 'S1' and '/data/S1.bam'",
    ),
    ("featureCounts with paths", lambda _: study(FEATURE_COUNTS), None, "mean the same"),
    ("another case", lambda _: study(table([s.lower() for s in S])), None, "mean the same: 's1' and 'S1'"),
    (
        "R's names: X1",
        lambda _: study(table(["X1", "X2", "X3", "X4"]), sheet(list("1234"))),
        None,
        "mean the same: 'X1' and '1'",
    ),
    (
        "R's names: dots",
        lambda _: study(table([f"sample.{i}" for i in range(4)]), sheet([f"sample-{i}" for i in range(4)])),
        None,
        "mean the same: 'sample.0' and 'sample-0'",
    ),
    (
        "underscores",
        lambda _: study(table([f"sample_{i}" for i in range(4)]), sheet([f"sample {i}" for i in range(4)])),
        None,
        "mean the same",
    ),
    ("blanks", lambda _: study(table([f" {s} " for s in S])), None, "mean the same"),
    (
        "labels that differ in a sign",
        lambda _: study(table(["CD4.", "CD4..1", "B", "C"]), sheet(["CD4+", "CD4-", "B", "C"])),
        SamplesError,
        "do not match",
    ),
    ("a column twice", lambda _: study(table(["S1", "S1", "S2", "S3"])), CountsError, "more than once: 'S1'"),
    (
        "a column twice, by pandas",
        lambda _: study(table().assign(**{"S1.1": 1})),
        SamplesError,
        "'S1.1' may be a column",
    ),
    (
        "labels in a column",
        lambda _: study(None, sheet().rename_axis("run").reset_index()),
        SamplesError,
        r"samples.set_index\('run'\)",
    ),
    (
        "other labels in a column",
        lambda _: study(table([f"{s}.bam" for s in S]), sheet().rename_axis("run").reset_index()),
        SamplesError,
        r"mean the same as those in the column 'run'.*samples.set_index\('run'\)",
    ),
    (
        "labels in a column, more samples",
        lambda _: study(None, sheet().reindex([*S, "S5"]).rename_axis("run").reset_index()),
        SamplesError,
        "set_index",
    ),
    (
        "more samples in the counts",
        lambda _: study(table().assign(S9=1)),
        SamplesError,
        r"only in counts: 'S9'.*counts\[samples.index\]",
    ),
    (
        "more samples in the rows of counts",
        lambda _: study(table().assign(S9=1).T),
        SamplesError,
        r"counts.loc\[samples.index\]",
    ),
    (
        "a numeric column beside the counts",
        lambda _: study(table().assign(place=5)),
        SamplesError,
        "only in counts: 'place'",
    ),
    (
        "more samples in the sheet",
        lambda _: study(table().drop(columns="S4")),
        SamplesError,
        r"only in the sample sheet: 'S4'.*samples.loc\[counts.columns\]",
    ),
    (
        "a column of labels",
        lambda _: study(table().rename_axis("id").reset_index()),
        CountsError,
        r"counts.set_index\('id'\)",
    ),
    ("other names", lambda _: study(table(["a", "b", "c", "d"])), CountsError, "neither axis"),
    ("genes twice", lambda _: study(pd.concat([table(), table().iloc[:1]])), CountsError, "more than once: 'g1'"),
    ("labels of two levels", lambda _: study(pd.concat({"k": table()})), CountsError, "labels of 2 levels"),
    # cells of the sheet
    (
        "lists in the sheet",
        lambda _: study(None, sheet().assign(group=[["a"], ["a"], ["b"], ["b"]])),
        SamplesError,
        "holds a list",
    ),
    (
        "dicts in the sheet",
        lambda _: study(None, sheet().assign(group=[{}, {}, {1: 2}, {1: 2}])),
        SamplesError,
        "holds a dict",
    ),
    ("lists in another column", lambda _: study(None, sheet().assign(files=[["a"], ["a"], ["b"], ["b"]])), None, OK),
    (
        "a decimal comma in the sheet",
        lambda d: study(None, cn.read_samples(written(d, "s.csv", sheet().to_csv(sep=";", decimal=",")))),
        None,
        "'age' has numbers with a decimal comma, such as '1,5'",
    ),
]


def test_every_table_is_accepted_with_its_counts_or_refused_with_words_that_help(tmp_path):
    pytest.importorskip("anndata")
    assert len(ROWS) >= 80
    assert not faults(ROWS, tmp_path)


def test_the_largest_exact_count_is_kept():
    assert study(spoilt(2**53 - 1, np.int64)).counts().iloc[2, 1] == 2**53 - 1
