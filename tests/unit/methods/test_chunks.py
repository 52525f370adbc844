"""The loop over genes: chunks, what tasks return, and what is missing."""

from dataclasses import dataclass

import numpy as np
import pytest

from countnest.containers.matrix import InMemory
from countnest.methods import chunks
from countnest.methods.chunks import Genes, over_genes
from countnest.parallel.run import Engine

COUNTS = np.arange(200.0 * 3).reshape(200, 3)
FITTED = np.arange(200) % 7 != 0


@dataclass(frozen=True)
class Found:
    """Each type of numbers, and what is the same for all genes."""

    total: np.ndarray
    scaled: np.ndarray
    place: np.ndarray
    odd: np.ndarray
    code: np.ndarray
    unit: str
    nothing: None = None


def task(chunk, *, unit):
    return Found(
        total=chunk.counts.sum(axis=1),
        scaled=chunk.counts / chunk.size_factors * (1.0 if chunk.weights is None else chunk.weights),
        place=chunk["place"],
        odd=chunk["place"] % 2 == 1,
        code=chunk["place"].astype(np.uint8),
        unit=unit,
    )


@pytest.fixture(params=[1, 3])
def engine(request, monkeypatch):
    monkeypatch.setattr(chunks, "FIRST_CHUNK_SIZE", 1)
    monkeypatch.setattr(chunks, "MIN_GENES", 4)
    return Engine(n_threads=request.param, chunk_size=5)


@pytest.mark.parametrize("by_gene", [False, True])
def test_records_are_joined_field_by_field_and_other_genes_are_missing(engine, by_gene):
    size_factors = np.random.default_rng(1).uniform(0.5, 2.0, (200, 3) if by_gene else (1, 3))
    weights = np.random.default_rng(2).uniform(size=(200, 3)) if by_gene else None
    genes = Genes(InMemory(COUNTS), size_factors, weights, {"place": np.arange(200)})
    found = over_genes(task, genes.where(FITTED), unit="counts", engine=engine)
    assert (found.unit, found.nothing) == ("counts", None)
    np.testing.assert_array_equal(found.total, np.where(FITTED, COUNTS.sum(axis=1), np.nan))
    scaled = COUNTS / size_factors * (1.0 if weights is None else weights)
    np.testing.assert_array_equal(found.scaled, np.where(FITTED[:, None], scaled, np.nan))
    np.testing.assert_array_equal(found.place, np.where(FITTED, np.arange(200), -1))
    np.testing.assert_array_equal(found.odd, FITTED & (np.arange(200) % 2 == 1))
    np.testing.assert_array_equal(found.code, np.where(FITTED, np.arange(200), 0))
    assert [each.dtype.kind for each in (found.total, found.place, found.odd, found.code)] == ["f", "i", "b", "u"]


def means(chunk):
    return chunk["beta"] * chunk.size_factors


def test_a_task_may_do_without_counts(engine):
    genes = Genes(None, np.array([[1.0, 2.0]]), by_gene={"beta": np.arange(30.0)[:, None]})
    np.testing.assert_array_equal(over_genes(means, genes, engine=engine), np.arange(30.0)[:, None] * [1.0, 2.0])


@pytest.mark.parametrize("rows", [np.zeros(200, dtype=bool), FITTED])
def test_genes_alone_have_what_they_have_among_all(engine, rows):
    genes = Genes(InMemory(COUNTS), np.ones((1, 3)), by_gene={"place": np.arange(200)})
    alone = over_genes(task, genes.part(np.flatnonzero(rows)), unit="", engine=engine)
    np.testing.assert_array_equal(alone.total, COUNTS.sum(axis=1)[rows])
    np.testing.assert_array_equal(alone.place, np.flatnonzero(rows))


def test_no_gene_at_all_gives_missing_values_of_the_types_of_the_record(engine):
    genes = Genes(InMemory(COUNTS), np.ones((1, 3)), by_gene={"place": np.arange(200)})
    found = over_genes(task, genes.where(np.zeros(200, dtype=bool)), unit="", engine=engine)
    assert np.isnan(found.total).all()
    assert np.isnan(found.scaled).all()
    assert found.scaled.shape == (200, 3)
    assert not found.odd.any()
