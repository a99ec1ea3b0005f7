"""A tokenizer.json by the library tokenizers alone, called as tokenizers of transformers are.

Engines that do without torch read texts through it, and cut them by the same rules.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.backbones._sentence_folder import read_json
from supertune.errors import InputError

FILE = "tokenizer.json"
_PADDING = ("[PAD]", "<pad>", "<|endoftext|>")


class PlainTokenizer:
    """See `supertune.backbones.transformers.tokenizing.Tokens`, which it is made for.

    Raises:
        InputError: ``tokenizer_unreadable``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from tokenizers import Tokenizer

        path = folder / FILE
        try:
            self._own = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise InputError(
                "tokenizer_unreadable",
                f"The tokenizer of {name} does not load.",
                received=str(error).splitlines()[0] if path.is_file() else f"no {FILE}",
                allowed=f"{FILE} beside the model, as tokenizers of transformers save it",
                next="Save it there with tokenizer.save_pretrained(folder).",
            ) from error
        declared = read_json(path) or {}
        self.pad_token_id = self._padding(declared, read_json(folder / "tokenizer_config.json"))
        self._own.no_padding()
        self._lock = threading.Lock()  # how long texts may be is a state of the library's object

    def _padding(self, declared: dict[str, Any], config: dict[str, Any] | None) -> int:
        said = (declared.get("padding") or {}).get("pad_id")
        if said is not None:
            return int(said)
        named = (config or {}).get("pad_token")
        named = named.get("content") if isinstance(named, dict) else named
        known = (self._own.token_to_id(str(word)) for word in (named, *_PADDING) if word)
        return next((number for number in known if number is not None), 0)

    def __call__(
        self,
        first: str | Sequence[str],
        second: Sequence[str] | None = None,
        *,
        truncation: bool = False,
        max_length: int | None = None,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        verbose: bool = True,
    ) -> dict[str, Any]:
        """``input_ids``, ``token_type_ids`` and ``offset_mapping``: lists, of one text or of each
        of several. Of a pair the longer text is cut first."""
        one = isinstance(first, str)
        texts = [first] if one else list(first)
        asked: list[Any] = list(zip(texts, second, strict=True)) if second else texts
        with self._lock:
            if truncation and max_length is not None:
                self._own.enable_truncation(max_length, strategy="longest_first")
            else:
                self._own.no_truncation()
            read = self._own.encode_batch(asked, add_special_tokens=add_special_tokens)
        found: dict[str, list[Any]] = {
            "input_ids": [made.ids for made in read],
            "token_type_ids": [made.type_ids for made in read],
            "offset_mapping": [made.offsets for made in read],
        }
        return {name: values[0] for name, values in found.items()} if one else found
