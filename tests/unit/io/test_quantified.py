"""Salmon, kallisto, RSEM and oarfish, by transcripts: sums by gene, average lengths, and what is refused."""

import gzip

import numpy as np
import pandas as pd
import pytest

import countnest as cn
from countnest.errors import CountsError, FileError, OptionError
from countnest.io.transcripts import transcript_map
from unit.io.files import COUNTS, DATA, GENES, SAMPLES, SHEET, SYMBOLS, files, refused, same_counts

GTF = DATA / "annotation/genes.gtf"
TABLE = DATA / "nfcore/tx2gene.tsv"
# Paths, and the columns of transcripts, effective lengths, abundances and counts.
PROGRAMS = {
    "Salmon": ("salmon/*/quant.sf", "Name", "EffectiveLength", "TPM", "NumReads"),
    "kallisto": ("kallisto/*/abundance.tsv", "target_id", "eff_length", "tpm", "est_counts"),
    "RSEM": ("rsem/*.isoforms.results", "transcript_id", "effective_length", "TPM", "expected_count"),
}


def summarised(paths, name, length, abundance, counts):
    """Return the counts by gene, and as tximport the mean lengths of their transcripts, weighted by abundance."""
    gene_of = pd.read_csv(TABLE, sep="\t", index_col=0)["gene_id"]
    sums, lengths = {}, {}
    for sample, path in zip(SAMPLES, paths, strict=True):
        frame = pd.read_csv(path, sep="\t", index_col=name)
        weight = frame[abundance]
        gene = gene_of[frame.index].to_numpy()
        sums[sample] = frame[counts].groupby(gene).sum()
        lengths[sample] = (frame[length] * weight).groupby(gene).sum() / weight.groupby(gene).sum()
    return pd.DataFrame(sums), pd.DataFrame(lengths)


def test_counts_and_lengths_by_gene():
    pytest.importorskip("pytximport")
    for program, (pattern, *columns) in PROGRAMS.items():
        counts, lengths = summarised(files(pattern), *columns)
        for transcripts in (GTF, TABLE):
            record = cn.read_counts(files(pattern), transcripts=transcripts)
            assert record.source == program
            same_counts(record, np.rint(counts).astype(np.int64))
            same_counts(record, COUNTS)
            there = lengths.notna()
            np.testing.assert_allclose(record.lengths.to_numpy()[there], lengths.to_numpy()[there], rtol=1e-5)
            assert np.isfinite(record.lengths.to_numpy()).all()
            assert list(record.gene_info["gene_name"]) == SYMBOLS


def test_counts_of_long_reads_do_not_depend_on_lengths():
    pytest.importorskip("pytximport")
    record = cn.read_counts(files("oarfish/*.quant"), transcripts=GTF)
    same_counts(record)
    assert record.lengths is None
    assert record.notes[-1].startswith("Long reads are counted once for each transcript")


def test_lengths_become_normalization_factors():
    pytest.importorskip("pytximport")
    record = cn.read_quantified(files("salmon/*/quant.sf"), GTF)
    dds = cn.DESeqDataSet(record, SHEET, "~ dex", quiet=True).estimate_size_factors()
    given = cn.dataset_from_tximport(record.counts, record.lengths, SHEET, "~ dex", quiet=True).estimate_size_factors()
    pd.testing.assert_frame_equal(dds.normalization_factors, given.normalization_factors)


def test_a_transcript_without_a_gene_is_named_or_left_out():
    pytest.importorskip("pytximport")
    table = pd.read_csv(TABLE, sep="\t")
    paths = files("salmon/*/quant.sf")
    with refused(CountsError, "1 transcript of 6 without a gene", "'ENST00000494424.1'", "unmapped='drop'"):
        cn.read_quantified(paths, table.drop(index=1))
    record = cn.read_quantified(paths, table.drop(index=1), unmapped="drop")
    assert record.notes[0] == "1 transcript of 6 without a gene, left out: 'ENST00000494424.1'."
    assert record.counts.loc[GENES[0], "S1"] == 542
    with refused(CountsError, "no transcript of the files has a gene", "'ENST00000373020.9'", "'x1'"):
        cn.read_quantified(paths, pd.DataFrame({"transcript": ["x1"], "gene": ["g1"]}))


def test_transcripts_must_be_said():
    with refused(OptionError, "files of Salmon count transcripts", "transcripts='genes.gtf'"):
        cn.read_counts(files("salmon/*/quant.sf"))


def test_files_that_do_not_go_together_are_refused(tmp_path):
    first = DATA / "salmon/S1/quant.sf"
    lines = (DATA / "salmon/S2/quant.sf").read_text().splitlines()
    (tmp_path / "S2").mkdir()
    path = tmp_path / "S2/quant.sf"
    path.write_text("\n".join(lines[:-2]) + "\n")
    with refused(CountsError, "S2/quant.sf' does not have the same transcripts", "ends after transcript 4"):
        cn.read_quantified([first, path], GTF)
    path.write_text("\n".join(lines)[:-12])
    with refused(FileError, "S2/quant.sf' is not a regular table", "line 7", "complete"):
        cn.read_quantified([first, path], GTF)
    path.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")  # pytximport would take them by position
    with refused(CountsError, "S2/quant.sf' does not have", "their order differs"):
        cn.read_quantified([first, path], GTF)


def test_genes_of_transcripts_from_tables_of_any_form(tmp_path):
    expected = pd.read_csv(TABLE, sep="\t")
    headless = expected.to_csv(sep="\t", index=False, header=False)
    contents = {
        "a.tsv": headless,
        "b.csv": expected[["gene_id", "transcript_id", "gene_name"]].to_csv(index=False),
        "c.csv": "TXNAME,GENEID\n" + expected.iloc[:, :2].to_csv(index=False, header=False),
        "d.tsv.gz": gzip.compress(headless.encode()),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        found = transcript_map(tmp_path / name)
        pd.testing.assert_frame_equal(found, expected[found.columns.tolist()])
    from_gtf = transcript_map(GTF)
    assert from_gtf["gene_id"].tolist() == expected["gene_id"].tolist()
    assert from_gtf["gene_name"].tolist() == expected["gene_name"].tolist()
    pd.testing.assert_frame_equal(transcript_map(expected.set_index("transcript_id")), expected)


def test_tables_of_transcripts_that_cannot_be_used(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("t1\tg1\nt2\n")
    with refused(FileError, "x.tsv': row 2 has 1 fields", "complete"):
        transcript_map(path)
    path.write_text("")
    with refused(FileError, "x.tsv' is empty"):
        transcript_map(path)
    text = GTF.read_text()
    path.write_text(text[: text.rindex("\t-\t")])
    with refused(FileError, "x.tsv': line 17 has 6 fields", "lines of GTF have 9"):
        transcript_map(path)
    path.write_text("X\tx\tmRNA\t1\t2\t.\t+\t.\tID=transcript:t1;Parent=gene:g1\n")
    with refused(FileError, "no transcripts with their genes", "gffread -T"):
        transcript_map(path)
    with refused(OptionError, "two genes for some transcripts: 't1'"):
        transcript_map(pd.DataFrame({"t": ["t1", "t1"], "g": ["g1", "g2"]}))
    with refused(OptionError, "has one column"):
        transcript_map(pd.DataFrame({"t": ["t1"]}))
    with refused(OptionError, "transcripts= is an int"):
        transcript_map(3)
