"""Write the small files of other programs that the tests read; see README.md. Run it in this folder."""

import gzip
from pathlib import Path

GENES = ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419", "ENSG00000000457"]
SYMBOLS = ["TSPAN6", "TNMD", "DPM1", "SCYL3"]
COUNTS = {"S1": [723, 0, 467, 347], "S2": [486, 3, 523, 258], "S3": [904, 1, 616, 364], "S4": [445, 0, 371, 237]}
# transcripts: gene, name with version, length
TRANSCRIPTS = [
    (0, "ENST00000373020.9", 3768),
    (0, "ENST00000494424.1", 820),
    (1, "ENST00000373031.5", 1205),
    (2, "ENST00000371582.8", 1161),
    (3, "ENST00000367770.5", 2916),
    (3, "ENST00000423670.1", 1050),
]


def write(name, lines):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(map(str, line)) + "\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, encoding="utf-8")


def feature_counts():
    command = '# Program:featureCounts v2.0.6; Command:"featureCounts" "-a" "genes.gtf" "-o" "counts.txt" "-p"'
    head = ["Geneid", "Chr", "Start", "End", "Strand", "Length"]
    bams = [f"/data/run 1/{name}Aligned.sortedByCoord.out.bam" for name in COUNTS]
    places = [
        ("X;X", "100;900", "299;999", "-;-", 300),
        ("X", "5000", "5999", "+", 1000),
        ("20", "1", "1161", "-", 1161),
    ]
    places.append(("1;1", "10;90", "50;130", "-;-", 82))
    rows = [[gene, *places[g], SYMBOLS[g], *(counts[g] for counts in COUNTS.values())] for g, gene in enumerate(GENES)]
    write("feature_counts/counts.txt", [[command], [*head, "gene_name", *bams], *rows])
    parts = [[gene, *places[g], *(counts[g] + 0.25 for counts in COUNTS.values())] for g, gene in enumerate(GENES)]
    write("feature_counts/fraction.txt", [[command], [*head, *(f"bam/{name}.bam" for name in COUNTS)], *parts])


def star():
    for name, counts in COUNTS.items():
        first = [["N_unmapped", 90, 90, 90], ["N_multimapping", 55, 55, 55]]
        first += [["N_noFeature", 41, 1500, 60], ["N_ambiguous", 12, 0, 3]]
        rows = [[gene, count, count // 40, count - count // 50] for gene, count in zip(GENES, counts, strict=True)]
        write(f"star/reverse/{name}.ReadsPerGene.out.tab", [*first, *rows])
        halves = [[gene, count, count - count // 2, count // 2] for gene, count in zip(GENES, counts, strict=True)]
        write(f"star/folders/{name}/ReadsPerGene.out.tab", [*first, *halves])


def htseq():
    ends = ["__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique"]
    for name, counts in COUNTS.items():
        write(
            f"htseq/{name}.htseq.txt", [*zip(GENES, counts, strict=True), *zip(ends, (41, 12, 0, 90, 55), strict=True)]
        )


def shares(sample, transcript):
    """Return the reads of a transcript, the effective length, and the reads for each base of it."""
    gene, _, length = TRANSCRIPTS[transcript]
    of_gene = [t for t, (g, _, _) in enumerate(TRANSCRIPTS) if g == gene]
    number = list(COUNTS).index(sample)
    share = 1.0 if len(of_gene) == 1 else (0.75 - 0.1 * number if transcript == of_gene[0] else 0.25 + 0.1 * number)
    effective = length - 180.0 - number
    reads = round(COUNTS[sample][gene] * share + 0.125, 3) if COUNTS[sample][gene] else 0.0
    return reads, effective, reads / effective


def abundances():
    for name in COUNTS:
        found = [shares(name, t) for t in range(len(TRANSCRIPTS))]
        million = sum(rate for *_, rate in found) / 1e6
        salmon, kallisto, rsem, oarfish = [], [], [], []
        for (gene, label, length), (reads, effective, rate) in zip(TRANSCRIPTS, found, strict=True):
            tpm = f"{rate / million:.6f}"
            salmon.append([label, length, f"{effective:.3f}", tpm, f"{reads:.3f}"])
            kallisto.append([label, length, f"{effective:g}", f"{reads:g}", f"{rate / million:.6g}"])
            rsem.append(
                [
                    label,
                    GENES[gene],
                    length,
                    f"{effective:.2f}",
                    f"{reads:.2f}",
                    f"{rate / million:.2f}",
                    "0.00",
                    "50.00",
                ]
            )
            oarfish.append([label, length, reads])
        write(f"salmon/{name}/quant.sf", [["Name", "Length", "EffectiveLength", "TPM", "NumReads"], *salmon])
        write(f"kallisto/{name}/abundance.tsv", [["target_id", "length", "eff_length", "est_counts", "tpm"], *kallisto])
        head = ["transcript_id", "gene_id", "length", "effective_length", "expected_count", "TPM", "FPKM", "IsoPct"]
        write(f"rsem/{name}.isoforms.results", [head, *rsem])
        write(f"oarfish/{name}.quant", [["tname", "len", "num_reads"], *oarfish])
        rsem_genes(name, found)


def rsem_genes(name, found):
    rows = []
    for g, gene in enumerate(GENES):
        own = [t for t, (of, _, _) in enumerate(TRANSCRIPTS) if of == g]
        reads = sum(found[t][0] for t in own)
        weights = [found[t][2] for t in own]
        effective = 0.0 if not reads else sum(w * found[t][1] for w, t in zip(weights, own, strict=True)) / sum(weights)
        labels = ",".join(TRANSCRIPTS[t][1] for t in own)
        rows.append([gene, labels, f"{effective + 180:.2f}", f"{effective:.2f}", f"{reads:.2f}", "0.00", "0.00"])
    head = ["gene_id", "transcript_id(s)", "length", "effective_length", "expected_count", "TPM", "FPKM"]
    write(f"rsem/{name}.genes.results", [head, *rows])


def merged():
    names = list(COUNTS)
    estimated = [[round(COUNTS[name][g] * 0.98 + 0.37 * (k + 1), 3) for k, name in enumerate(names)] for g in range(4)]
    lengths = [[1500.5 + 100 * g + 10 * k for k in range(4)] for g in range(4)]
    sums = [sum(row[k] for row in estimated) for k in range(4)]
    tpm = [[1e6 * value / total for value, total in zip(row, sums, strict=True)] for row in estimated]
    tables = {"counts": estimated, "counts_length_scaled": estimated, "lengths": lengths, "tpm": tpm}
    for what, values in tables.items():
        rows = [[gene, symbol, *row] for gene, symbol, row in zip(GENES, SYMBOLS, values, strict=True)]
        write(f"nfcore/salmon.merged.gene_{what}.tsv", [["gene_id", "gene_name", *names], *rows])
    labels = [",".join(label for of, label, _ in TRANSCRIPTS if of == g) for g in range(4)]
    rows = [[gene, label, *row] for gene, label, row in zip(GENES, labels, estimated, strict=True)]
    write("nfcore/rsem.merged.gene_counts.tsv", [["gene_id", "transcript_id(s)", *names], *rows])
    matrix = [["", *(f'"{name}.genes.results"' for name in names)]]
    write("rsem/matrix.tsv", [*matrix, *([f'"{gene}"', *row] for gene, row in zip(GENES, estimated, strict=True))])
    write(
        "nfcore/tx2gene.tsv",
        [["transcript_id", "gene_id", "gene_name"], *([label, GENES[g], SYMBOLS[g]] for g, label, _ in TRANSCRIPTS)],
    )
    transcripts = [
        [label, GENES[g], *(shares(name, t)[0] for name in names)] for t, (g, label, _) in enumerate(TRANSCRIPTS)
    ]
    write("nfcore/salmon.merged.transcript_counts.tsv", [["tx", "gene_id", *names], *transcripts])


def annotation():
    lines = [["#!genome-build GRCh38.p14"]]
    for g, gene in enumerate(GENES):
        own = f'gene_id "{gene}"; gene_version "1"; gene_name "{SYMBOLS[g]}"; gene_biotype "protein_coding";'
        lines.append(["X", "ensembl", "gene", 100, 900, ".", "-", ".", own])
        for of, label, length in TRANSCRIPTS:
            if of == g:
                name, version = label.split(".")
                more = f'{own} transcript_id "{name}"; transcript_version "{version}";'
                lines.append(["X", "ensembl", "transcript", 100, 99 + length, ".", "-", ".", more])
                lines.append(["X", "ensembl", "exon", 100, 99 + length, ".", "-", ".", f'{more} exon_number "1";'])
    write("annotation/genes.gtf", lines)


def tenx():
    barcodes = [f"{bases}-1" for bases in ("AAACCTGA", "AAACGGGT", "AAAGATGC", "AAAGTAGA", "AACACGTT")]
    for name, factor in (("donor1", 1), ("donor2", 2)):
        cells = [(g, c, (g + 1) * factor + c) for c in range(5) for g in range(4) if (g + c) % 2]
        antibody = (5, 1, 70)
        entries = [(g + 1, c + 1, value) for g, c, value in cells] + [antibody]
        entries.sort(key=lambda entry: (entry[1], entry[0]))
        head = [["%%MatrixMarket matrix coordinate integer general"], ["%metadata_json: {}"]]
        lines = [*head, [f"5 5 {len(entries)}"], *([" ".join(map(str, entry))] for entry in entries)]
        write(f"tenx/{name}/matrix.mtx.gz", lines)
        write(f"tenx/{name}/barcodes.tsv.gz", [[barcode] for barcode in barcodes])
        features = [[gene, symbol, "Gene Expression"] for gene, symbol in zip(GENES, SYMBOLS, strict=True)]
        write(f"tenx/{name}/features.tsv.gz", [*features, ["CD3", "CD3_TotalSeqB", "Antibody Capture"]])


if __name__ == "__main__":
    for make in (feature_counts, star, htseq, abundances, merged, annotation, tenx):
        make()
