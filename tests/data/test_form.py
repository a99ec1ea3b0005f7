import numpy as np

from supertune.data import form

NEWS = "shr 34 cts vs 1.19 dlrs\n    net 807 vs 2,858"
REVIEW = "A gorgeous, witty, seductive movie!"


def test_texts_that_are_written_otherwise_have_other_numbers():
    found = form.measured([NEWS, REVIEW, REVIEW])
    assert found.shape == (3, form.COLUMNS)
    assert np.array_equal(found[1], found[2])
    assert not np.allclose(found[0], found[1])


def test_a_share_is_of_the_characters_read():
    found = form.measured(["aaaa", "a.a."])
    place = form.KINDS.index(".")
    assert found[:, place].tolist() == [0.0, np.sqrt(0.5)]
    long = "." * form.READ
    assert np.array_equal(form.measured([long]), form.measured([long + "words behind it"]))


def test_empty_texts_pairs_and_no_texts_are_read():
    assert np.isfinite(form.measured(["", " ", ("one", "two")])).all()
    assert form.measured([]).shape == (0, form.COLUMNS)
