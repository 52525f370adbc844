import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import countnest as cn
from countnest.errors import MissingStepError, OptionError
from countnest.plots.figure import new_axes
from countnest.plots.voom import plot_voom


@pytest.fixture(scope="module")
def dds():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.negative_binomial(5, 0.05, (80, 6)), columns=[f"s{k}" for k in range(6)])
    table.iloc[0] = 0
    sheet = pd.DataFrame({"group": list("aaabbb")}, index=table.columns)
    return cn.DESeqDataSet(table, sheet, design="~ group", quiet=True)


def test_standard_deviations_and_their_curve(dds):
    voomed = cn.voom(dds)
    ax = new_axes()
    figure = plot_voom(voomed, ax=ax)
    assert isinstance(figure, Figure)
    drawn = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(drawn, np.column_stack([voomed.curve.mean, voomed.curve.root]))
    assert len(drawn) == 79  # the gene without counts has no part
    x, y = ax.lines[0].get_data()
    assert (np.diff(x) >= 0).all()
    np.testing.assert_allclose(np.sort(y), np.sort(voomed.curve.smoothed))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["genes: 79", "curve of the weights"]
    again = plot_voom(cn.voom_lm_fit(dds)).axes[0]
    np.testing.assert_allclose(np.asarray(again.collections[0].get_offsets()), drawn)


def test_what_has_no_curve_is_refused(dds):
    with pytest.raises(OptionError, match="plot_voom needs what"):
        plot_voom(dds)
    with pytest.raises(MissingStepError, match="this fit has no curve"):
        plot_voom(cn.lm_fit(cn.voom(dds)))
    alone = cn.DESeqDataSet(dds.counts().iloc[:, [0, 3]], dds.samples.iloc[[0, 3]], design="~ group", quiet=True)
    with pytest.warns(cn.CountnestWarning, match="no replicates"):
        voomed = cn.voom(alone)
    with pytest.raises(MissingStepError, match="without replicates"):
        plot_voom(voomed)
