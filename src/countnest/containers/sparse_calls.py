"""What is said of a few calls on low counts, of which more may be false than the false discovery rate promises.

Independent filtering leaves out the genes below the mean count with which most genes are called. With hundreds of calls
this choice adds next to nothing to the false ones; with few calls it does, and where most counts are low it has many
cutoffs to choose from. In simulated studies of three samples a group with means of 0.3 to 30, a tenth of the genes with
effects of standard deviation 0.7, 18 % of the calls of Wald tests at 0.1 were false with filtering, 11 % without it;
with six samples and means of 0.5 to 20 it was 19 % and 14 %. Averaged tests are filtered by a rule of their own, and
12 % and 11 % of their calls were false.
"""

from __future__ import annotations

import numpy as np

from countnest.arrays import FloatArray
from countnest.containers.info import ResultsInfo
from countnest.remedies import advised, option

__all__ = ["sparse_lines"]

# Calls are few below this fraction of the genes with a p-value. Near it filtering still moved the rate of Wald tests at
# 5 % from 5 to 9 %; with 3 % of the genes called, from 4 to 6 %.
FEW = 0.02
# Counts are low where three quarters of these genes have a smaller mean. The median would be below 10 in ordinary
# studies, too: a table of all annotated genes has thousands with hardly a count.
LOW, QUARTILE = 40.0, 0.75
# The test that is filtered by the cautious rule of `stats.inference.filter`.
CAUTIOUS = "averaged LRT"


def sparse_lines(mean: FloatArray, p_value: FloatArray, n_called: int, level: float, info: ResultsInfo) -> list[str]:
    """Return the sentence on few calls on low counts, as lines of a summary; none where it does not apply.

    Parameters
    ----------
    mean, p_value
        (G,) mean normalized counts, and p-values.
    n_called
        Genes with an adjusted p-value below `level`.
    info
        The record of the table.
    """
    tested = ~np.isnan(p_value)
    is_filtered = info.independent_filtering and info.filter_statistic == "baseMean"
    if info.test == CAUTIOUS or not is_filtered or not 0 < n_called < FEW * np.count_nonzero(tested):
        return []
    if np.quantile(mean[tested], QUARTILE) >= LOW:
        return []
    unfiltered = advised("independent_filtering=False", "--no-independent-filtering")
    averaged = f", and so is {option('test', 'averaged')}" if info.method == "DESeq2" else ""
    return [
        "note: few genes are found, and most counts are low. Here the choice of the filter adds false ones:",
        f"more than {100 * level:.3g} % of the genes found may be false. {unfiltered} is safer{averaged}",
    ]
