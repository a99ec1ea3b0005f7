"""scikit-learn's own checks, which pass numbers; no check is expected to fail."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from supertune.sklearn import FewShotClassifier


@parametrize_with_checks(
    [FewShotClassifier(), FewShotClassifier(method="auto", class_weight="balanced")]
)
def test_numbers_pass_scikit_learns_checks(estimator, check):
    check(estimator)


def test_the_check_that_needs_array_api_switched_on_passes_too(python):
    code = """
from sklearn.utils.estimator_checks import check_array_api_input
from supertune.sklearn import FewShotClassifier
check_array_api_input("FewShotClassifier", FewShotClassifier(), array_namespace="numpy",
    expect_only_array_outputs=False)
print("passed")
"""
    done = python(code, SCIPY_ARRAY_API="1")
    assert done.stdout.strip() == "passed", done.stderr
