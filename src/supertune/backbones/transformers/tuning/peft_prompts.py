"""Types of ``peft`` that put something before the text: virtual tokens, or keys and values.

Virtual tokens (prompt tuning, P-tuning) take their place in front of the word embeddings and
are pooled by nothing. Prefixes (prefix tuning) are the cache of a text that was never read.
What a model computes is what `PeftModel` computes on the same padded batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning import peft_config
from supertune.backbones.transformers.tuning.first_numbers import cache_of, first_ids
from supertune.backbones.transformers.tuning.peft_adapter import PeftAdapter
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

_PREFIXES = {"PREFIX_TUNING", "CARTRIDGE"}


class PeftPrompts(PeftAdapter):
    """Virtual tokens or a prefix.

    Settings beside peft's own: ``init``, where the numbers start (``"text"``, ``"labels"``,
    ``"vocabulary"``, ``"random"``; left out: peft's way), and ``init_text``, the text for the
    first two. Where peft saves less than it trains (the encoder of P-tuning), kept numbers are
    put in again as they are saved: the outcome of the encoder.
    """

    apart = True

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        self.kind = injection.kind.upper()
        self.room = int(injection.settings.get("num_virtual_tokens") or 0)
        if self.kind in _PREFIXES:
            _check_cache(backbone, self.kind)
        super().__init__(backbone, injection, seed)
        self.from_input = True

    def _configured(self) -> Any:
        # Of two stacks only the encoder is read, so peft need not make a prompt for each.
        changes: dict[str, Any] = {"num_transformer_submodules": 1}
        if self.kind not in _PREFIXES:
            # peft takes the width of the blocks, which is not that of every model's embeddings.
            changes["token_dim"] = self.backbone.model.get_input_embeddings().embedding_dim
            changes["num_layers"] = self.backbone.offer.depth
            changes["num_attention_heads"] = self.backbone.model.config.num_attention_heads
        if self.kind == "CPT":
            changes |= self._context()
        if self._given is not None and self._saves_less():
            changes["inference_mode"] = True
        return peft_config.peft_config(self.backbone, self.injection, **changes)

    def _saves_less(self) -> bool:
        projects = bool(self.injection.settings.get("prefix_projection"))
        return self.kind in {"P_TUNING", "CPT"} or projects

    def _count(self) -> int:
        return int(self.kept["prompt_embeddings"].size) if self._saves_less() else super()._count()

    def _context(self) -> dict[str, Any]:
        """The context of CPT (Blau et al. 2024): tokens to start from, all of one kind."""
        ids = first_ids(self.backbone, {"init": "text", **self.injection.settings}, self.room)
        kinds = {"cpt_token_ids": ids, "cpt_mask": [1] * self.room}
        return {**kinds, "cpt_tokens_type_mask": [2] * self.room}

    def _put(self) -> None:
        super()._put()
        if self._given is None and self.injection.settings.get("init") is not None:
            self._start()
        if self._config.inference_mode:
            self._encoder.embedding.weight.requires_grad_(True)
        self.backbone.extend = self._before_cache if self.kind in _PREFIXES else self._in_front

    def training(self, on: bool, *arguments: Any) -> None:
        super().training(on, *arguments)
        for module in self._encoder.modules():  # it stands beside the model, not in it
            module.training = on

    @property
    def _encoder(self) -> Any:
        return self._peft.prompt_encoder[self._peft.active_adapter]

    def _start(self) -> None:
        import torch

        settings = self.injection.settings
        if self.kind not in _PREFIXES | {"PROMPT_TUNING"} or self._saves_less():
            raise InputError(
                "init_unsupported",
                f"{self.kind} makes its vectors by an encoder, which starts nowhere in particular.",
                received=f"init {settings['init']}",
                next="Leave init out.",
            )
        words = self._peft.word_embeddings
        with torch.no_grad():
            if self.kind in _PREFIXES:
                ids = first_ids(self.backbone, settings, self.room)
                flat = cache_of(self.backbone, ids)
                if settings["init"] == "random":
                    flat = torch.randn_like(flat) * flat.std()
                self._encoder.load_prompt_embeddings(flat)
            elif settings["init"] == "random":
                self._encoder.embedding.weight.normal_(0.0, float(words.weight.std()))
            else:
                ids = first_ids(self.backbone, settings, self.room)
                chosen = torch.tensor(ids, device=self.backbone.device)
                self._encoder.embedding.weight.copy_(words(chosen))

    def _in_front(self, batch: Batch) -> Batch:
        """The same rows with virtual tokens in front; the first may be pooled by nothing."""
        import torch

        inputs = dict(batch.inputs)
        ids = inputs.pop("input_ids")
        prompts = self._peft.get_prompt(batch_size=len(ids), task_ids=self._tasks(len(ids)))
        inputs["inputs_embeds"] = torch.cat([prompts, self._peft.word_embeddings(ids)], dim=1)
        front = torch.zeros(len(ids), self.room, dtype=torch.long, device=ids.device)
        inputs["attention_mask"] = torch.cat([front + 1, inputs["attention_mask"]], dim=1)
        if "token_type_ids" in inputs:
            inputs["token_type_ids"] = torch.cat([front, inputs["token_type_ids"]], dim=1)
        mask = torch.cat([front, batch.mask], dim=1)
        # Of two stacks the decoder is read, whose positions do not move.
        moved = batch.reads is not None and self.backbone.offer.family != "seq2seq"
        reads = batch.reads + self.room if moved else batch.reads
        return replace(batch, inputs=inputs, mask=mask, reads=reads)

    def _before_cache(self, batch: Batch) -> Batch:
        """The same rows after keys and values that stand for earlier tokens."""
        import torch

        inputs = dict(batch.inputs)
        rows, given = len(inputs["input_ids"]), inputs["attention_mask"]
        inputs["past_key_values"] = self._peft.get_prompt(batch_size=rows)
        front = torch.ones(rows, self.room, dtype=given.dtype, device=given.device)
        inputs["attention_mask"] = torch.cat([front, given], dim=1)
        return replace(batch, inputs=inputs)

    def _tasks(self, rows: int) -> Any:
        import torch

        if self.kind != "MULTITASK_PROMPT_TUNING":
            return None
        return torch.zeros(rows, dtype=torch.long, device=self.backbone.device)


def _check_cache(backbone: TransformersBackbone, kind: str) -> None:
    """Refuse a prefix where the stack that is read takes no keys and values.

    Raises:
        InputError: ``prompts_unsupported``.
    """
    import inspect

    takes = "past_key_values" in inspect.signature(backbone.body.forward).parameters
    if not takes or backbone.offer.family == "seq2seq":
        raise InputError(
            "prompts_unsupported",
            f"{kind} needs a model that takes keys and values from before the text.",
            received=f"{backbone.ref.name} ({backbone.offer.architecture})",
            allowed="BERT- and RoBERTa-like encoders, causal models",
            next="Use deep_prompts or prompt_tuning.",
        )
