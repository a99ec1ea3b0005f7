"""Items like another by what is said of them and by what they look like. Frozen backbones alone
read both: nothing is tuned, and nobody needs to have taken an item.

Shapes: I items, d numbers an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune.config import Recipe
from supertune.contracts import FloatArray, Input
from supertune.data.cells import as_label, is_empty, listed
from supertune.data.media_cells import Place
from supertune.data.pictures import cells
from supertune.errors import InputError
from supertune.pipeline import Workshop

TEXT_BACKBONE, PICTURE_BACKBONE = "minilm", "efficientnet-lite0"
BLOCK = 256  # items that are compared with all at a time


def similar_items(
    items: Sequence[Any],
    *,
    texts: Sequence[Any] | None = None,
    pictures: Sequence[Any] | None = None,
    of: str | Sequence[str] | None = None,
    top: int = 10,
    weight: float = 0.5,
    text_backbone: str = TEXT_BACKBONE,
    picture_backbone: str = PICTURE_BACKBONE,
    device: str = "auto",
    threads: int | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """The items nearest to each, by the text and the picture that each has.

    A text's and a picture's vector, each of length 1, are put beside one another: the score of two
    items that have both is (1 - weight) times the cosine of their texts plus weight times that of
    their pictures. An item that has one of the two is compared by that one. Vectors are kept in
    the cache, so that a second call computes none.

    Args:
        items: I ids, each once.
        texts: what is said of each; None or ``""`` where nothing is.
        pictures: a picture of each: a path, bytes, an image of Pillow or an array; None where
            there is none.
        of: the ids that are asked about; None: all.
        top: how many items are listed of each.
        weight: of pictures, from 0, texts alone, to 1.
        text_backbone, picture_backbone: any that give features of texts or of pictures.

    Returns:
        By id, the best first: ``rank``, ``item``, ``score``, and where there are both kinds
        ``text`` and ``picture``, the cosine by each alone, None where one of the two has none.

    Raises:
        InputError: ``no_items``, ``item_id_empty``, ``item_twice``, ``items_misfit``,
            ``nothing_said``, ``unknown_item``, ``bad_weight``, ``bad_top``, ``wrong_backbone``,
            and what is wrong with a picture.

    Example:
        >>> said = ["A red apple.", "A green apple.", "A hammer."]
        >>> supertune.similar_items(["a", "b", "c"], texts=said, of="a")["a"][0]["item"]
        'b'
    """
    ids = _ids(items)
    check_weight(weight)
    if top < 1:
        raise _bad("top", top, "1 or more")
    asked = _asked(ids, of)
    said, shown = _texts(ids, texts), _pictures(ids, pictures)
    _check_said(ids, said, shown)
    workshop = Workshop(Recipe(task="recommendation", device=device, threads=threads))
    parts = _views(workshop, text_backbone, said, picture_backbone, shown)
    whole = joined(parts, weight)
    return {
        ids[place]: near
        for start in range(0, len(asked), BLOCK)
        for place, near in _nearest(ids, whole, parts, asked[start : start + BLOCK], top)
    }


def check_weight(weight: float) -> None:
    """Refuse what is no share.

    Raises:
        InputError: ``bad_weight``.
    """
    if not 0 <= weight <= 1:
        raise _bad("weight", weight, "a number from 0 to 1")


def joined(parts: dict[str, FloatArray], weight: float) -> FloatArray:
    """(I, d) vectors of length 1 from those of ``text`` and ``picture``, of length 1 or 0 each."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    shares = {"text": 1 - weight, "picture": weight}
    beside = np.concatenate([np.sqrt(shares[name]) * part for name, part in parts.items()], axis=1)
    return _unit(beside)


def _nearest(
    ids: Sequence[str],
    whole: FloatArray,
    parts: dict[str, FloatArray],
    places: list[int],
    top: int,
) -> list[tuple[int, list[dict[str, Any]]]]:
    scores = np.asarray(whole[places] @ whole.T, dtype=np.float64)
    scores[np.arange(len(places)), places] = -np.inf  # no item is like itself
    count = min(top, len(ids) - 1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    found = []
    for row, place in enumerate(places):
        near = []
        for rank, other in enumerate(order[row].tolist()):
            one = {"rank": rank + 1, "item": ids[other], "score": _rounded(scores[row, other])}
            if len(parts) > 1:
                one |= {name: _cosine(part, place, other) for name, part in parts.items()}
            near.append(one)
        found.append((place, near))
    return found


def _cosine(part: FloatArray, one: int, other: int) -> float | None:
    if not (part[one].any() and part[other].any()):
        return None
    return _rounded(float(part[one] @ part[other]))


def _rounded(score: float) -> float:
    return round(float(score), 6)


def _views(
    workshop: Workshop,
    text_backbone: str,
    said: Sequence[Input | None],
    picture_backbone: str,
    shown: Sequence[Input | None],
) -> dict[str, FloatArray]:
    """Of texts and of pictures, where any item has one."""
    views = {
        "text": viewed(workshop, text_backbone, "text", said),
        "picture": viewed(workshop, picture_backbone, "image", shown),
    }
    return {name: view for name, view in views.items() if view is not None}


def viewed(
    workshop: Workshop, backbone: str, modality: str, given: Sequence[Input | None]
) -> FloatArray | None:
    """(I, d) of length 1, of zeros where an item has nothing; None where none has."""
    there = [i for i, one in enumerate(given) if one is not None]
    if not there:
        return None
    offer = workshop.offer(backbone)
    if offer.modality != modality or "features" not in offer.capabilities:
        noun = {"text": "texts", "image": "pictures"}[modality]
        example = {"text": TEXT_BACKBONE, "image": PICTURE_BACKBONE}[modality]
        raise InputError(
            "wrong_backbone",
            f"{backbone} gives no features of {noun}.",
            received=backbone,
            allowed=f"a backbone that reads {noun}, such as {example}",
            next="`supertune backbones` lists what each reads.",
        )
    lens = workshop.lens(backbone)
    assert lens is not None
    features = lens.features([one for one in given if one is not None])
    view = np.zeros((len(given), features.shape[1]), dtype=np.float32)
    view[there] = _unit(features)
    return view


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


# --- what is given ----------------------------------------------------------------------------


def _ids(items: Sequence[Any]) -> list[str]:
    if isinstance(items, str | bytes) or not len(items):
        raise InputError(
            "no_items",
            "There are no items to compare.",
            received=repr(items)[:80],
            allowed="a list of ids, one an item",
            next='For example ["sku-1", "sku-2"].',
        )
    ids = ["" if is_empty(one) else as_label(one) for one in items]
    first: dict[str, int] = {}
    for i, one in enumerate(ids):
        if not one:
            raise InputError(
                "item_id_empty",
                "An item has no id.",
                received=f"row {i + 1}: {items[i]!r}",
                allowed="an id for each item",
                next="Name it, or take it out.",
            )
        if first.setdefault(one, i) != i:
            raise InputError(
                "item_twice",
                "Two items have the same id.",
                received=f"'{one}' in rows {first[one] + 1} and {i + 1}",
                allowed="each id once",
                next="Take one of them out.",
            )
    return ids


def _asked(ids: Sequence[str], of: str | Sequence[str] | None) -> list[int]:
    if of is None:
        return list(range(len(ids)))
    place = {one: i for i, one in enumerate(ids)}
    wanted = [of] if isinstance(of, str) else [as_label(one) for one in of]
    for one in wanted:
        if one not in place:
            raise InputError(
                "unknown_item",
                f"There is no item '{one}'.",
                received=one,
                allowed=f"one of the {len(ids):,} ids, such as {listed(list(ids[:5]))}",
                next="Name an item by its id.",
            )
    return [place[one] for one in wanted]


def _texts(ids: Sequence[str], texts: Sequence[Any] | None) -> list[Input | None]:
    given = _as_many(ids, "texts", texts)
    return [None if is_empty(one) else str(one).strip() or None for one in given]


def _pictures(ids: Sequence[str], pictures: Sequence[Any] | None) -> list[Input | None]:
    given = _as_many(ids, "pictures", pictures)
    return [cells.picture(one, Place(row)) for row, one in enumerate(given, 1)]


def _as_many(ids: Sequence[str], name: str, given: Sequence[Any] | None) -> list[Any]:
    if given is None:
        return [None] * len(ids)
    found = [given] if isinstance(given, str | bytes) else list(given)
    if isinstance(given, str | bytes) or len(found) != len(ids):
        raise InputError(
            "items_misfit",
            f"There are not as many {name} as items.",
            received=f"{len(ids):,} items and {len(found):,} {name}",
            allowed=f"a list with one of the {name} for each item, in the same order",
            next="Give None for an item that has none.",
        )
    return found


def _check_said(
    ids: Sequence[str], said: Sequence[Input | None], shown: Sequence[Input | None]
) -> None:
    silent = [i for i in range(len(ids)) if said[i] is None and shown[i] is None]
    if silent:
        raise InputError(
            "nothing_said",
            "Of an item there is neither a text nor a picture.",
            received=f"row {silent[0] + 1}: '{ids[silent[0]]}'"
            + (f", and {len(silent) - 1:,} more" if len(silent) > 1 else ""),
            allowed="a text or a picture of each item",
            next="Add one, or take the item out.",
        )


def _bad(name: str, value: float, allowed: str) -> InputError:
    return InputError(
        f"bad_{name}",
        f"This is no {name} of a list of similar items.",
        received=f"{value:g}",
        allowed=allowed,
        next=f"Leave {name} out, or give another.",
    )
