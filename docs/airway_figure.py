"""Draw the figure of the README from the airway study: ``python docs/airway_figure.py``."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import countnest as cn

# Genes that dexamethasone is known to induce or to repress.
SYMBOLS = {
    "ENSG00000120129": "DUSP1",
    "ENSG00000096060": "FKBP5",
    "ENSG00000163884": "KLF15",
    "ENSG00000162692": "VCAM1",
}


def main() -> None:
    """Write ``airway.png`` beside this file, an MA plot, with 64 colours to keep it small."""
    study = cn.datasets.load("airway")
    dds = cn.DESeqDataSet(study.counts, study.samples, design="~ cell + dex", reference={"dex": "untrt"}, quiet=True)
    dds.gene_info = dds.gene_names.to_series(name="symbol").replace(SYMBOLS)
    results = cn.results(cn.DESeq(dds, quiet=True), contrast=("dex", "trt", "untrt"))
    file = Path(__file__).with_name("airway.png")
    figure = cn.plot_ma(results, ylim=(-6.5, 6.5), label=SYMBOLS)
    figure.set_size_inches(7.5, 4.2)
    figure.savefig(file, dpi=110)
    Image.open(file).convert("RGB").quantize(64).save(file, optimize=True)


if __name__ == "__main__":
    main()
