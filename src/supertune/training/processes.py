"""One fit shared by several processes, as ``accelerate launch -m supertune fit`` starts them.

Every process reads the same rows and walks the same line. In a step of gradient descent each
differentiates the loss of its own rows, gradients are summed over all of them (data parallel), and
each takes the same step: the losses are those of one process but for rounding, as long as nothing
is dropped at random. What is not gradient descent is done by each of them alike, and the first
alone speaks and writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from supertune.config import Recipe
from supertune.contracts import HeadSpec
from supertune.errors import InputError
from supertune.launched import count, rank, sharded
from supertune.limits import cut

Item = TypeVar("Item")


def join(recipe: Recipe) -> Recipe:
    """Meet the other processes, where there are any; the recipe, in which then nothing depends on
    a clock.

    Raises:
        InputError: ``choice_not_shared`` where clocks would choose, each process its own;
            ``weights_not_sharded`` where the launcher asks for FSDP.
    """
    if sharded():
        raise InputError(
            "weights_not_sharded",
            "Weights are not spread over processes here (FSDP): each holds the whole backbone.",
            received="FSDP, as `accelerate launch --use_fsdp` or accelerate's settings ask for it",
            allowed="data parallel: each process its own rows of a step",
            next="Launch without FSDP: accelerate launch --multi_gpu, or torchrun. Where memory is "
            "short, --memory-limit cuts steps into parts, and lora tunes few numbers.",
        )
    if count() == 1:
        return recipe
    if "auto" in (recipe.method, recipe.backbone) or recipe.search:
        raise InputError(
            "choice_not_shared",
            "Several processes share one fit, and their clocks would choose differently.",
            received=f"method {recipe.method}, backbone {recipe.backbone}, search {recipe.search}",
            allowed="a method and a backbone by name, and no search",
            next="Fit with 'auto' in one process, then launch what it chose.",
        )
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available() or recipe.device == "cpu")
    return recipe.model_copy(update={"max_candidates": recipe.max_candidates or 1})


def check(head: HeadSpec) -> None:
    """Raises:
    InputError: ``training_not_shared`` where a loop of its own learns from whole steps.
    """
    if head.kind:
        alone()


def alone() -> None:
    """Raises:
    InputError: ``training_not_shared`` where several processes share this fit.
    """
    if count() > 1:
        raise InputError(
            "training_not_shared",
            "Only the training of labels and values by torch is shared by processes so far.",
            received=f"{count()} processes",
            allowed="one process for this task",
            next="Start it without the launcher.",
        )


def own(items: Sequence[Item]) -> tuple[Sequence[Item], int]:
    """The items that this process sees to, and where they begin; all of them where there are too
    few for every process to have one."""
    if not shared(len(items)):
        return items, 0
    parts, place = cut(items, count()), rank()
    return parts[place], sum(len(part) for part in parts[:place])


def shared(items: int) -> bool:
    """Whether so many are shared out."""
    return items >= count() > 1


def summed(tensor: Any) -> Any:
    """The sum over all processes, in place."""
    import torch.distributed

    torch.distributed.all_reduce(tensor)
    return tensor


def sum_gradients(parameters: Sequence[Any]) -> None:
    """Gradients become their sums over all processes; one that is missing counts as nought."""
    import torch

    for tensor in parameters:
        if tensor.grad is None:
            tensor.grad = torch.zeros_like(tensor)
    flat = summed(torch.cat([tensor.grad.flatten() for tensor in parameters]))
    parts = flat.split([tensor.numel() for tensor in parameters])
    for tensor, part in zip(parameters, parts, strict=True):
        tensor.grad.copy_(part.view_as(tensor))
