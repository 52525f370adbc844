"""Files as people have them, and paths in place of tables; rows as in `test_messy_tables`."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import countnest as cn
from countnest.errors import CountnestError, CountsError, FileError, OptionError, SamplesError
from unit.containers.messy import (
    HTSEQ,
    HTSEQ_END,
    OK,
    STAR,
    STAR_GENES,
    VALUES,
    by_sample,
    csv,
    faults,
    from_file,
    htseq,
    htseq_lines,
    sheet,
    star_lines,
    study,
    table,
    written,
)

ROWS = [
    # files of other programs
    ("htseq-count's files", lambda d: htseq(d, lambda lines: lines + HTSEQ_END), None, OK),
    ("htseq-count's files, old", lambda d: htseq(d, lambda lines: lines + HTSEQ_END.replace("__", "")), None, OK),
    (
        "htseq-count with an attribute",
        lambda d: htseq(d, lambda lines: lines.replace("\t", "\t1\t") + "__x\t\t2\n"),
        None,
        OK,
    ),
    (
        "STAR's file for htseq-count's",
        lambda d: htseq(d, STAR + STAR_GENES),
        FileError,
        r"of STAR .*1: unstranded, 2: .*-s yes.*3: .*-s reverse",
    ),
    (
        "STAR's file without its rows",
        lambda d: htseq(d, STAR_GENES),
        FileError,
        "several columns of whole numbers.*STAR",
    ),
    (
        "htseq-count of several samples",
        lambda d: htseq(d, lambda lines: lines.replace("\n", "\t7\n")),
        FileError,
        "several columns of whole numbers.*several samples",
    ),
    ("a table for htseq-count's file", lambda d: htseq(d, csv(sep="\t")), FileError, "line 1 .*cn.read_counts"),
    ("a count of 20 digits", lambda d: htseq(d, f"g1\t{10**20}\n"), CountsError, "too large"),
    (
        "featureCounts for htseq-count's file",
        lambda d: htseq(d, "# Program:featureCounts\nGeneid\tx\n"),
        FileError,
        "line 1",
    ),
    (
        "a path for the table of files",
        lambda _: cn.dataset_from_htseq("samples.csv"),
        SamplesError,
        "must be a DataFrame",
    ),
    (
        "STAR's file for a sheet",
        lambda d: cn.read_samples(written(d, "x.tab", STAR + STAR_GENES)),
        FileError,
        "of STAR .*no header.*1: unstranded",
    ),
    (
        "htseq-count's file for a sheet",
        lambda d: cn.read_samples(written(d, "x.txt", HTSEQ + HTSEQ_END)),
        FileError,
        "of htseq-count, which has no header.*dataset_from_htseq",
    ),
    ("STAR's files", lambda d: by_sample(d, star_lines), None, OK),
    ("htseq-count's files, read", lambda d: by_sample(d, htseq_lines), None, OK),
    (
        "no header",
        lambda d: from_file(d, "x.csv", csv(header=False)),
        CountnestError,
        "header|more than once|neither axis|numbers",
    ),
    (
        "Salmon",
        lambda _: study(table(["Length", "EffectiveLength", "TPM", "NumReads"])),
        CountsError,
        "of Salmon.*tximport",
    ),
    (
        "kallisto",
        lambda _: study(table(["length", "eff_length", "est_counts", "tpm"])),
        CountsError,
        "of kallisto.*tximport",
    ),
    ("RSEM", lambda _: study(table(["length", "expected_count", "TPM", "FPKM"])), CountsError, "of RSEM.*tximport"),
    (
        "a table of R",
        lambda d: from_file(d, "x.txt", table().to_csv(sep="\t", header=True, index_label=False)),
        None,
        OK,
    ),
    ("a zipped table", lambda d: from_file(d, "x.csv.gz", gzip.compress(csv().encode())), None, OK),
    ("a table of Excel in German", lambda d: from_file(d, "x.csv", "\ufeff" + csv(sep=";")), None, OK),
    (
        "Matrix Market",
        lambda d: cn.read_counts(written(d, "m.mtx", "%%MatrixMarket matrix\n2 2 1\n1 1 5\n")),
        FileError,
        "without labels.*scanpy.read_10x_mtx",
    ),
    (
        "GCT",
        lambda d: cn.read_counts(written(d, "x.gct", "#1.2\n2\t4\n" + csv(sep="\t"))),
        FileError,
        "GCT.*skiprows=2",
    ),
    (
        "a workbook with another name",
        lambda d: cn.read_counts(written(d, "x.csv", b"PK\x03\x04\x00\xff")),
        FileError,
        "Excel.*pd.read_excel",
    ),
    (
        "a file of HDF5",
        lambda d: cn.read_counts(written(d, "x.h5ad", b"\x89HDF\r\n\x1a\n\x00")),
        *((FileError, "HDF5.*anndata.read_h5ad") if find_spec("anndata") else (OptionError, "pip install")),
    ),
    (
        "a file of R",
        lambda d: cn.read_samples(written(d, "x.rds", b"RDX3\x00\xff\xfe")),
        FileError,
        r"only R reads it.*write\.csv",
    ),
    # a path for a table
    (
        "a path",
        lambda _: study("counts.csv"),
        CountsError,
        r"the path 'counts.csv', not a table.*cn.read_counts\('counts.csv'\)",
    ),
    ("a Path", lambda _: study(Path("a/counts.tsv")), CountsError, "cn.read_counts"),
    ("paths", lambda _: study(["a.txt", Path("b.txt")]), CountsError, r"2 paths.*dataset_from_htseq.*pd\.concat"),
    ("a path of samples", lambda _: study(None, "samples.csv"), SamplesError, r"cn.read_samples\('samples.csv'\)"),
    ("paths of samples", lambda _: study(None, ("a.csv",)), SamplesError, r"cn.read_samples\('a.csv'\)"),
    ("a formula for samples", lambda _: cn.DESeqDataSet(table(), "~ group"), SamplesError, "the design comes third"),
    ("a path of AnnData", lambda _: study("x/pb.h5ad"), CountsError, r"anndata.read_h5ad\('x/pb.h5ad'\)"),
    ("a path of Excel", lambda _: study("C.XLSX"), CountsError, r"pd.read_excel\('C.XLSX', index_col=0\)"),
    ("a path of Excel, samples", lambda _: study(None, "S.xls"), SamplesError, "pd.read_excel"),
    ("a path of R", lambda _: study("dds.rds"), CountsError, "only R reads it"),
    ("a path of Matrix Market", lambda _: study("m/matrix.mtx.gz"), CountsError, "scanpy.read_10x_mtx"),
    ("paths of BAM files", lambda _: study(["a.bam", "b.bam"]), CountsError, "2 paths.*counted first"),
    ("a path of Salmon", lambda _: study("s/quant.sf"), CountsError, "tximport"),
    ("a folder", lambda d: study(d), CountsError, "that of a folder"),
    ("a path of a data set", lambda _: study("x.countnest"), CountsError, "cn.load"),
    (
        "a path for tximport",
        lambda _: cn.dataset_from_tximport("c.csv", None, sheet(), counts_from_abundance="scaledTPM"),
        CountsError,
        "cn.read_counts",
    ),
    ("a dict", lambda _: study(table().to_dict()), CountsError, r"of type dict; give pd.DataFrame"),
    ("a list of lists", lambda _: study(VALUES.tolist()), CountsError, "of type list"),
    ("a dict of samples", lambda _: study(None, {"group": list("aabb")}), SamplesError, "of type dict"),
    ("a column of samples", lambda _: study(None, sheet()["group"]), SamplesError, r"one column.*to_frame\(\)"),
    ("swapped", lambda _: cn.DESeqDataSet(sheet(), table()), SamplesError, "the sample sheet was given as counts"),
]


def test_every_file_is_accepted_with_its_counts_or_refused_with_words_that_help(tmp_path):
    assert len(ROWS) >= 40
    assert not faults(ROWS, tmp_path)
