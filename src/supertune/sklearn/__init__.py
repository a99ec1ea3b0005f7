"""A few labelled rows, the scikit-learn way.

    from supertune.sklearn import FewShotClassifier

    classifier = FewShotClassifier().fit(["arrived broken", "works well"], ["bad", "good"])
    classifier.predict(["broken again"])

It stands in a `Pipeline`, in `cross_val_score` and in `GridSearchCV` like any other classifier.
It writes no report and compares nothing unless told ``"auto"``; `supertune.fit` does both.
"""

from supertune.sklearn.classifier import FewShotClassifier

__all__ = ["FewShotClassifier"]
