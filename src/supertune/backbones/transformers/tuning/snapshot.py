"""How a model is put together at one moment, so that it can be put together so again.

``peft`` swaps layers, adds hooks, marks gradients and, for some initialisations, rewrites the
weights; it cannot take all of it back, and nothing of it where it was interrupted. What it did
is not undone here step by step: the tree of modules is set back to what was written down.
"""

from __future__ import annotations

from typing import Any


class Snapshot:
    """Children, parameters, buffers, hooks and attributes of every module of ``model``.

    With ``copy_weights`` the model works on copies of its weights until `restore`: for kinds
    that write into them.
    """

    def __init__(self, model: Any, *, copy_weights: bool = False) -> None:
        self._modules = [(module, _attributes(module)) for module in model.modules()]
        self._weights = [(parameter, parameter.data) for parameter in model.parameters()]
        self._known = {id(module) for module, _ in self._modules}
        if copy_weights:
            for parameter, data in self._weights:
                parameter.data = data.clone()

    def new_modules(self, model: Any) -> list[Any]:
        """Modules of ``model`` that were not there."""
        return [module for module in model.modules() if id(module) not in self._known]

    def restore(self) -> None:
        for module, (attributes, tables) in self._modules:
            for name in set(module.__dict__) - set(attributes):
                del module.__dict__[name]
            module.__dict__.update(attributes)
            for name, table in tables.items():
                # In place: whoever added a hook before holds on to this very table.
                own = module.__dict__[name]
                own.clear()
                own.update(table)
        for parameter, data in self._weights:
            parameter.data = data
            parameter.grad = None
            parameter.requires_grad_(False)


def _attributes(module: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A module's attributes, and the contents of those that are tables."""
    attributes = dict(module.__dict__)
    return attributes, {n: dict(v) for n, v in attributes.items() if isinstance(v, dict)}
