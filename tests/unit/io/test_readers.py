"""Files of other programs: what is recognised, what is kept, and that a data set takes it."""

import bz2
import gzip
import lzma
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountnestWarning, OptionError, UnknownNameError
from countnest.io.sample_names import bam_names, sample_name
from unit.io.files import COUNTS, DATA, GENES, SAMPLES, SHEET, SYMBOLS, files, refused, same_counts

FIRST = pd.DataFrame({"a": [1, 3], "b": [2, 4]}, index=pd.Index(["g1", "g2"], name="gene"))
TEXT = "gene,a,b\ng1,1,2\ng2,3,4\n"


def test_feature_counts():
    for record in (
        cn.read_counts(DATA / "feature_counts/counts.txt"),
        cn.read_featurecounts(DATA / "feature_counts/counts.txt"),
    ):
        same_counts(record)
        assert list(record.gene_info.columns) == ["Chr", "Start", "End", "Strand", "Length", "gene_name"]
        assert list(record.gene_info["gene_name"]) == SYMBOLS
        assert record.gene_info.loc[GENES[0], "Start"] == "100;900"
        assert record.notes[0].startswith("Samples are called by their files: 'S1' is '/data/run 1/S1Aligned")


def test_feature_counts_of_fractions_are_rounded_with_a_note():
    record = cn.read_counts(DATA / "feature_counts/fraction.txt")
    same_counts(record)
    assert record.notes[-1].endswith("16 of 16 counts, by 0.25 at most.")


def test_feature_counts_of_several_tables(tmp_path):
    frame = pd.read_csv(DATA / "feature_counts/counts.txt", sep="\t", skiprows=1)
    for name, column in zip(SAMPLES, frame.columns[-4:], strict=True):
        frame[[*frame.columns[:6], column]].to_csv(tmp_path / f"{name}.txt", sep="\t", index=False)
    paths = [tmp_path / f"{name}.txt" for name in SAMPLES]
    same_counts(cn.read_counts(paths))
    named = cn.read_counts(dict(zip("wxyz", paths, strict=True)))
    assert list(named.counts.columns) == list("wxyz")


def test_star_is_read_in_the_column_of_its_strand():
    reverse = cn.read_counts(files("star/reverse/*.tab"))
    same_counts(reverse, COUNTS - COUNTS // 50)
    assert reverse.notes[0] == "Strand: reverse, recognised: 2.4 % of the reads are on the strand of their gene."
    assert "N_unmapped, N_multimapping, N_noFeature, N_ambiguous" in reverse.notes[1]
    folders = files("star/folders/*/*.tab")
    halves = cn.read_star(folders)
    same_counts(halves)
    assert halves.notes[0].startswith("Strand: unstranded, recognised")
    forward = cn.read_counts(folders, strand="forward")
    same_counts(forward, COUNTS - COUNTS // 2)
    assert forward.notes[0] == "Strand: forward, as given."


def test_htseq():
    same_counts(cn.read_htseq(files("htseq/*")))
    record = cn.read_counts(pd.Series(files("htseq/*"), index=list("wxyz")))
    same_counts(record, COUNTS.set_axis(list("wxyz"), axis=1))
    assert record.notes == (
        "Lines about reads without a gene are left out: __no_feature, __ambiguous, __too_low_aQual, __not_aligned, "
        "__alignment_not_unique.",
    )
    assert cn.read_counts(DATA / "htseq/S1.htseq.txt").shape == (4, 1)


def test_merged_tables_are_rounded():
    expected = np.rint(COUNTS * 0.98 + 0.37 * np.arange(1, 5)).astype(np.int64)
    for name in ("nfcore/salmon.merged.gene_counts.tsv", "nfcore/rsem.merged.gene_counts.tsv", "rsem/matrix.tsv"):
        record = cn.read_counts(DATA / name)
        same_counts(record, expected)
        assert record.lengths is None
        assert "rounded to whole numbers, halves to the even one: 16 of 16 counts" in record.notes[0]
    record = cn.read_counts(DATA / "nfcore/salmon.merged.gene_counts.tsv")
    assert list(record.gene_info["gene_name"]) == SYMBOLS
    assert "lengths='salmon.merged.gene_lengths.tsv' corrects" in record.notes[-1]


def test_lengths_of_merged_tables_become_normalization_factors():
    counts, lengths = (DATA / f"nfcore/salmon.merged.gene_{what}.tsv" for what in ("counts", "lengths"))
    record = cn.read_merged(counts, lengths=lengths)
    assert record.lengths.loc[GENES[1], "S3"] == 1620.5
    dds = cn.DESeqDataSet(record, SHEET, "~ dex", quiet=True)
    given = cn.DESeqDataSet(record.counts, SHEET, "~ dex", avg_tx_length=record.lengths, quiet=True)
    for each in (dds, given):
        each.estimate_size_factors()
    pd.testing.assert_frame_equal(dds.normalization_factors, given.normalization_factors)
    assert dds.size_factors is None


def test_lengths_with_counts_that_do_not_depend_on_them_are_refused():
    scaled, lengths = (DATA / f"nfcore/salmon.merged.gene_{what}.tsv" for what in ("counts_length_scaled", "lengths"))
    record = cn.read_counts(scaled)
    assert record.counts_from_abundance == "lengthScaledTPM"
    parts = ("of the kind lengthScaledTPM", "Leave out the lengths")
    with refused(OptionError, *parts):
        cn.read_merged(scaled, lengths=lengths)
    with refused(OptionError, *parts):
        cn.DESeqDataSet(record, SHEET, "~ dex", avg_tx_length=np.ones(record.shape))
    with refused(OptionError, *parts):
        replace(record, lengths=record.counts + 1.0)
    told = cn.read_merged(scaled, lengths=lengths, counts_from_abundance="no")
    assert told.lengths is not None


def test_genes_of_rsem_need_no_annotation():
    record = cn.read_counts(files("rsem/*.genes.results"))
    same_counts(record)
    assert record.lengths.loc[GENES[0], "S2"] == 1371.67
    # effective lengths of 0 in two samples
    assert np.isclose(record.lengths.loc[GENES[1], "S1"], np.sqrt(1024 * 1023))
    assert f"0 or missing in some samples of 1 gene, '{GENES[1]}'" in record.notes[1]


def test_a_data_set_takes_the_record_with_all_that_came_with_it(capsys):
    record = cn.read_counts(DATA / "feature_counts/counts.txt")
    dds = cn.DESeqDataSet(record, SHEET.iloc[::-1], "~ dex")
    pd.testing.assert_frame_equal(dds.counts().astype(np.int64), COUNTS, check_names=False)
    assert list(dds.gene_info["gene_name"]) == SYMBOLS
    assert f"-- {record.notes[0]}" in capsys.readouterr().err
    given = cn.DESeqDataSet(record, SHEET, gene_info=pd.Series(list("abcd"), index=GENES, name="gene_name"), quiet=True)
    assert list(given.gene_info["gene_name"]) == list("abcd")
    assert "Length" in given.gene_info
    assert capsys.readouterr().err == ""


def test_a_record_says_what_it_is():
    record = cn.read_counts(files("star/reverse/*.tab"))
    assert repr(record).startswith("CountTable: 4 genes x 4 samples, of STAR\nsamples: S1, S2, S3, S4\nnotes: Strand")
    assert record.shape == (4, 4)
    with refused(UnknownNameError, "write record.counts.head"):
        record.head  # noqa: B018
    with refused(OptionError, "record.counts['S1']"):
        record["S1"]
    same_counts(pickle.loads(pickle.dumps(record)), record.counts)


def test_packed_files_and_utf16(tmp_path):
    packed = {
        "x.csv.gz": gzip.compress(TEXT.encode()),
        "x.csv.bz2": bz2.compress(TEXT.encode()),
        "x.csv.xz": lzma.compress(TEXT.encode()),
        "x.csv": TEXT.encode("utf-16"),
        "y.csv.gz": gzip.compress(TEXT.encode("utf-16")),
    }
    for name, data in packed.items():
        (tmp_path / name).write_bytes(data)
        pd.testing.assert_frame_equal(cn.read_counts(tmp_path / name), FIRST)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("__MACOSX/._x.csv", b"\0")
        archive.writestr("folder/x.csv", TEXT)
    pd.testing.assert_frame_equal(cn.read_counts(tmp_path / "x.zip"), FIRST)


def test_names_that_are_dates_are_reported(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("gene,a\n2-Sep,1\nMar-01,2\n2006-09-02 00:00:00,4\nSEPT2,3\nDEC1,5\nOCT4,1\n")
    with pytest.warns(CountnestWarning, match="3 names of genes are dates: '2-Sep', 'Mar-01', '2006-09-02 00:00:00'"):
        assert len(cn.read_counts(path)) == 6
    path.write_text("gene_id\tgene_name\tS1\nENSG1\t1-Mar\t5.5\nENSG2\tTP53\t5\n")
    with pytest.warns(CountnestWarning, match="1 name of genes is a date: '1-Mar'"):
        cn.read_counts(path)


def test_names_of_samples():
    names = {
        "a/S1.ReadsPerGene.out.tab": "S1",
        "a/S1ReadsPerGene.out.tab.gz": "S1",
        "a/S2/ReadsPerGene.out.tab": "S2",
        "a/S3/quant.sf": "S3",
        "a/S4/abundance.tsv": "S4",
        "a/S5.genes.results": "S5",
        "a/S6.isoforms.results.gz": "S6",
        "a/S7.quant": "S7",
        "a/S8_counts.txt": "S8",
        "a/S9.htseq.counts.txt": "S9",
        "a/discounts.txt": "discounts",
        "a/x.y-1.tsv": "x.y-1",
    }
    assert {path: sample_name(path) for path in names} == names
    assert bam_names(["r1/accepted_hits.bam", "r2/accepted_hits.bam"]) == ["r1", "r2"]
    assert bam_names(["S1.markdup.sorted.bam", "S2.markdup.sorted.bam"]) == ["S1", "S2"]
    assert bam_names([r"C:\data\S1.bam", r"C:\data\S2.cram"]) == ["S1", "S2"]
    assert bam_names(["S1", "S2.x"]) == ["S1", "S2.x"]
    assert bam_names(["a/S1.bam", "a/S1.bam"]) == ["a/S1.bam", "a/S1.bam"]
