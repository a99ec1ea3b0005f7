"""The works that a report's own sentences name, in full; nothing that it doesn't name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# (what a sentence must hold, the work); kept in the order of author and year
_WORKS: tuple[tuple[str, str], ...] = (
    (
        r"Agresti and Min\D{0,3}2005",
        "A. Agresti and Y. Min (2005). Simple improved confidence intervals for comparing matched "
        "proportions. Statistics in Medicine 24, 729–740.",
    ),
    (
        r"Angelopoulos.{0,60}2025",
        "A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan and L. Lei (2025). Learn then "
        "Test: calibrating predictive algorithms to achieve risk control. Annals of Applied "
        "Statistics 19, 1641–1662.",
    ),
    (
        r"Barber.{0,60}2021",
        "R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani (2021). Predictive inference "
        "with the jackknife+. Annals of Statistics 49, 486–507.",
    ),
    (
        r"Breiman.{0,24}1984|one standard error",
        "L. Breiman, J. H. Friedman, R. A. Olshen and C. J. Stone (1984). Classification and "
        "Regression Trees. Wadsworth. (The rule of one standard error.)",
    ),
    (
        r"Brier\D{0,3}1950",
        "G. W. Brier (1950). Verification of forecasts expressed in terms of probability. Monthly "
        "Weather Review 78, 1–3.",
    ),
    (
        r"Clopper and Pearson\D{0,3}1934",
        "C. J. Clopper and E. S. Pearson (1934). The use of confidence or fiducial limits "
        "illustrated in the case of the binomial. Biometrika 26, 404–413.",
    ),
    (
        r"Efron\D{0,3}1979",
        "B. Efron (1979). Bootstrap methods: another look at the jackknife. Annals of Statistics "
        "7, 1–26.",
    ),
    (
        r"Efron\D{0,3}1987",
        "B. Efron (1987). Better bootstrap confidence intervals. Journal of the American "
        "Statistical Association 82, 171–185.",
    ),
    (
        r"Geifman and El-Yaniv\D{0,3}2017",
        "Y. Geifman and R. El-Yaniv (2017). Selective classification for deep neural networks. "
        "Advances in Neural Information Processing Systems 30. arXiv:1705.08500.",
    ),
    (
        r"Guo.{0,24}2017",
        "C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of modern neural "
        "networks. International Conference on Machine Learning. arXiv:1706.04599.",
    ),
    (
        r"Kish\D{0,3}1965",
        "L. Kish (1965). Survey Sampling. Wiley.",
    ),
    (
        r"Nadeau and Bengio\D{0,3}2003",
        "C. Nadeau and Y. Bengio (2003). Inference for the generalization error. Machine Learning "
        "52, 239–281.",
    ),
    (
        r"Newcombe\D{0,3}1998",
        "R. G. Newcombe (1998). Interval estimation for the difference between independent "
        "proportions: comparison of eleven methods. Statistics in Medicine 17, 873–890.",
    ),
    (
        r"Northcutt.{0,24}2021|confident learning",
        "C. G. Northcutt, L. Jiang and I. L. Chuang (2021). Confident learning: estimating "
        "uncertainty in dataset labels. Journal of Artificial Intelligence Research 70, 1373–1411.",
    ),
    (
        r"Shao and Wu\D{0,3}1989",
        "J. Shao and C. F. J. Wu (1989). A general theory for jackknife variance estimation. "
        "Annals of Statistics 17, 1176–1197.",
    ),
    (
        r"Student\D{0,3}1908",
        "Student (1908). The probable error of a mean. Biometrika 6, 1–25.",
    ),
    (
        r"Tibshirani and Tibshirani\D{0,3}2009",
        "R. J. Tibshirani and R. Tibshirani (2009). A bias correction for the minimum error rate "
        "in cross-validation. Annals of Applied Statistics 3, 822–829.",
    ),
    (
        r"Tsamardinos.{0,12}2018",
        "I. Tsamardinos, E. Greasidou and G. Borboudakis (2018). Bootstrapping the out-of-sample "
        "predictions for efficient and accurate cross-validation. Machine Learning 107, 1895–1922.",
    ),
    (
        r"Tukey\D{0,3}1958",
        "J. W. Tukey (1958). Bias and confidence in not-quite large samples (abstract). Annals of "
        "Mathematical Statistics 29, 614.",
    ),
    (
        r"Wilson\D{0,3}1927",
        "E. B. Wilson (1927). Probable inference, the law of succession, and statistical "
        "inference. Journal of the American Statistical Association 22, 209–212.",
    ),
)
_OWN_WORDS = ("how", "why", "choice", "verdict", "text", "about")
_USER_DATA = frozenset({"rows", "data", "recipe", "commands", "versions", "confusion", "findings"})


def cited(report: Mapping[str, Any]) -> list[str]:
    """The works named anywhere in the report's own sentences, by author and year."""
    said = "\n".join(_sentences(report))
    return [work for pattern, work in _WORKS if re.search(pattern, said)]


def _sentences(value: object, key: str = "") -> Iterator[str]:
    """Strings that supertune wrote; what came from the person's rows is passed over."""
    if isinstance(value, str):
        if key in _OWN_WORDS:
            yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if not (key == "" and name in _USER_DATA):
                yield from _sentences(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _sentences(inner, key or "list")


_PLACES = {
    "estimate": "the cross-validated score",
    "test": "the score on the test file",
    "baselines": "the baselines",
    "verdict": "the difference from the baseline",
    "metrics": "the other metrics",
    "per_class": "the scores per class",
    "slices": "the scores by subgroup",
    "candidates": "the candidates",
}


def intervals(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Each way in which an interval was found, and the figures it stands behind."""
    found: dict[str, list[str]] = {}
    for key, place in _PLACES.items():
        for how in _hows(report.get(key)):
            places = found.setdefault(how, [])
            if place not in places:
                places.append(place)
    return list(found.items())


def _hows(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("how"), str):
            # one line for "131 test rows; ..." and "142 test rows; ...", which differ in rows only
            yield re.sub(r"^\d+ test rows; ", "", re.sub(r"^.* over \d+ rows; ", "", value["how"]))
        for inner in value.values():
            yield from _hows(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _hows(inner)
