"""Pre-train the small diffusion model that supertune ships as ``emoji-diffusion``.

    python scripts/pretrain_emoji_diffusion.py --work DIR --steps 6000
    python scripts/pretrain_emoji_diffusion.py --work DIR --ship

Pictures: the emoji of the catalogue (Apache-2.0), 32 x 32 pixels over white. Text: token states of
the catalogue's ``minilm`` of each emoji's name, its family, or both. A U-Net of diffusers learns to
predict v (Salimans and Ho 2022, arXiv:2202.00512) with losses weighted by the clamped ratio of
signal to noise (Hang et al. 2023, arXiv:2303.09556); its moving average is what is kept.

What is kept out of the pictures, so that it can be learned as something new: two of the ten
categories, and of every other at least a tenth, in whole families (`HELD_OUT`).

On a GPU where there is one. On processors several processes share each batch under ``python -m
torch.distributed.run --nproc-per-node 2``.

The state is written to DIR every few minutes, and a second run goes on from there. The learning
rate is constant until ``--decay`` steps before the end and falls to nothing over those, so that
a run may be given more steps, or fewer, as long as the fall has not begun. ``--minutes`` ends a run
by the clock instead, with the fall over the last quarter.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from safetensors.torch import load_file, save_file

from supertune.catalogue.emoji import Emoji, emoji, held_out

SIDE = 32
TOKENS = 16
SHIPPED = Path(__file__).parents[1] / "src/supertune/catalogue/emoji_diffusion"
UNSAID = 0.1  # share of rows whose text is left out, for guidance (arXiv:2207.12598)
FRESH = 300.0  # seconds between two states
# Families that are held out and that no concept of `benchmarks.study_generation` is of: the error
# on them tells whether more steps still help with what was never seen.
WATCHED = ("zodiac", "musical-instrument", "mail", "lock", "arts & crafts", "award-medal", "drink",
           "dishware", "keycap", "person-gesture", "body-parts")  # fmt: skip


def network(dropout: float = 0.0) -> UNet2DConditionModel:
    """4.8 million parameters; attention to the text where the picture is 8 x 8."""
    net = UNet2DConditionModel(
        sample_size=SIDE,
        in_channels=3,
        out_channels=3,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 96, 128),
        layers_per_block=1,
        cross_attention_dim=384,
        attention_head_dim=4,
        norm_num_groups=16,
        dropout=dropout,
    )
    net.set_attn_processor(AttnProcessor())
    return net


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=True,
        clip_sample_range=1.0,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


def pictures(rows: list[Emoji]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(n, 32, 32, 3)."""
    from supertune.data.pictures.decoding import opened

    return np.stack(
        [np.asarray(opened(row.picture).resize((SIDE, SIDE), Image.Resampling.BOX)) for row in rows]
    )


def prepared(work: Path) -> dict[str, Any]:
    """``learned`` and ``watched``: (n, 3, 32, 32) from -1 to 1, and three captions of each.

    Made once and kept in ``work``, so that another machine needs neither the package nor Pillow's
    very version.
    """
    kept = work / "pictures.npz"
    if not kept.exists():
        rows = emoji()
        parts = {
            "learned": [row for row in rows if not held_out(row)],
            "watched": [row for row in rows if row.subcategory in WATCHED and held_out(row)],
        }
        arrays = {name: pictures(part) for name, part in parts.items()}
        said = {f"{name}_texts": np.array(texts(part)) for name, part in parts.items()}
        np.savez_compressed(kept, **arrays, **said)
    with np.load(kept) as found:
        return {
            name: (
                torch.from_numpy(found[name]).permute(0, 3, 1, 2).float() / 127.5 - 1,
                found[f"{name}_texts"].tolist(),
            )
            for name in ("learned", "watched")
        }


def texts(rows: list[Emoji]) -> list[list[str]]:
    """Three captions of each."""
    return [[row.words, f"{row.words}, {row.family}", row.family] for row in rows]


def text_states(captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 16, 384) token states and (n, 16) which of them are tokens."""
    from transformers import AutoModel, AutoTokenizer

    from supertune.catalogue.resolve import resolve

    folder = resolve("minilm").folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    found = tokenizer(
        captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    )
    states = []
    with torch.inference_mode():
        for first in range(0, len(captions), 256):
            part = {k: v[first : first + 256] for k, v in found.items()}
            states.append(model(**part).last_hidden_state)
    return torch.cat(states), found["attention_mask"]


class Training:
    """The network, its moving average, and what the next step needs."""

    def __init__(self, work: Path, said: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.work, self.batch, self.rate = work, said.batch, said.rate
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net = network(said.dropout).to(self.device)
        self.average = network().to(self.device).requires_grad_(False)
        self.average.load_state_dict(self.net.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(),
            lr=self.rate,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            fused=self.device.type == "cuda",
        )
        self.step, self.seconds = 0, 0.0
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.boards: list[torch.Tensor] = []
        found = prepared(work)
        self.pixels, self.states, self.mask = self.placed(*found["learned"])
        self.watched = self.placed(*found["watched"])
        unsaid, mask = text_states([""])
        self.unsaid = unsaid[0].to(self.device), mask[0].to(self.device)
        self.signal = scheduler().alphas_cumprod.float().to(self.device)

    def placed(self, pixels: torch.Tensor, said: list[list[str]]) -> tuple[torch.Tensor, ...]:
        """Pictures, states of their captions (n, 3, 16, 384) and which are tokens (n, 3, 16)."""
        states, mask = text_states([caption for captions in said for caption in captions])
        shape = (len(said), 3, TOKENS)
        found = pixels, states.view(*shape, -1), mask.view(shape)
        pixels, states, mask = (one.to(self.device) for one in found)
        return pixels, states, mask

    def drawn(self) -> tuple[torch.Tensor, ...]:
        """A batch; what is drawn depends on the number of the step alone."""
        draw = torch.Generator(self.device).manual_seed(1_000_003 + self.step)
        given: Any = {"generator": draw, "device": self.device}
        n, count = self.batch, len(self.pixels)
        mine = slice(self.rank, None, self.ranks)
        which = torch.randint(0, count, (n,), **given)
        caption = torch.randint(0, 3, (n,), **given)
        flip = torch.rand(n, **given) < 0.5
        dx, dy = torch.randint(-2, 3, (2, n), **given)
        x = shifted(self.pixels[which], flip, dx, dy)
        states, mask = self.states[which, caption].clone(), self.mask[which, caption].clone()
        silent = torch.rand(n, **given) < UNSAID
        states[silent], mask[silent] = self.unsaid
        # One time a picture from each of n equal parts, so that batches are alike.
        part = torch.randperm(n, **given) + torch.rand(n, **given)
        t = (part / n * 1000).long().clamp(0, 999)
        noise = torch.randn(x.shape, **given)
        return x[mine], noise[mine], t[mine], states[mine], mask[mine]

    def loss(self, net: Any, drawn: tuple[torch.Tensor, ...]) -> torch.Tensor:
        x, noise, t, states, mask = drawn
        kept = self.signal[t].view(-1, 1, 1, 1)
        noised = kept.sqrt() * x + (1 - kept).sqrt() * noise
        wanted = kept.sqrt() * noise - (1 - kept).sqrt() * x
        with torch.autocast(self.device.type, torch.bfloat16):
            found = net(noised, t, states, encoder_attention_mask=mask).sample
        ratio = (kept / (1 - kept)).view(-1)
        weight = ratio.clamp(max=5.0) / (ratio + 1)
        return ((found.float() - wanted).square().mean((1, 2, 3)) * weight).mean()

    @torch.no_grad()
    def watch(self) -> float:
        """The moving average's loss on pictures of families it never saw, under fixed noise."""
        pixels, states, mask = self.watched
        n = len(pixels)
        noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
        t = (torch.arange(n, device=self.device) * 1000) // n
        drawn = pixels, noise.to(self.device), t, states[:, 1], mask[:, 1]
        return float(self.loss(self.average, drawn))

    def advance(self, fall: float) -> torch.Tensor:
        """One step at the learning rate times ``fall``; its loss."""
        scale = min(1.0, (self.step + 1) / 200, fall)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * scale
        loss = self.loss(self.net, self.drawn())
        self.optimizer.zero_grad()
        loss.backward()
        self.share()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(0.998, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.net.parameters()), 1 - keep
            )
        return loss.detach()

    def share(self) -> None:
        """Gradients become the mean over all processes.

        Through memory that they share: on two cores the network's loopback costs more than the
        step. Two boards in turn, so that one is read while the next is written.
        """
        if self.ranks == 1:
            return
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        size = sum(one.numel() for one in gradients)
        if not self.boards:
            path = str(self.work / "gradients")
            whole = torch.from_file(path, shared=True, size=2 * self.ranks * size)
            self.boards = list(whole.view(2, self.ranks, size))
        board = self.boards[self.step % 2]
        torch.cat([one.flatten() for one in gradients], out=board[self.rank])
        torch.distributed.barrier()
        parts = board.mean(dim=0).split([one.numel() for one in gradients])
        for one, part in zip(gradients, parts, strict=True):
            one.copy_(part.view_as(one))

    def told_to_stop(self) -> bool:
        """Whether there is a file named ``stop``; all processes say the same."""
        told = torch.tensor(float((self.work / "stop").exists()))
        if self.ranks > 1:
            torch.distributed.all_reduce(told)
        return bool(told)

    def save(self) -> None:
        """The state, whole or not at all, and a pipeline folder of the moving average."""
        partial = self.work / "state.partial"
        torch.save(
            {
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
            partial,
        )
        os.replace(partial, self.work / "state.pt")
        write(self.average, self.work / "pipeline")

    def resume(self) -> None:
        path = self.work / "state.pt"
        if path.exists():
            # Written by `save`; tensors and numbers alone are read, nothing is run.
            state = torch.load(path, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]


def shifted(
    pictures: torch.Tensor, flip: torch.Tensor, dx: torch.Tensor, dy: torch.Tensor
) -> torch.Tensor:
    """(n, 3, h, w), mirrored where ``flip``, each moved by its own whole pixels; white comes in."""
    n, _, h, w = pictures.shape
    edge = 2
    wide = torch.nn.functional.pad(pictures, (edge,) * 4, value=1.0)
    across = torch.arange(w, device=pictures.device).expand(n, w)
    across = torch.where(flip[:, None], w - 1 - across, across)
    columns = (across + edge - dx[:, None])[:, None, None, :]
    lines = (torch.arange(h, device=pictures.device)[None] + edge - dy[:, None])[:, None, :, None]
    each = torch.arange(n, device=pictures.device)[:, None, None, None]
    colours = torch.arange(3, device=pictures.device)[None, :, None, None]
    return wide[each, colours, lines, columns]


def write(net: UNet2DConditionModel, folder: Path) -> None:
    """In diffusers' own layout, weights in float16."""
    unet = folder / "unet"
    unet.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {k: v for k, v in net.config.items() if not k.startswith("_")}
    config = {"_class_name": "UNet2DConditionModel", **config}
    (unet / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in net.state_dict().items()}
    save_file(weights, unet / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    scheduler().save_pretrained(folder / "scheduler")


@torch.inference_mode()
def sample(net: UNet2DConditionModel, captions: list[str], guidance: float = 3.0) -> Image.Image:
    """One row of pictures on fixed seeds."""
    device = next(net.parameters()).device
    states, mask = (one.to(device) for one in text_states([*captions, *[""] * len(captions)]))
    plan = scheduler()
    plan.set_timesteps(25)
    x = torch.randn(len(captions), 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    x = x.to(device)
    for t in plan.timesteps:
        said, unsaid = net(torch.cat([x, x]), t, states, encoder_attention_mask=mask).sample.chunk(
            2
        )
        x = plan.step(unsaid + guidance * (said - unsaid), t, x).prev_sample
    grid = ((x.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).cpu().numpy()
    return Image.fromarray(np.concatenate(list(grid), axis=1))


SHOWN = [
    "grinning face",
    "smiling face with sunglasses",
    "dog face",
    "man health worker",
    "red car",
    "house",
    "soccer ball",
    "tulip",
    "airplane",
    "open book",
    "left arrow",
    "woman",
]


def train(work: Path, said: argparse.Namespace) -> None:
    """Until the steps or minutes are done, or a file named ``stop`` is in ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    training = Training(work, said)
    if training.ranks > 1:
        torch.distributed.init_process_group("gloo")
    training.resume()
    saved = lap = time.monotonic()
    losses: list[torch.Tensor] = []
    while (fall := left(training, said)) > 0:
        losses.append(training.advance(fall))
        if training.step % 100:
            continue
        training.seconds += time.monotonic() - lap
        lap = time.monotonic()
        if training.rank == 0:
            tell(training, float(torch.stack(losses).mean()))
            losses = []
        if training.rank == 0 and lap - saved > said.every:
            training.save()
            sample(training.average, SHOWN).save(work / f"sample_{training.step:06d}.png")
            saved = lap = time.monotonic()
        if training.told_to_stop():
            break
    if not training.rank:
        training.save()
        sample(training.average, SHOWN).save(work / f"sample_{training.step:06d}.png")


def left(training: Training, said: argparse.Namespace) -> float:
    """What the learning rate is multiplied by, were there no rise; nothing at the end."""
    if said.minutes is None:
        return (said.steps - training.step) / said.decay
    return (1 - training.seconds / (60 * said.minutes)) / 0.25


def tell(training: Training, loss: float) -> None:
    line = {"step": training.step, "loss": round(loss, 5), "seconds": round(training.seconds)}
    if training.step % 500 == 0:
        line["unseen"] = round(training.watch(), 5)
    with (training.work / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(line, flush=True)


def ship(work: Path) -> None:
    """What was trained, as the catalogue has it."""
    net = network()
    weights = load_file(work / "pipeline/unet/diffusion_pytorch_model.safetensors")
    net.load_state_dict({name: value.float() for name, value in weights.items()})
    write(net, SHIPPED)
    (SHIPPED / "training_log.jsonl").write_text((work / "log.jsonl").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, required=True, help="where the state is kept")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--decay", type=int, default=1500)
    parser.add_argument("--minutes", type=float, help="instead of steps")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--every", type=float, default=FRESH, help="seconds between two states")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ship", action="store_true", help="put it into the catalogue")
    said = parser.parse_args()
    torch.set_num_threads(said.threads)
    if said.ship:
        ship(said.work)
    else:
        train(said.work, said)


if __name__ == "__main__":
    main()
