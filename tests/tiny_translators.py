"""Tiny translators of transformers' own classes, with small real tokenizers.

No pretrained ones are at hand. Random weights are taught a few pairs for a moment, so that what
they write ends, at unequal lengths; what their translations are worth is never asked.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

PAIRS = (
    ("Open the file.", "Abra o arquivo."),
    ("Close the window.", "Feche a janela."),
    ("Choose a new wallpaper for the desktop.", "Escolha um novo plano de fundo para a mesa."),
    ("Save.", "Salvar."),
    ("Press the key twice to open the menu.", "Pressione a tecla duas vezes para abrir o menu."),
    ("The settings are saved.", "As configurações foram salvas."),
    ("Move the window with the mouse.", "Mova a janela com o mouse."),
    ("Copy the folder and open the copy.", "Copie a pasta e abra a cópia."),
    ("No file was found.", "Nenhum arquivo foi encontrado."),
    ("Yes.", "Sim."),
)
STEPS = 40
_SIZES = {
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "init_std": 0.1,
}


def marian(folder: Path, *, targets: tuple[str, ...] = ()) -> Path:
    """From English; ``targets`` are codes such as ``"pt"``, of a model of several."""
    import transformers as t

    folder.mkdir(parents=True)
    sides = zip(("source", "target"), zip(*PAIRS, strict=True), strict=True)
    made = [_sentencepiece(folder / f"{side}.spm", texts) for side, texts in sides]
    marks = [f">>{code}<<" for code in targets]
    every = dict.fromkeys(["</s>", "<unk>", *marks, *made[0], *made[1], "<pad>"])
    (folder / "vocab.json").write_text(json.dumps({one: i for i, one in enumerate(every)}), "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather have sacremoses
        tokenizer = t.MarianTokenizer(
            str(folder / "source.spm"),
            str(folder / "target.spm"),
            str(folder / "vocab.json"),
            source_lang="en",
            target_lang="" if targets else "pt",
        )
    pad = len(every) - 1
    ends = {"pad_token_id": pad, "eos_token_id": 0, "forced_eos_token_id": None}
    config = t.MarianConfig(
        vocab_size=len(every),
        decoder_start_token_id=pad,
        bad_words_ids=None,
        max_position_embeddings=128,
        scale_embedding=True,
        **_SIZES,
        **ends,
    )
    before = f"{marks[0]} " if marks else ""
    model = _taught(t.MarianMTModel, config, tokenizer, before, steps=1 if targets else STEPS)
    model.generation_config = t.GenerationConfig(
        bad_words_ids=[[pad]], decoder_start_token_id=pad, pad_token_id=pad, eos_token_id=0
    )
    return _saved(model, tokenizer, folder)


def m2m100(folder: Path) -> Path:
    """From any of a hundred languages; taught English and Portuguese."""
    import transformers as t

    folder.mkdir(parents=True)
    made = _sentencepiece(folder / "sentencepiece.bpe.model", [one for two in PAIRS for one in two])
    every = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", *made])
    (folder / "vocab.json").write_text(json.dumps({one: i for i, one in enumerate(every)}), "utf-8")
    tokenizer = t.M2M100Tokenizer(
        str(folder / "vocab.json"),
        str(folder / "sentencepiece.bpe.model"),
        src_lang="en",
        tgt_lang="pt",
    )
    return _saved(_of_many(tokenizer, len(every) + 108), tokenizer, folder)


def nllb(folder: Path) -> Path:
    """The same class, with NLLB's codes of languages."""
    import transformers as t
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=special, show_progress=False)
    learned.train_from_iterator([one for two in PAIRS for one in two], trainer)
    told = json.loads(learned.to_str())["model"]
    merges = [tuple(one) for one in told["merges"]]
    tokenizer = t.NllbTokenizer(told["vocab"], merges, src_lang="eng_Latn", tgt_lang="por_Latn")
    return _saved(_of_many(tokenizer, len(tokenizer)), tokenizer, folder)


def t5(folder: Path, *, tied: bool = True) -> Path:
    """Told by a prefix; ``tied``: its two tables of words are one, as the first T5's were."""
    import transformers as t
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learned = Tokenizer(models.Unigram())
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=160, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    learned.train_from_iterator([*(one for two in PAIRS for one in two), TASK], trainer)
    told = json.loads(learned.to_str())["model"]["vocab"]
    tokenizer = t.T5Tokenizer([(one, float(score)) for one, score in told], extra_ids=4)
    config = t.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=3,
        num_decoder_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        tie_word_embeddings=tied,
        task_specific_params={"translation_en_to_pt": {"prefix": TASK}},
    )
    model = _taught(t.T5ForConditionalGeneration, config, tokenizer, TASK)
    return _saved(model, tokenizer, folder)


TASK = "translate English to Portuguese: "


def _sentencepiece(path: Path, texts: Any) -> list[str]:
    """A small vocabulary of these texts, written to ``path``; its pieces."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(path.with_suffix("")),
        vocab_size=90,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path.with_suffix(".model").replace(path)
    path.with_suffix(".vocab").unlink()
    read = sentencepiece.SentencePieceProcessor(str(path))
    return [read.id_to_piece(i) for i in range(read.get_piece_size())]


def _of_many(tokenizer: Any, size: int) -> Any:
    import transformers as t

    config = t.M2M100Config(
        vocab_size=size,
        max_position_embeddings=128,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        decoder_layerdrop=0.0,
        encoder_layerdrop=0.0,
        **_SIZES,
    )
    return _taught(t.M2M100ForConditionalGeneration, config, tokenizer, "")


def _taught(kind: Any, config: Any, tokenizer: Any, before: str, *, steps: int = STEPS) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config)
    sources, targets = zip(*PAIRS, strict=True)
    read = tokenizer(
        [before + one for one in sources],
        text_target=list(targets),
        padding=True,
        return_tensors="pt",
    )
    labels = read["labels"].masked_fill(read["labels"] == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(
            input_ids=read["input_ids"], attention_mask=read["attention_mask"], labels=labels
        ).loss.backward()  # fmt: skip
        optimizer.step()
    return model.eval()


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
