"""What a backbone offers and owes, and what is put into it to be tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy.typing as npt

from supertune.contracts.data import FloatArray, Input
from supertune.contracts.remote import Terms

Capability = Literal[
    "backbone",  # it is one, for what asks nothing more than its objective does
    "features",  # one vector per input
    "names",  # labels' names have vectors too, to be compared with those of inputs
    "text_tower",  # and are read by a tower of their own, as it was pretrained to compare them
    "tokens",  # inputs are tokens of a vocabulary
    "layers",  # all layers can be read in one pass
    "blocks",  # activations can be taken and resumed between numbered blocks
    "linears",  # its blocks are made of linear layers
    "biases",  # its linear layers have biases
    "past_keys",  # every block takes keys and values from before the text
    "block_prompts",  # vectors can stand before the text at any block
    "decoder_prompts",  # and beside what a decoder reads of its encoder
    "mask_logits",
    "next_token_logits",
    "score_text",  # how likely words are as the answer to a prompt, whichever of the two gives it
    "sequence_loss",
    "generate",
    "detect",  # it says where things are on a picture, and what they are
    "denoise",  # it draws pictures of a text, by taking noise away
    "stylize",  # it paints a picture again in a style
    "transcribe",  # it writes down speech
    "hints",  # and prefers names and terms that it is told of
    "translate",  # it puts texts into another language
    "aligned",  # and where it looks was taught to be the word that it translates
    "synthesise",  # it speaks texts
    "torch",  # parameters can be tuned in this process
    "remote",  # inputs leave this machine
    "fine_tuning",  # a job elsewhere tunes it: see `supertune.contracts.FineTuning`
]

# "cls_mean": both, side by side; "projected": as the backbone compares it with texts; "max": the
# largest of each number; "decoder": where a decoder is about to write.
Pooling = Literal["mean", "cls", "last", "cls_mean", "projected", "max", "decoder"]
ResizeMode = Literal["stretch", "pad", "crop"]  # how a picture becomes a square


@dataclass(frozen=True)
class BackboneRef:
    """A backbone by name and where its files are. ``folder`` is None until it is fetched;
    ``terms`` are those under which one at a server may be asked."""

    name: str
    engine: str
    folder: Path | None = None
    terms: Terms | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Offer:
    """What a backbone can do, read from its configuration and header; no weight is read.

    Its blocks have the numbers 0 to depth - 1; those of a decoder on top of an encoder follow.
    """

    capabilities: frozenset[str]
    family: Literal["encoder", "masked", "causal", "seq2seq"]
    architecture: str
    width: int
    depth: int
    parameters: int
    max_length: int
    pooling: Pooling
    prefix: str = ""
    normalize: bool = False
    languages: tuple[str, ...] = ()  # ISO codes; ("*",) means many; empty means unknown
    chat: bool = False  # it brings a chat template
    decoder_depth: int = 0  # blocks of a decoder that answers prompts, on top of an encoder
    modality: str = "text"  # of what it reads: see `Examples.modality`
    resolution: int = 0  # pixels a side of the pictures that it reads by default
    layer: int | None = None  # how many blocks are read by default; None: all of them
    views: int = 1  # how often a row passes through it in an epoch, each time otherwise
    positions: int = 0  # that it computes of each row at least, where there is such a number
    resize_mode: ResizeMode | None = None  # of pictures, by default; None: as its processor does
    # What its engine tunes by steps of its own (`Stepping`): kinds and criteria of injections,
    # objectives.
    tunes: frozenset[str] = frozenset()

    def at(self, resolution: int | None) -> Offer:
        """The same, where pictures of so many pixels a side are read: positions are of their
        area. None leaves it as it is."""
        if not resolution or not self.resolution:
            return self
        grown = self.positions * (resolution / self.resolution) ** 2
        positions = max(1, round(grown)) if self.positions else 0
        return replace(self, resolution=resolution, positions=positions)


@dataclass(frozen=True)
class Prompt:
    """A text around an input, and the words that stand for the labels.

    Attributes:
        template: text with ``{text}`` (of several fields ``{text1}``, ``{text2}`` ...) and one
            ``{answer}``. What follows the answer is read by masked models only.
        words: for each of C labels its words, one or several, e.g. ``(("good",), ("bad",))``.
            A space before ``{answer}`` belongs to the word.
        shown: text in front of every row, ending where the template begins: an instruction,
            answered examples. It is never cut.
        chat: the backbone's own chat template is put around everything before the answer.
        rule: how a word of several tokens is scored: the ``"mean"`` of its tokens' log-likelihoods
            (length-normalised) or their ``"sum"``.
    """

    template: str
    words: tuple[tuple[str, ...], ...]
    shown: str = ""
    chat: bool = False
    rule: Literal["mean", "sum"] = "mean"

    @property
    def all_words(self) -> tuple[str, ...]:
        """The W words, label after label: the columns of `Backbone.scores`."""
        return tuple(word for words in self.words for word in words)

    def as_dict(self) -> dict[str, Any]:
        return {
            "template": self.template,
            "words": [list(words) for words in self.words],
            "shown": self.shown,
            "chat": self.chat,
            "rule": self.rule,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Prompt:
        return cls(**{**values, "words": tuple(tuple(words) for words in values["words"])})


# Of an `Encoding`, what the frozen parts do not depend on, or see in the tokens themselves.
_OF_OTHER_PARTS = frozenset(
    {"language", "hints", "domain_text", "source_language", "target_language"}
)


@dataclass(frozen=True, repr=False)
class Encoding:
    """How inputs become vectors; part of every cache key (`repr`). With a ``prompt`` the text
    alone is cut, and a vector is what the model has at the answer slot. Without ``reuse`` training
    starts at the input, and every position of every block is computed: the same but for rounding.

    Of pictures, ``resolution`` is the number of pixels a side that they are read at, and ``layer``
    the number of blocks that are run before vectors are read, 1 to the backbone's depth.
    ``resize_mode`` says how one that is not a square becomes one: both sides scaled to it
    (``"stretch"``), the longer one and the rest filled with the mean colour, as is what shows
    through (``"pad"``), or the shorter one and the middle taken (``"crop"``). None: as the
    backbone's offer says.
    """

    max_length: int = 256
    long_text: Literal["truncate", "head_tail", "chunk"] = "truncate"
    pooling: Pooling | None = None
    prefix: str | None = None
    prompt: Prompt | None = None
    reuse: bool = True
    resolution: int | None = None
    layer: int | None = None
    resize_mode: ResizeMode | None = None
    language: str | None = None  # that is spoken; frozen parts do not depend on it
    hints: tuple[str, ...] = ()  # names and terms that may be said; nor on these
    domain_text: tuple[str, ...] = ()  # texts of the field; nor on these
    source_language: str | None = None  # that is translated from; tokens say it where it matters
    target_language: str | None = None
    checkpoint: str | None = None  # of the backbone's at a server; None: the one it is named by

    def __repr__(self) -> str:
        """Without what is seldom set, so that no other text's key depends on it."""
        later = {"resolution", "layer", "resize_mode", "checkpoint"}
        held = [(field.name, getattr(self, field.name)) for field in fields(self)]
        held = [(name, value) for name, value in held if name not in _OF_OTHER_PARTS]
        said = (f"{k}={v!r}" for k, v in held if k not in later or v is not None)
        return f"Encoding({', '.join(said)})"


@dataclass(frozen=True)
class Injection:
    """What a gradient method tunes and by which loss; the engine carries it out.

    Attributes:
        kind: ``"unfreeze"`` (the weights themselves), ``"adapter"``, ``"deep_prompts"``, or any
            PEFT type such as ``"LORA"``.
        blocks: the numbered blocks touched, lowest first; the lowest is the cut below which
            activations are computed once and replayed. None: everything, from the input on;
            empty: none, so that all that is read of inputs is computed once.
        settings: the engine's arguments for that kind (rank, targets ...).
        criterion: ``"answer"``, the task's own loss through a readout; ``"names"``, the same
            through the labels' names as what is tuned makes them (`Naming`); or
            ``"contrastive"``: rows of one label drawn together, the readout solved afterwards.
    """

    kind: str
    blocks: tuple[int, ...] | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    criterion: Literal["answer", "names", "contrastive"] = "answer"


class Tunable(Protocol):
    """Tuned numbers and their place in a backbone.

    Inside ``with tunable:`` they are part of the model; afterwards the backbone is what it was,
    and ``kept`` holds them. ``cut`` is the lowest block touched.
    """

    cut: int
    from_input: bool  # nothing can be replayed: training starts at the input
    room: int  # positions of the backbone that are taken up by what is tuned

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: object) -> None: ...
    def parameters(self) -> list[Any]:
        """The engine's tensors to train; inside the ``with`` block only."""
        ...

    def named(self) -> dict[str, Any]:
        """The same tensors by name."""
        ...

    def pace(self, name: str) -> float:
        """What the learning rate of one of them is multiplied by: 1, or less where its numbers
        are so small that the same step would throw them far."""
        ...

    def run(
        self, batch: Any, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> Any:
        """Vectors (pieces, d) that carry gradients, or with ``words`` what `Backbone.scores`
        gives (inputs, W); ``hidden`` enters the cut."""
        ...

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """Dropout of what was put in, on or off; in the backbone's own layers from the cut on
        ``dropout`` while on."""
        ...

    @property
    def joins(self) -> str | None:
        """Those of one name may be in the model together (`Joining`); None: it goes in alone."""
        ...

    @property
    def tuned_parameters(self) -> int: ...
    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]: ...
    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Numbers to put in at the next entry."""
        ...

    def config(self) -> dict[str, Any] | None:
        """The adapter's own configuration in PEFT's format, where PEFT made it."""
        ...


class Joined(Protocol):
    """Several tunables in the model at once, each input going through one of them.

    A context manager as a `Tunable` is one. The frozen part is computed once a batch, whichever
    tunables its rows go through.
    """

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: object) -> None: ...
    def vectors(
        self,
        tokens: Sequence[Any],
        which: Sequence[int],
        encoding: Encoding,
        *,
        words: bool = False,
    ) -> FloatArray:
        """(n, d) of `Backbone.features` or with ``words`` (n, W) of `Backbone.scores`, of inputs
        that go through the tunables of these numbers; in batches for prediction."""
        ...


@dataclass(frozen=True)
class Part:
    """Where in the vector of all layers one layer's reading is: columns ``start`` to ``end``.

    ``layer`` counts the blocks that were run, 1 to the backbone's depth.
    """

    layer: int
    pooling: Pooling
    start: int
    end: int


class Layered(Protocol):
    """Reads all layers of a backbone in one pass."""

    def parts(self) -> tuple[Part, ...]:
        """What `readings` has in which columns, lowest layer first."""
        ...

    def readings(self, tokens: Sequence[Any], *, exact: bool = True) -> FloatArray:
        """(n, D) float32 pooled vectors of all layers, side by side."""
        ...

    def picked(self, readings: FloatArray, encoding: Encoding) -> FloatArray:
        """What `Backbone.features` gives under ``encoding``, (n, d) of (n, D), to the bit."""
        ...


class Naming(Protocol):
    """The part of a backbone that reads labels' names into the space of its features.

    Attributes:
        phrase: what a name is put into where nobody says anything else.
        scale, bias: what makes a logit of a cosine similarity, as it was pretrained.
    """

    phrase: str
    scale: float
    bias: float

    def check(self, encoding: Encoding) -> None:
        """Refuse, with an `InputError`, features that names cannot be compared with."""
        ...

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """(n, d) float32 of length 1; the bits of one do not depend on the others."""
        ...


def naming_of(backbone: Backbone) -> Naming | None:
    """What reads labels' names for a backbone, its attribute ``naming``; None where it reads
    them as any other input."""
    found: Naming | None = getattr(backbone, "naming", None)
    return found


@runtime_checkable
class Joining(Protocol):
    """A backbone that can hold several tunables at once."""

    def join(self, tunables: Sequence[Tunable]) -> Joined:
        """Tunables of one ``joins``, which is not None."""
        ...


class Backbone(Protocol):
    """A loaded pretrained model. Its own weights never change (``sha256`` stays true). One that
    keeps what it answered by itself says so with an attribute ``keeps = True``."""

    ref: BackboneRef
    offer: Offer
    sha256: str
    precision: Literal["fp32", "bf16"]  # of its matrix products

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Token ids of each input, cut to length; nothing is padded yet."""
        ...

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) float32, one pooled vector an input. ``exact``: a row's bits do not depend
        on the other rows; otherwise batches waste as little padding as they can."""
        ...

    def scores(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, W) float32: log-likelihood of each word of ``encoding.prompt`` as the answer."""
        ...

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """What enters block ``cut`` for each piece of tokens: (its tokens, d) float32. For any
        block of a decoder on top of an encoder it is the encoder's output.

        With ``dropout`` below the cut; ``draw`` says which of many, and with the piece alone
        decides what is dropped."""
        ...

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        """Inside, runs for features and scores also leave what enters block ``cut``, by what
        the frozen part sees of each piece: the same bits as `activations` gives."""
        ...

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        """Numbers to tune, begun by ``seed``, or ``numbers`` that were tuned before: their names
        and shapes are checked now, not when they are first put in."""
        ...

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        """Inside, computed in that precision whatever its own is."""
        ...


class Engine(Protocol):
    """One file in ``backbones/``: how backbones of one framework are inspected and opened.

    One whose backbones are folders of files, which the catalogue may fetch, says so with an
    attribute ``folders = True``. One that opens a path without being named has the types of model
    in an attribute ``model_types``, as ``config.json`` calls them, or a method ``knows(path)``. One
    that is chosen by another word than its name has it in an attribute ``prefix``. One that keeps
    an account for each fit, so that its backbones are not shared by several, says so with
    ``metered = True``. One that cannot tell what it offers without asking somebody else, or before
    somebody names a file, has what it offers at most in an attribute ``typical``, for lists.
    """

    name: str
    summary: str
    modalities: tuple[str, ...]
    extra: str | None  # the pip extra it needs, if any

    def offers(self, ref: BackboneRef) -> Offer: ...
    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> Backbone:
        """Load it.

        Args:
            precision: ``"fp32"``, ``"bf16"``, or ``"auto"`` for the engine to choose.
            packing: whether rows of unequal length may share one long row.
        """
        ...


class Lens(Protocol):
    """A backbone as methods see it: through the activation cache, under one `Encoding`."""

    backbone: Backbone
    encoding: Encoding

    def under(self, encoding: Encoding) -> Lens:
        """The same backbone and cache under another encoding, such as another prompt."""
        ...

    def features(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        """(n, d) float32. While learning every distinct input is computed once and kept;
        with ``prediction`` nothing is kept and batches depend on the given inputs alone."""
        ...

    def scores(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        """(n, W) float32 of `Backbone.scores`, kept like features."""
        ...

    def names(self, texts: Sequence[str]) -> FloatArray:
        """(n, d) float32 vectors of labels' names in the space of features, of any length; of a
        backbone that offers ``"names"``."""
        ...

    @property
    def parts(self) -> tuple[Part, ...]:
        """What `readings` has in which columns."""
        ...

    def readings(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        """(n, D) float32 of `Layered.readings`, kept like features; of a backbone that offers
        ``"layers"``."""
        ...

    def read_through(self, inputs: Sequence[Input], cut: int) -> None:
        """Keep the vectors that a readout starts from, features or scores, and with them what
        enters block ``cut``, by one pass over the inputs whose vectors are not known yet."""
        ...

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """What enters block ``cut`` for each tokenised piece: (its tokens, d) float32."""
        ...
