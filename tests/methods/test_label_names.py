from dataclasses import replace

import numpy as np
import pytest

from supertune.errors import InputError
from supertune.methods.label_names import METHOD


def test_the_names_alone_tell_news_apart_far_better_than_chance(draw, lens, problem_of):
    train, test = draw(0, test_rows=50)
    names = METHOD.fit(problem_of(train, lens), METHOD.options())
    right = names.logits(test.inputs, lens).argmax(axis=1) == test.targets
    assert right.mean() > 0.5  # chance is 0.2
    assert names.tuned_parameters == 0


def test_the_labelled_rows_do_not_matter(news, lens, problem_of):
    few = METHOD.fit(problem_of(news.take([0]), lens), METHOD.options())
    all_rows = METHOD.fit(problem_of(news, lens), METHOD.options())
    np.testing.assert_array_equal(few.vectors, all_rows.vectors)


def test_logits_are_cosines_times_the_temperature(news, lens, problem_of):
    problem = problem_of(news, lens)
    own = list(news.labels)
    for temperature in (1.0, 20.0):
        names = METHOD.fit(problem, METHOD.options(temperature=temperature))
        logits = names.logits(own, lens)
        np.testing.assert_allclose(np.diag(logits), temperature, rtol=1e-5)
        assert (logits.argmax(axis=1) == np.arange(5)).all()


def test_an_underscore_in_a_name_is_read_as_a_space(news, lens, problem_of):
    options = METHOD.options()
    spaced = replace(news, labels=("world sport", "b", "c", "d", "e"))
    joined = replace(news, labels=("world_sport", "b", "c", "d", "e"))
    np.testing.assert_array_equal(
        METHOD.fit(problem_of(spaced, lens), options).vectors,
        METHOD.fit(problem_of(joined, lens), options).vectors,
    )


def test_a_phrase_without_the_label_is_refused(news, lens, problem_of):
    with pytest.raises(InputError) as caught:
        METHOD.fit(problem_of(news, lens), METHOD.options(phrase="about news"))
    assert caught.value.code == "phrase_hides_label"


def test_it_comes_back_from_its_state(news, lens, problem_of):
    problem = problem_of(news, lens)
    names = METHOD.fit(problem, METHOD.options(phrase="news about {label}"))
    again = METHOD.restore(names.state(), problem.head, lens)
    texts = news.inputs[:4]
    np.testing.assert_array_equal(names.logits(texts, lens), again.logits(texts, lens))
