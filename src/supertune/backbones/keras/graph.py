"""Where a model of Keras can be cut between numbered blocks: from its description, without it.

A block holds one attention. It begins at the last place before that where a single tensor that
comes of the words stands between what was computed and what is still to be: all that is below can
then be computed once. What comes of other inputs alone, such as a mask, is made again above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ATTENTION = ("MultiHeadAttention", "DotProductAttention")
WORDS = "input_ids"
# What a model that can be cut offers, and what of it Keras tunes; see `Offer.tunes`.
TUNED = frozenset({"features", "blocks", "linears", "biases"})
TUNES = frozenset({"unfreeze", "LORA", "adapter", "answer", "classify", "regress"})


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        entry: the layer whose output enters it.
        layers: those inside, in the order in which they are run.
        attention: the layer among these that attends.
    """

    entry: str
    layers: tuple[str, ...]
    attention: str


@dataclass(frozen=True)
class _Node:
    kind: str
    reads: tuple[str, ...]


def blocks(described: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks of a model, lowest first; none where it cannot be cut so.

    Args:
        described: config.json of a .keras file.
    """
    nodes = _nodes(described)
    main = _following(nodes, WORDS)
    attending = [name for name in main if nodes[name].kind in ATTENTION]
    cuts = _cuts(nodes, main)
    entries: list[str] = []
    for name in attending:
        before = [cut for cut in cuts if main.index(cut) < main.index(name)]
        if not before or before[-1] in entries:
            return ()
        entries.append(before[-1])
    starts = [main.index(entry) + 1 for entry in entries]
    ends = [*starts[1:], len(main)][: len(starts)]
    return tuple(
        Block(entry, tuple(main[start:end]), name)
        for entry, start, end, name in zip(entries, starts, ends, attending, strict=True)
    )


def _nodes(described: Mapping[str, Any]) -> dict[str, _Node]:
    """Layers in the order in which they can be run; none unless each is called once."""
    config = described.get("config", {})
    if described.get("class_name") != "Functional":
        return {}
    found: dict[str, _Node] = {}
    for layer in config.get("layers", ()):
        calls = layer.get("inbound_nodes", ())
        if len(calls) > 1:
            return {}
        reads = tuple(dict.fromkeys(name for call in calls for name in _read(call)))
        if not set(reads) <= set(found):
            return {}
        name = layer.get("name") or layer["config"]["name"]
        found[str(name)] = _Node(str(layer["class_name"]), reads)
    return found


def _read(value: Any) -> Sequence[str]:
    """Names of the layers whose outputs stand somewhere in the arguments of a call."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            return [str(value["config"]["keras_history"][0])]
        return [name for each in value.values() for name in _read(each)]
    if isinstance(value, list):
        return [name for each in value for name in _read(each)]
    return []


def _following(nodes: Mapping[str, _Node], first: str) -> list[str]:
    """The layers that depend on one."""
    found: list[str] = []
    for name, node in nodes.items():
        if name == first or set(node.reads) & set(found):
            found.append(name)
    return found


def _cuts(nodes: Mapping[str, _Node], main: Sequence[str]) -> list[str]:
    last = {read: name for name, node in nodes.items() for read in node.reads}
    cuts = []
    for place, name in enumerate(main):
        later = set(main[place + 1 :])
        open_ends = [one for one in main[: place + 1] if last.get(one) in later]
        if open_ends == [name]:
            cuts.append(name)
    return cuts
