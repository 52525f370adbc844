"""Which program wrote a file of counts, recognised by its content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from countnest.errors import FileError
from countnest.files import FilePath
from countnest.io.by_products import refuse_by_product
from countnest.io.text import unpacked

__all__ = ["Binary", "Program", "binary_kind", "program_of", "require_program", "tenx_matrix"]

Program = Literal[
    "featureCounts", "STAR", "htseq-count", "Salmon", "kallisto", "RSEM genes", "RSEM transcripts", "oarfish",
    "merged genes", "merged transcripts", "RSEM matrix", "table",
]  # fmt: skip
Binary = Literal["hdf5", "parquet", "excel", "rds"]

# The first columns of the headers that programs write.
_HEADERS: Final[dict[tuple[str, ...], Program]] = {
    ("Geneid", "Chr", "Start", "End", "Strand", "Length"): "featureCounts",
    ("Name", "Length", "EffectiveLength", "TPM", "NumReads"): "Salmon",
    ("target_id", "length", "eff_length", "est_counts", "tpm"): "kallisto",
    ("gene_id", "transcript_id(s)", "length", "effective_length", "expected_count", "TPM"): "RSEM genes",
    ("transcript_id", "gene_id", "length", "effective_length", "expected_count", "TPM"): "RSEM transcripts",
    ("tname", "len", "num_reads"): "oarfish",
    ("gene_id", "gene_name"): "merged genes",
    ("gene_id", "transcript_id(s)"): "merged genes",
    ("tx", "gene_id"): "merged transcripts",
    ("transcript_id", "gene_id"): "merged transcripts",
}
_WORDS: Final[dict[Program, str]] = {
    "featureCounts": "a table of featureCounts",
    "STAR": "a file of STAR (ReadsPerGene.out.tab)",
    "htseq-count": "a file of htseq-count",
    "Salmon": "a file of Salmon (quant.sf)",
    "kallisto": "a file of kallisto (abundance.tsv)",
    "RSEM genes": "a file of RSEM (genes.results)",
    "RSEM transcripts": "a file of RSEM (isoforms.results)",
    "oarfish": "a file of oarfish (.quant)",
    "merged genes": "a merged table of genes, as nf-core/rnaseq writes it",
    "merged transcripts": "a merged table of transcripts",
    "RSEM matrix": "a matrix of rsem-generate-data-matrix",
    "table": "another table",
}
_NO_FEATURE = re.compile(r"^(?:__)?no_feature\t", re.MULTILINE)
_WHOLE = re.compile(r"\d+", re.ASCII)
_BEGINNINGS: Final[dict[bytes, Binary]] = {b"\x89HDF": "hdf5", b"PAR1": "parquet", b"PK\x03\x04": "excel"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_R = (b"X\n\x00\x00", b"RDX2", b"RDX3", b"A\n2\n", b"A\n3\n")
_NAMES_OF_R = (".rds", ".rda", ".rdata")
_MATRIX = ("matrix.mtx.gz", "matrix.mtx")


def program_of(text: str, path: FilePath, *, one_sample: bool = False) -> Program:
    """Return the program that wrote a text file of counts; "table" where none is recognised.

    `one_sample`: the file is of one sample, so that lines of a label and a whole number without a header are those of
    htseq-count. `FileError` for a summary or a log of a program; the message has the file of counts.
    """
    refuse_by_product(text, path)
    header = next((line for line in text[:100_000].split("\n") if line.strip() and not line.startswith("#")), "")
    fields = [field.strip().strip('"') for field in header.split("\t")]
    for names, program in _HEADERS.items():
        if tuple(fields[: len(names)]) == names:
            return program
    if fields[0] in ("N_unmapped", "N_multimapping") and len(fields) == 4:
        return "STAR"
    if len(fields) > 1 and all(re.search(r"\.(genes|isoforms)\.results$", field) for field in fields if field):
        return "RSEM matrix"
    counts = len(fields) > 1 and _WHOLE.fullmatch(fields[-1]) is not None
    if counts and ((one_sample and len(fields) == 2) or _NO_FEATURE.search(text)):
        return "htseq-count"
    return "table"


def require_program(text: str, path: FilePath, *wanted: Program) -> Program:
    """Return the program that wrote a file of one sample; `FileError` if it is not one of those wanted."""
    found = program_of(text, path, one_sample=True)
    if found not in wanted:
        if not text.strip():
            raise FileError(f"'{path}' is empty, and should be {_WORDS[wanted[0]]}.")
        raise FileError(
            f"'{path}' is {_WORDS[found]}, not {' or '.join(_WORDS[each] for each in wanted)}. Give files of one "
            f"program and kind together. Its first line: {text.lstrip()[:60].splitlines()[0]!r}."
        )
    return found


def binary_kind(data: bytes, path: FilePath) -> Binary | None:
    """Return the kind of a file that is not text, by its first bytes; None: it may be text."""
    for beginning, kind in _BEGINNINGS.items():
        if data.startswith(beginning):
            return kind
    if data.startswith(_OLD_EXCEL):
        return "excel"
    if Path(path).suffix.lower() in _NAMES_OF_R and unpacked(data, path).startswith(_R):
        return "rds"
    return None


def tenx_matrix(folder: FilePath) -> Path | None:
    """Return the matrix in a folder as Cell Ranger and STARsolo write it; None: there is none."""
    place = Path(folder).expanduser()
    return next((place / name for name in _MATRIX if (place / name).is_file()), None) if place.is_dir() else None
