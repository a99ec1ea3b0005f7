"""The one training loop: every method that is trained by gradients goes through here.

The readout (`readout`) starts at what the frozen backbone answers, everything below the lowest
tuned block is replayed from the cache (`batches`), and `descent` takes the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Contribution,
    Curve,
    Encoding,
    Finding,
    FloatArray,
    GradientMethod,
    HeadSpec,
    Injection,
    Input,
    Lens,
    Notes,
    Problem,
    Prompt,
    State,
    Tunable,
    naming_of,
    offered,
)
from supertune.errors import InputError
from supertune.methods._views import varied
from supertune.methods.linear_probe import Head
from supertune.methods.prompt_search import with_template_found
from supertune.prompts.likelihoods import parts
from supertune.training import descent, readout
from supertune.training.batches import Rows
from supertune.training.readout import Fixed
from supertune.training.units import Unit
from supertune.training.watch import Watch, Witness


@dataclass(eq=False)
class TunedBackbone:
    """A readout on a backbone with tuned numbers in it; see `supertune.contracts.Tuned`."""

    tunable: Tunable
    readout: Fixed
    prompt: Prompt | None
    losses: tuple[float, ...] = ()
    findings: tuple[Finding, ...] = ()  # what was noticed while training
    witness: Witness | None = None
    labels: tuple[str, ...] = ()  # of the rows it was trained on

    def notes(self) -> Notes:
        """The loss of each step, and the prompt if there is one."""
        steps = tuple((float(step), loss) for step, loss in enumerate(self.losses, start=1))
        asked = parts(self.prompt, self.labels) if self.prompt is not None and self.labels else ()
        return Notes((Curve("loss", "step", steps),) if steps else (), asked=asked)

    @property
    def tuned_parameters(self) -> int:
        return self.tunable.tuned_parameters + self.readout.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        backbone, encoding = lens.backbone, self.encoding(lens)
        with self.tunable:  # not through the lens, which shows the frozen backbone
            tokens = backbone.tokens(inputs, encoding)
            read = backbone.features if self.prompt is None else backbone.scores
            return self.readout.apply(read(tokens, encoding, exact=False))

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """See `supertune.contracts.Replaying`."""
        assert lens is not None
        data = Rows(inputs, self.tunable, lens.under(self.encoding(lens)))
        if data.hidden is None or not inputs:
            return self.logits(inputs, lens)
        with self.tunable:
            return self.readout.apply(data.values(self.tunable, words=self.prompt is not None))

    def ways(self, lens: Lens | None) -> tuple[str, ...]:
        """See `supertune.contracts.Explains`; what stands before a text is no token of it."""
        if lens is None or self.tunable.room or not isinstance(self.readout, Head):
            return ()
        return self.readout.ways(lens.under(self.encoding(lens)))

    def contributions(
        self, inputs: Sequence[Input], contrasts: FloatArray, lens: Lens | None, way: str
    ) -> list[Contribution]:
        assert lens is not None
        assert isinstance(self.readout, Head)
        with self.tunable:
            under = lens.under(self.encoding(lens))
            return self.readout.contributions(inputs, contrasts, under, way)

    def likeness(
        self, inputs: Sequence[Input], others: Sequence[Input], lens: Lens | None
    ) -> FloatArray:
        """See `supertune.contracts.Comparing`: of the tuned backbone's vectors."""
        assert lens is not None
        backbone, encoding = lens.backbone, self.encoding(lens)
        with self.tunable:
            found = [
                backbone.features(backbone.tokens(part, encoding), encoding, exact=False)
                for part in (inputs, others)
            ]
        ours, theirs = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in found)
        return np.asarray(ours @ theirs.T)

    def encoding(self, lens: Lens) -> Encoding:
        """How it reads inputs under ``lens``."""
        return fitting(replace(lens.encoding, prompt=self.prompt), self.tunable, lens)

    def state(self) -> State:
        arrays, config = self.readout.arrays(), self.tunable.config()
        settings = {} if self.prompt is None else {"prompt": self.prompt.as_dict()}
        if config is None:
            return State({**arrays, **self.tunable.kept}, settings)
        return State(arrays, settings, adapter=self.tunable.kept, adapter_config=config)


def train(method: GradientMethod, problem: Problem, options: Any) -> TunedBackbone:
    """Tune what ``method`` names on the rows of ``problem``; values by the squared error, in units
    of their standard deviation, which the finished head undoes.

    Raises:
        SupertuneError: ``loss_not_finite`` when training diverges, and whatever else in
            `supertune.training.codes` stops a run.
        InputError: ``values_all_same``, ``nothing_to_search``, ``no_views``.
    """
    import torch

    unit = Unit.of(problem.examples) if problem.head.valued else None
    problem = problem if unit is None else unit.standardised(problem)
    assert problem.lens is not None
    assert problem.examples.targets is not None
    backbone: Any = problem.lens.backbone
    injection = checked(method, problem.lens, options)
    wanted = options.readout if injection.criterion == "answer" else "head"
    if options.search_template:
        problem = _searched(problem, wanted)
    tunable = backbone.inject(_starting(injection, problem), seed=problem.seed)
    encoding = readout.encoding_for(problem, wanted)
    assert problem.lens is not None
    lens = problem.lens.under(fitting(encoding, tunable, problem.lens))
    _check_read(injection, lens)
    data = Rows(
        problem.examples.inputs,
        tunable,
        lens,
        dropout=options.dropout,
        draws=_draws(options, lens.encoding),
        views=varied(problem, options.views),
    )
    if injection.criterion == "names":
        trained: readout.Trained = readout.TrainedNames(problem, lens, tunable, backbone.device)
    else:
        trained = readout.trained(problem, lens, backbone.device, start_of(options))
    watch = Watch(problem, lens, injection, options)
    with torch.random.fork_rng(devices=[]), tunable:
        watch.begin(tunable, trained, data)
        losses = descent.descend(tunable, trained, data, problem, options, injection, watch)
        fixed: Fixed = trained.fixed()
        if injection.criterion == "contrastive":
            fixed = readout.solved(problem, _tuned_features(problem, tunable, data, lens))
        fixed = fixed if unit is None else unit.head(fixed)
        witness = watch.end(losses, fixed)
    watch.left()
    if unit is not None:
        witness = replace(witness, examples=unit.restored(witness.examples))
    return TunedBackbone(
        tunable,
        fixed,
        lens.encoding.prompt,
        tuple(losses),
        tuple(watch.findings),
        witness,
        problem.examples.labels,
    )


def restore(
    method: GradientMethod, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedBackbone:
    """The inverse of `TunedBackbone.state`."""
    assert lens is not None
    asked = state.settings.get("prompt")
    prompt = None if asked is None else Prompt.from_dict(asked)
    fixed = readout.restored(state.arrays, prompt)
    own = {name: a for name, a in state.arrays.items() if name not in fixed.arrays()}
    injection = checked(method, lens, options)
    tunable = lens.backbone.inject(injection, seed=0, numbers=state.adapter or own)
    return TunedBackbone(tunable, fixed, prompt)


def start_of(options: Any) -> str:
    """Where the head starts. One that is sure of its rows is too sure for smoothed labels, and
    moves the backbone far to become less so (docs/log.md: 32 points of accuracy)."""
    smoothed = options.label_smoothing and options.head_start == "solved"
    return "softened" if smoothed else str(options.head_start)


def _searched(problem: Problem, wanted: str) -> Problem:
    """The problem with the best of its templates first.

    Raises:
        InputError: ``nothing_to_search`` where the answers do not come from words.
    """
    if readout.encoding_for(problem, wanted).prompt is None:
        assert problem.lens is not None
        raise InputError(
            "nothing_to_search",
            "A template is searched where labels are asked for in words, and here a head answers.",
            received=f"search_template true on {problem.lens.backbone.ref.name}",
            allowed="a backbone with a language-model head, label words, and no readout=head",
            next="Leave search_template out, or choose a backbone such as smollm2.",
        )
    return with_template_found(problem)


def _draws(options: Any, encoding: Encoding) -> int:
    """How often dropout below the cut is drawn.

    Raises:
        InputError: ``augmentations_without_dropout``, ``augmentations_not_kept``.
    """
    if not options.cached_augmentations:
        return 0
    if not options.dropout:
        raise InputError(
            "augmentations_without_dropout",
            "Activations are augmented by dropout below the cut, and there is none.",
            received=f"cached_augmentations {options.cached_augmentations}, dropout 0",
            next="Set dropout too: --set dropout=0.1.",
        )
    if not encoding.reuse:
        raise InputError(
            "augmentations_not_kept",
            "Augmented activations are kept and replayed, and nothing is to be reused.",
            received=f"cached_augmentations {options.cached_augmentations}, reuse false",
            next="Leave one of the two out.",
        )
    return int(options.cached_augmentations)


def _tuned_features(problem: Problem, tunable: Tunable, data: Rows, lens: Lens) -> FloatArray:
    """(n, d) of the rows, with the tunable in the model."""
    if data.hidden is not None:
        return data.values(tunable, words=False)
    tokens = lens.backbone.tokens(problem.examples.inputs, lens.encoding)
    return lens.backbone.features(tokens, lens.encoding)


def _check_read(injection: Injection, lens: Lens) -> None:
    """Refuse to tune a decoder that nothing is read from.

    Raises:
        InputError: ``decoder_not_read``.
    """
    depth = lens.backbone.offer.depth
    if lens.encoding.prompt is None and any(i >= depth for i in injection.blocks or ()):
        raise InputError(
            "decoder_not_read",
            f"The head reads the encoder of {lens.backbone.ref.name}, and never its decoder.",
            received=f"blocks {list(injection.blocks or ())}, no prompt",
            allowed=f"blocks 0 to {depth - 1}, or the readout verbalizer",
            next="Ask in words: --set readout=verbalizer; or leave blocks out.",
        )


def fitting(encoding: Encoding, tunable: Tunable, lens: Lens) -> Encoding:
    """The encoding with the positions left free that what is tuned takes up."""
    if "tokens" not in offered(lens.backbone.offer):
        return encoding
    most = lens.backbone.offer.max_length - tunable.room
    return replace(encoding, max_length=min(encoding.max_length, most))


def _starting(injection: Injection, problem: Problem) -> Injection:
    """Prompts that start at the labels' words are told them, and a context the labels' names."""
    settings = injection.settings
    if injection.criterion == "names":
        return replace(injection, settings={**settings, "names": problem.examples.labels})
    if settings.get("init") != "labels" or settings.get("init_text") or problem.prompt is None:
        return injection
    words = " ".join(problem.prompt.all_words)
    return replace(injection, settings={**settings, "init_text": words})


def checked(method: GradientMethod, lens: Lens, options: Any) -> Injection:
    """What the method puts into this backbone.

    Raises:
        InputError: ``block_out_of_range``.
    """
    offer = lens.backbone.offer
    read = lens.encoding.layer or offer.layer or offer.depth  # what is above is not read
    injection = method.injection(replace(offer, depth=read), options)
    depth = lens.backbone.offer.depth + lens.backbone.offer.decoder_depth
    blocks = injection.blocks
    if injection.criterion == "names":  # it is in no block that reads pictures
        naming = naming_of(lens.backbone)
        assert naming is not None
        naming.check(lens.encoding)
        return injection
    if blocks is not None and not (blocks and all(0 <= block < depth for block in blocks)):
        raise InputError(
            "block_out_of_range",
            f"{lens.backbone.ref.name} has no such block.",
            received=str(list(blocks)),
            allowed=f"0 to {depth - 1}",
            next="Set blocks to numbers in that range, 'upper' or 'all'.",
        )
    return injection
