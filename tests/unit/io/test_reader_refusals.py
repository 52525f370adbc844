"""Files that cannot be read, and what the messages say: which file, which line, what to do."""

import re
import zipfile
from pathlib import Path

import pytest

import countnest as cn
from cases import each
from countnest.errors import CountnestError, CountsError, FileError, OptionError
from countnest.remedies import in_the_shell
from unit.io.files import DATA, GENES, files, refused


def copy(source, target, change=lambda text: text):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(change((DATA / source).read_text()))
    return target


READERS = {"star/reverse/*.tab": cn.read_star, "rsem/*.genes.results": cn.read_quantified, "htseq/*": cn.read_htseq}


@each(("pattern", "read"), READERS.items())
def test_a_file_of_another_program_is_named(pattern, read):
    _, *others = files(pattern)
    with refused(FileError, "S1/abundance.tsv' is a file of kallisto", "not a file of", "target_id"):
        read([*others, DATA / "kallisto/S1/abundance.tsv"])


def test_files_of_different_programs_are_named():
    with refused(FileError, "abundance.tsv' is a file of kallisto", "not a file of Salmon"):
        cn.read_quantified(
            [DATA / "salmon/S1/quant.sf", DATA / "kallisto/S2/abundance.tsv"], DATA / "annotation/genes.gtf"
        )


SUMMARY = "Status\tbam/S1.bam\tbam/S2.bam\nAssigned\t90\t80\nUnassigned_Unmapped\t1\t2\n"
LOG = "                                 Started job on |\tNov 28 10:00:00\n"
JUNCTIONS = "chr1\t14830\t14969\t2\t2\t1\t3\t8\t38\n"
STAR_COUNTS = "S1.ReadsPerGene.out.tab"
SALMON = '{\n    "salmon_version": "1.10.1"\n}\n'
LIBRARY = '{\n    "read_files": [],\n    "expected_format": "IU"\n}\n'
KALLISTO = '{\n\t"n_targets": 7,\n\t"kallisto_version": "0.46.1"\n}\n'
BY_PRODUCTS = {
    "counts.txt.summary": (SUMMARY, "counts.txt'", cn.read_featurecounts),
    "fc_summary.tsv": (SUMMARY, "the table that featureCounts wrote beside it", cn.read_featurecounts),
    "S1.Log.final.out": (LOG, STAR_COUNTS, cn.read_star),
    "S1.SJ.out.tab": (JUNCTIONS, STAR_COUNTS, cn.read_star),
    "S1/aux_info/meta_info.json": (SALMON, "S1/quant.sf'", cn.read_quantified),
    "S1/lib_format_counts.json": (
        '{\n "read_files": [],\n "expected_format": "IU"\n}\n',
        "S1/quant.sf'",
        cn.read_quantified,
    ),
    "S1/run_info.json": (
        '{\n\t"n_targets": 7,\n\t"kallisto_version": "0.46.1"\n}\n',
        "S1/abundance.tsv'",
        cn.read_quantified,
    ),
}


@each(("name", "case"), BY_PRODUCTS.items())
def test_a_summary_or_a_log_is_refused_with_the_file_of_counts(tmp_path, name, case):
    text, instead, reader = case
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for given, read in ((path, cn.read_counts), ([path, "other"], cn.read_counts), (path, reader)):
        with refused(FileError, f"{path}' is ", "no counts of genes", instead, "pattern"):
            read(given)


def test_a_line_that_is_cut_off_is_named(tmp_path):
    star = copy("star/reverse/S2.ReadsPerGene.out.tab", tmp_path / "S2.tab", lambda text: text[:-5])
    with refused(FileError, "S2.tab': line 8", "three whole numbers", "incomplete"):
        cn.read_counts([DATA / "star/reverse/S1.ReadsPerGene.out.tab", star])
    counted = copy("htseq/S2.htseq.txt", tmp_path / "S2.txt", lambda text: text[: text.index("\t258")])
    with refused(FileError, "S2.txt' is not a file of htseq-count: line 4"):
        cn.read_counts([DATA / "htseq/S1.htseq.txt", counted])
    genes = copy("rsem/S2.genes.results", tmp_path / "S2.genes.results", lambda text: text[:-25])
    with refused(FileError, "S2.genes.results' is not a regular table", "line 5"):
        cn.read_counts([DATA / "rsem/S1.genes.results", genes])


def test_a_file_that_ends_too_early_is_named_wherever_it_stands(tmp_path):
    short = copy("star/reverse/S1.ReadsPerGene.out.tab", tmp_path / "S1.tab", lambda t: "\n".join(t.split("\n")[:6]))
    others = files("star/reverse/*.tab")[1:]
    for paths in ([short, *others], [*others, short]):
        with refused(CountsError, "S1.tab' does not have the same genes", "ends after gene 2", GENES[2], "incomplete"):
            cn.read_counts(paths)


def test_other_genes_and_another_order_are_named(tmp_path):
    other = copy("htseq/S2.htseq.txt", tmp_path / "S2.txt", lambda text: text.replace(GENES[1], "ENSG9"))
    with refused(CountsError, "S2.txt' does not have", f"not in both: 'ENSG9', '{GENES[1]}'", "is gene 2"):
        cn.read_counts([DATA / "htseq/S1.htseq.txt", other])
    turned = copy("htseq/S2.htseq.txt", tmp_path / "S3.txt", lambda t: "\n".join(reversed(t.strip().split("\n"))))
    with refused(CountsError, "S3.txt' does not have", "their order differs"):
        cn.read_counts([DATA / "htseq/S1.htseq.txt", turned])


def star(path, forward, reverse):
    rows = [f"g{k}\t{f + r}\t{f}\t{r}" for k, (f, r) in enumerate(zip(forward, reverse, strict=True))]
    path.write_text("N_unmapped\t1\t1\t1\n" + "\n".join(rows) + "\n")
    return path


def test_a_strand_that_cannot_be_told_shows_the_sums(tmp_path):
    one, two = star(tmp_path / "a.tab", [70, 5], [29, 1]), star(tmp_path / "b.tab", [500, 1], [3, 0])
    with refused(CountsError, "cannot be recognised", "a 105, 75, 30 (cannot be told)", "b 504, 501, 3 (forward)"):
        cn.read_counts([one, two])
    with refused(CountsError, "strand='unstranded', strand='forward' or strand='reverse'"):
        cn.read_counts([one])
    other = star(tmp_path / "c.tab", [3, 0], [500, 1])
    with refused(CountsError, "not the same in all samples", "b 504, 501, 3 (forward)", "c 504, 3, 501 (reverse)"):
        cn.read_star([two, other])
    few = star(tmp_path / "d.tab", [3, 0], [40, 1])
    with refused(CountsError, "d 44, 3, 41 (cannot be told)"):
        cn.read_star(few)
    assert cn.read_star(few, strand="reverse").counts["d"].tolist() == [40, 1]
    with refused(OptionError, "strand='yes'", "unstranded"):
        cn.read_star(few, strand="yes")


def test_tables_with_other_values_are_refused():
    told = {
        "nfcore/salmon.merged.gene_tpm.tsv": ("has TPM", "gene_counts.tsv"),
        "nfcore/salmon.merged.gene_lengths.tsv": ("has lengths", "lengths="),
        "nfcore/salmon.merged.transcript_counts.tsv": ("counts of transcripts", "gene_counts.tsv"),
    }
    for name, parts in told.items():
        with refused(FileError, *parts):
            cn.read_counts(DATA / name)
    with refused(FileError, "is no merged table of genes"):
        cn.read_merged(DATA / "feature_counts/counts.txt")


def test_lengths_of_others_are_refused(tmp_path):
    counts = DATA / "nfcore/salmon.merged.gene_counts.tsv"
    source = "nfcore/salmon.merged.gene_lengths.tsv"
    genes = copy(source, tmp_path / "a.tsv", lambda text: text.replace(GENES[2], "g"))
    with refused(CountsError, "a.tsv' does not have the same genes"):
        cn.read_merged(counts, lengths=genes)
    samples = copy(source, tmp_path / "b.tsv", lambda text: text.replace("S2", "T2"))
    with refused(CountsError, "b.tsv' does not have the same samples", "'S2', 'T2'"):
        cn.read_merged(counts, lengths=samples)


def test_options_of_other_files_are_refused(tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("gene,a\ng1,1\n")
    with refused(OptionError, "strand= does not apply to a plain table"):
        cn.read_counts(table, strand="forward")
    with refused(OptionError, "layer= does not apply to files of STAR"):
        cn.read_counts(files("star/reverse/*.tab"), layer="counts")
    with refused(OptionError, "transcripts= does not apply to files of merged genes"):
        cn.read_counts(DATA / "nfcore/salmon.merged.gene_counts.tsv", transcripts="x.gtf")


def test_sets_of_files_that_make_no_table_are_refused(tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("gene,a\ng1,1\n")
    with refused(FileError, "is a plain table", "2 files were given", "pd.concat"):
        cn.read_counts({"a": table, "b": table})
    merged = DATA / "nfcore/salmon.merged.gene_counts.tsv"
    with refused(FileError, "is of all samples"):
        cn.read_counts({"a": merged, "b": merged})
    with refused(FileError, "the list of paths is empty"):
        cn.read_counts([])
    with refused(FileError, "samples of the same name, 'quant'", "a dict"):
        cn.read_counts([tmp_path / "quant/quant.sf", tmp_path / "quant.sf.gz", tmp_path / "quant" / "quant.sf.gz"])
    with refused(FileError, "A path is needed"):
        cn.read_star(3)
    with refused(FileError, "A path is needed"):
        cn.read_star([3])
    (tmp_path / "empty.tab").write_text("")
    with refused(FileError, "empty.tab' is empty, and should be a file of STAR"):
        cn.read_star(tmp_path / "empty.tab")


def test_archives_of_several_files_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.csv", "gene,a\ng1,1\n")
        archive.writestr("b.csv", "gene,a\ng1,1\n")
    with refused(FileError, "is a zip archive of 2 files: 'a.csv', 'b.csv'"):
        cn.read_counts(tmp_path / "x.zip")
    (tmp_path / "x.bz2").write_bytes(b"BZh91AY&SY")
    with refused(FileError, "x.bz2' cannot be unpacked", "copied completely"):
        cn.read_counts(tmp_path / "x.bz2")


def test_feature_counts_without_counts_or_with_equal_samples(tmp_path):
    head = "Geneid\tChr\tStart\tEnd\tStrand\tLength"
    path = tmp_path / "x.txt"
    path.write_text(f"{head}\tgene_name\ng1\tX\t1\t9\t+\t9\tTP53\n")
    with refused(FileError, "has no counts after the column Length"):
        cn.read_counts(path)
    one = tmp_path / "y.txt"
    one.write_text(f"{head}\tS1.bam\tS2.bam\ng1\tX\t1\t9\t+\t9\t4\t5\n")
    with refused(CountsError, "samples have the same name: 'S1.bam'"):
        cn.read_featurecounts({"a": one, "b": one})


def _changed_line(text, number, place, cell):
    lines = [line.split("\t") for line in text.split("\n")]
    lines[number - 1][place] = cell
    return "\n".join("\t".join(line) for line in lines)


def test_an_estimated_count_or_length_that_is_no_number_is_named_with_its_line(tmp_path):
    columns = {
        "rsem/S1.genes.results": (("expected_count", 4), ("effective_length", 3)),
        "rsem/S1.isoforms.results": (("expected_count", 4), ("effective_length", 3)),
        "salmon/S1/quant.sf": (("NumReads", 4), ("EffectiveLength", 2)),
        "kallisto/S1/abundance.tsv": (("est_counts", 3), ("eff_length", 2)),
        "oarfish/S1.quant": (("num_reads", 2), ("len", 1)),
    }
    for source, places in columns.items():
        for name, place in places:
            for cell in ("abc", "", "NA", "nan", "inf", "-3"):
                path = copy(source, tmp_path / source, lambda t, p=place, c=cell: _changed_line(t, 3, p, c))
                with refused(FileError, f"{Path(source).name}': line 3 has {cell!r} as {name}"):
                    cn.read_quantified(path, DATA / "annotation/genes.gtf")


def test_a_gene_twice_in_every_file_is_named(tmp_path):
    twice = copy("rsem/S1.genes.results", tmp_path / "S1.genes.results", lambda t: t + t.split("\n")[1] + "\n")
    with refused(CountsError, "S1.genes.results': genes occur more than once", GENES[0]):
        cn.read_quantified(twice)


def test_lengths_that_are_tpm_or_the_counts_again_are_refused():
    counts = DATA / "nfcore/salmon.merged.gene_counts.tsv"
    for lengths, what in (("salmon.merged.gene_tpm.tsv", "TPM"), (counts.name, "the counts again")):
        with refused(FileError, f"{lengths}' has {what}, not average transcript lengths"):
            cn.read_merged(counts, lengths=DATA / "nfcore" / lengths)


def test_text_among_the_counts_of_feature_counts_is_named(tmp_path):
    path = copy("feature_counts/counts.txt", tmp_path / "x.txt", lambda t: _changed_line(t, 4, -1, "12a"))
    with refused(FileError, "S4Aligned", "has text among the counts, '12a' of the gene", GENES[1]):
        cn.read_featurecounts(path)


def test_advice_in_the_shell_is_for_the_shell(tmp_path):
    table, sheet = tmp_path / "x.mtx", tmp_path / "x.h5ad"
    table.write_text("%%MatrixMarket matrix\n")
    sheet.write_bytes(b"\x89HDF\r\n\x1a\n")
    star, htseq = DATA / "star/reverse/S1.ReadsPerGene.out.tab", DATA / "htseq/S1.htseq.txt"
    salmon = DATA / "salmon/S1/quant.sf"
    two = tmp_path / "two.csv"
    two.write_text("ENST1,G1\nENST1,G2\n")
    wrong = {
        "give its folder": lambda: cn.read_counts(table),
        "write its counts as a comma-separated table": lambda: cn.read_samples(sheet),
        "Give the files of STAR alone": lambda: cn.read_counts({"a": htseq, "b": star}),
        "Rename the files by their samples": lambda: cn.read_counts([htseq, htseq]),
        "--transcripts has two genes": lambda: cn.read_counts(salmon, transcripts=two),
    }
    for text, read in wrong.items():
        with in_the_shell(), pytest.raises(CountnestError) as caught:
            read()
        assert text in str(caught.value)
        assert not re.search(r"\b(cn|pd|np|scanpy)\.|\w=|dict", str(caught.value))
