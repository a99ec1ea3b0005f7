"""Which candidates there are for some rows, what each is expected to take, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from supertune import limits, registry
from supertune.choose import prior
from supertune.choose.entries import Entry
from supertune.config import Recipe, method_options
from supertune.contracts import Examples, GradientMethod, Leaning, Method, Offer, misfit
from supertune.data.language import speaks
from supertune.errors import EnvironmentFault, InputError, SupertuneError
from supertune.pipeline import Candidate, Workshop, check
from supertune.training import estimate
from supertune.training.speed import Speed, speed_by

TEACHING = 1.3e-5  # seconds a fold, class and unlabelled row
SOLVING = 0.3  # seconds for all folds of a closed form on features that have been read
NOT_TRIED = "not among those that `auto` tries; name it with --method"


def candidates(workshop: Workshop, examples: Examples, *, fetch: bool = True) -> list[Entry]:
    """What could be fitted, from cheap to dear; what cannot be says why.

    Raises:
        InputError: when a method and a backbone that were asked for by name do not fit;
            ``hints_unsupported``, ``domain_text_unsupported``.
    """
    recipe, rows = workshop.recipe, examples.modality
    if rows == "numbers" and recipe.backbone not in ("auto", "none"):
        raise _no_backbone_reads(recipe.backbone, examples)
    entries: list[Entry] = []
    offers, reasons = _offers(workshop, examples, fetch)
    if offers or not reasons:
        _refuse_hints(recipe, offers)
    costs = _Costs(workshop, examples)
    for method in _methods(workshop, rows):
        named = registry.method(method)
        if not named.needs or rows == "numbers":
            if recipe.backbone not in ("auto", "none"):
                if recipe.method != "auto":
                    check(workshop, Candidate(recipe.backbone, method), rows, fetch=fetch)
                continue
            if recipe.method == "auto" and misfit(named, workshop.task.objective, None, rows):
                continue
            check(workshop, Candidate(None, method), rows)
            entries.append(costs.entry(Candidate(None, method), None))
            continue
        for place, (name, offer) in enumerate(offers.items()):
            if recipe.method == "auto" and misfit(named, workshop.task.objective, offer, rows):
                continue
            candidate = Candidate(name, method)
            check(workshop, candidate, rows, fetch=fetch)
            entries.append(costs.entry(candidate, offer, place))
    if entries:
        _lean(workshop, examples, entries)
        entries.sort(key=lambda e: (e.trained, -e.gain, e.place, e.simplicity))
        _count_encoding_once(entries)
        return entries
    if reasons:
        raise reasons[0]
    raise InputError(
        "nothing_fits",
        f"No method fits backbone '{recipe.backbone}' and method '{recipe.method}'.",
        received=f"backbone {recipe.backbone}, method {recipe.method}",
        allowed=", ".join(m for m in registry.names("methods")),
        next="Leave one of them at 'auto'.",
    )


def _lean(workshop: Workshop, examples: Examples, entries: list[Entry]) -> None:
    """Note what some candidates do that the rows cannot judge."""
    judge = workshop.objective
    favoured, said = judge.leaning(examples) if isinstance(judge, Leaning) else (frozenset(), "")
    for entry in entries:
        entry.favoured = said if entry.candidate.method in favoured else ""


def _offers(
    workshop: Workshop, examples: Examples, fetch: bool
) -> tuple[dict[str, Offer], list[SupertuneError]]:
    """What the backbones to be tried can do, and why others cannot be had."""
    offers: dict[str, Offer] = {}
    reasons: list[SupertuneError] = []
    for name in backbones(workshop.recipe, examples):
        try:
            offers[name] = workshop.offer(name, fetch=fetch)
        except EnvironmentFault as error:
            if workshop.recipe.backbone != "auto":
                raise
            reasons.append(error)
    return offers, reasons


def _no_backbone_reads(backbone: str, examples: Examples) -> InputError:
    return InputError(
        "numbers_take_no_backbone",
        f"{backbone} reads texts, and these rows are columns of numbers.",
        received=f"backbone {backbone}; numbers in {', '.join(examples.columns[:12])}",
        allowed="auto or none",
        next="Leave --backbone out, or name a text with --text NAME.",
    )


def _refuse_hints(recipe: Recipe, offers: Mapping[str, Offer]) -> None:
    """What is told of words is refused where nothing would listen to it."""
    deaf = [name for name, offer in offers.items() if "hints" not in offer.capabilities]
    asked = {"hints": recipe.hints, "domain_text": recipe.domain_text}
    for key, given in asked.items():
        if not given or (offers and not deaf):
            continue
        option = {"hints": "--hint", "domain_text": "--domain-text"}[key]
        raise InputError(
            f"{key}_unsupported",
            f"{deaf[0] if deaf else 'What takes no backbone'} has no use for {option}.",
            received=f"{option} {given[0][:60]}",
            allowed="what writes down speech with a decoder, such as whisper-base",
            next=f"Leave {option} out, or choose another --backbone.",
        )


def _count_encoding_once(entries: list[Entry]) -> None:
    """What is solved on features that an earlier candidate has read takes no reading."""
    read: set[str] = set()
    for entry in entries:
        name = entry.candidate.backbone
        if name is None or entry.trained:
            continue
        if name in read:
            least = min(entry.predicted_seconds, SOLVING + entry.own)
            entry.spared = entry.predicted_seconds - least
            entry.predicted_seconds = least
        read.add(name)


def expected_seconds(
    workshop: Workshop,
    entries: list[Entry],
    examples: Examples,
    test: Examples | None,
    *,
    fetch: bool = True,
    kept: Sequence[tuple[Examples, float]] = (),
) -> float:
    """What the candidates and the rows to judge by are expected to take together, at most the
    time limit for several candidates; ``fetch`` as in `Workshop.offer`.

    Args:
        kept: more rows that are judged before and after, which the time limit does not know, and
            how much dearer than others they are.
    """
    loads = any(registry.method(entry.candidate.method).needs for entry in entries)
    once = len(entries) == 1 and test is not None and fitted_once(workshop, entries[0])
    share = 1 / (workshop.recipe.folds * estimate.LEARNING + 1)
    total = sum(e.predicted_seconds * (e.final_share or share if once else 1.0) for e in entries)
    total += estimate.LOADING if loads else 0.0
    total += judging_seconds(workshop, examples, test, fetch=fetch) if loads else 0.0
    total = min(total, workshop.recipe.time_limit) if len(entries) > 1 else total
    return total + sum(
        dearer * judging_seconds(workshop, examples, rows, fetch=fetch) for rows, dearer in kept
    )


def fitted_once(workshop: Workshop, entry: Entry) -> bool:
    """Whether the only candidate is fitted without folds where other rows judge: its folds would be
    dear, or would judge and nothing else. A promise about errors asks for them in any case."""
    folds_judge = bool(getattr(workshop.objective, "folds_judge_alone", False))
    dear = entry.trained or getattr(registry.method(entry.candidate.method), "paid", False)
    return (dear or folds_judge) and workshop.recipe.max_error is None


def judging_seconds(
    workshop: Workshop, examples: Examples, test: Examples | None, *, fetch: bool = True
) -> float:
    """What the model and what costs nothing take to answer the test rows, by the dearest backbone:
    one reading of them, unless the method's keys say more (``judged``)."""
    if test is None:
        return 0.0
    recipe = workshop.recipe
    offers = [workshop.offer(name, fetch=fetch) for name in backbones(recipe, examples)]
    if not offers:
        return 0.0
    known = speed_by(recipe, *offers)
    names = _methods(workshop, examples.modality)
    judged: list[float] = [getattr(method_options(recipe, one), "judged", 1.0) for one in names]
    own = [getattr(registry.method(one), "answering_seconds", 0.0) for one in names]
    return max(own, default=0.0) * len(test) + max(judged, default=1.0) * max(
        estimate.reading_seconds(test.inputs, offer, recipe.max_length, known) for offer in offers
    )


def _methods(workshop: Workshop, rows: str) -> list[str]:
    if workshop.recipe.method != "auto":
        return [registry.method(workshop.recipe.method).name]
    return [*taking_unlabelled(workshop), *workshop.objective.tried(rows)]


def taking_unlabelled(workshop: Workshop) -> list[str]:
    """Methods that learn from rows without an answer too: the one asked for, if it does, or those
    that `auto` tries where there are such rows."""
    asked, objective = workshop.recipe.method, workshop.task.objective
    if asked == "auto" and not workshop.unlabelled:
        return []
    return [
        method.name
        for method in registry.methods()
        if getattr(method, "takes_unlabelled", False)
        and asked in ("auto", method.name)
        and objective in method.objectives
    ]


def backbones(recipe: Recipe, examples: Examples) -> list[str]:
    """Names of the backbones that would be tried."""
    if recipe.backbone == "none":
        return []
    if recipe.backbone != "auto":
        return [recipe.backbone]
    if recipe.method != "auto" and not registry.method(recipe.method).needs:
        return []
    judge = registry.objective(registry.task(recipe.task).objective)
    own: tuple[str, ...] | Callable[[Examples], tuple[str, ...]] = getattr(judge, "backbones", ())
    own = own(examples) if callable(own) else own
    return list(own or registry.modality(examples.modality).backbones(examples.inputs))


def too_large(entry: Entry, most: int) -> str:
    """Why memory is too small for a candidate, in words."""
    return (
        f"needs about {entry.memory_bytes / 1e9:.1f} GB of memory, and this process may hold "
        f"{most / 1e9:.1f} GB"
    )


class _Costs:
    """What candidates on the same rows are expected to take."""

    def __init__(self, workshop: Workshop, examples: Examples) -> None:
        self.recipe, self.unlabelled = workshop.recipe, workshop.unlabelled
        self.known, self._inputs = prior.facts(examples, workshop.recipe), examples.inputs
        self._rows = registry.modality(examples.modality)
        self._counted: dict[Offer | None, tuple[int, ...]] = {None: self.known.lengths}

    def entry(self, candidate: Candidate, offer: Offer | None, place: int = -1) -> Entry:
        recipe, known = self.recipe, self.known
        method = registry.method(candidate.method)
        options = method_options(recipe, candidate.method)
        trained = isinstance(method, GradientMethod)
        folds = recipe.folds * (1 if trained else recipe.repeats)
        lengths, asked = self._lengths(offer), candidate.method == recipe.method
        most, longest = limits.most_of(recipe.memory_limit), max(lengths, default=0)
        needed = estimate.memory_bytes(method, options, offer, len(lengths), longest, most)
        classes = max(2, known.classes)
        seconds = estimate.fit_seconds(
            method, options, offer, lengths, folds, self.speed(offer), classes
        )
        own = self._unlabelled_seconds(method, offer, folds)
        learning = getattr(method, "learning_seconds", None)
        if learning is not None:  # folds, the model that is judged, and the one that is kept
            own += (folds + 2) * learning(options, self._inputs)
        return Entry(
            candidate,
            seconds + own,
            needed,
            estimate.disk_bytes(method, options, offer, len(lengths), sum(lengths)),
            final_share=1 / (folds * estimate.LEARNING + 1) if trained else 0.0,
            unwise="" if asked else prior.unwise(candidate.method, known),
            gain=prior.gain(method, offer) if trained else 0.0,
            place=place,
            own=own,
            folds=folds if trained else 0,
        )

    def _lengths(self, offer: Offer | None) -> tuple[int, ...]:
        """Counted once a backbone, whatever the number of methods."""
        if offer not in self._counted:
            most = self.recipe.max_length
            self._counted[offer] = self._rows.lengths(self._inputs, offer, most)
        return self._counted[offer]

    def _unlabelled_seconds(self, method: Method, offer: Offer | None, folds: int) -> float:
        """Reading the rows without an answer, and learning from them in each fold."""
        speed = self.speed(offer)
        if not getattr(method, "takes_unlabelled", False) or offer is None or speed is None:
            return 0.0
        read = estimate.reading_seconds(self.unlabelled, offer, self.recipe.max_length, speed)
        learning = TEACHING * len(self.unlabelled) * max(1, self.known.classes) * (folds + 1)
        return read + learning

    def speed(self, offer: Offer | None) -> Speed | None:
        """Of this machine; probed when the first backbone comes."""
        return None if offer is None else speed_by(self.recipe, offer)


def language_notes(
    workshop: Workshop, examples: Examples, *, fetch: bool = True
) -> list[tuple[str, str]]:
    """A warning where a backbone asked for does not know the language of the rows."""
    names = backbones(workshop.recipe, examples)
    language = registry.modality(examples.modality).language(examples.inputs)
    for name in names:
        try:
            offer = workshop.offer(name, fetch=fetch)
        except EnvironmentFault:
            continue
        if not speaks(offer.languages, language):
            message = (
                f"The rows look like '{language}', but {name} was trained on "
                f"{', '.join(offer.languages)}. Try --backbone e5-small."
            )
            return [("language_mismatch", message)]
    return []
