"""The papers behind the methods, as a methods paragraph cites them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFERENCES"]

# By the words with which a text cites them.
REFERENCES: Mapping[str, str] = {
    "Love et al. 2014": "Love MI, Huber W, Anders S (2014) Genome Biology 15:550. doi:10.1186/s13059-014-0550-8",
    "Anders and Huber 2010": "Anders S, Huber W (2010) Genome Biology 11:R106. doi:10.1186/gb-2010-11-10-r106",
    "Benjamini and Hochberg 1995": (
        "Benjamini Y, Hochberg Y (1995) Journal of the Royal Statistical Society B 57:289-300. "
        "doi:10.1111/j.2517-6161.1995.tb02031.x"
    ),
    "Bourgon et al. 2010": (
        "Bourgon R, Gentleman R, Huber W (2010) Proceedings of the National Academy of Sciences 107:9546-9551. "
        "doi:10.1073/pnas.0914005107"
    ),
    "Zhu et al. 2019": (
        "Zhu A, Ibrahim JG, Love MI (2019) Bioinformatics 35:2084-2092. doi:10.1093/bioinformatics/bty895"
    ),
    "Stephens 2017": "Stephens M (2017) Biostatistics 18:275-294. doi:10.1093/biostatistics/kxw041",
    "Robinson et al. 2010": (
        "Robinson MD, McCarthy DJ, Smyth GK (2010) Bioinformatics 26:139-140. doi:10.1093/bioinformatics/btp616"
    ),
    "McCarthy et al. 2012": (
        "McCarthy DJ, Chen Y, Smyth GK (2012) Nucleic Acids Research 40:4288-4297. doi:10.1093/nar/gks042"
    ),
    "Lund et al. 2012": (
        "Lund SP, Nettleton D, McCarthy DJ, Smyth GK (2012) Statistical Applications in Genetics and Molecular Biology "
        "11:8. doi:10.1515/1544-6115.1826"
    ),
    "Chen et al. 2025": (
        "Chen Y, Chen L, Lun ATL, Baldoni PL, Smyth GK (2025) Nucleic Acids Research 53:gkaf018. "
        "doi:10.1093/nar/gkaf018"
    ),
    "Ritchie et al. 2015": (
        "Ritchie ME, Phipson B, Wu D, Hu Y, Law CW, Shi W, Smyth GK (2015) Nucleic Acids Research 43:e47. "
        "doi:10.1093/nar/gkv007"
    ),
    "Law et al. 2014": ("Law CW, Chen Y, Shi W, Smyth GK (2014) Genome Biology 15:R29. doi:10.1186/gb-2014-15-2-r29"),
    "Smyth 2004": (
        "Smyth GK (2004) Statistical Applications in Genetics and Molecular Biology 3:3. doi:10.2202/1544-6115.1027"
    ),
    "McCarthy and Smyth 2009": (
        "McCarthy DJ, Smyth GK (2009) Bioinformatics 25:765-771. doi:10.1093/bioinformatics/btp053"
    ),
    "Ignatiadis and Sen 2023": "Ignatiadis N, Sen B (2023) arXiv:2303.02887. doi:10.48550/arXiv.2303.02887",
    "Kenward and Roger 1997": "Kenward MG, Roger JH (1997) Biometrics 53:983-997. doi:10.2307/2533558",
    "Satterthwaite 1946": "Satterthwaite FE (1946) Biometrics Bulletin 2:110-114. doi:10.2307/3002019",
    "Hoffman and Roussos 2021": (
        "Hoffman GE, Roussos P (2021) Bioinformatics 37:192-201. doi:10.1093/bioinformatics/btaa687"
    ),
    "Breslow and Clayton 1993": (
        "Breslow NE, Clayton DG (1993) Journal of the American Statistical Association 88:9-25. "
        "doi:10.1080/01621459.1993.10594284"
    ),
    "Bates et al. 2015": (
        "Bates D, Maechler M, Bolker B, Walker S (2015) Journal of Statistical Software 67(1). "
        "doi:10.18637/jss.v067.i01"
    ),
    "Buja and Eyuboglu 1992": (
        "Buja A, Eyuboglu N (1992) Multivariate Behavioral Research 27:509-540. doi:10.1207/s15327906mbr2704_2"
    ),
}
