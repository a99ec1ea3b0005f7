"""Pre-train the small diffusion model that supertune ships as ``emoji-diffusion``.

    python scripts/pretrain_emoji_diffusion.py --work DIR --steps 6000
    python scripts/pretrain_emoji_diffusion.py --work DIR --ship

Pictures: the emoji of the catalogue (Apache-2.0), 32 x 32 pixels over white. Text: token states of
the catalogue's ``minilm`` of each emoji's name, its family, or both. A U-Net of diffusers learns to
predict v (Salimans and Ho 2022, arXiv:2202.00512) with losses weighted by the clamped ratio of
signal to noise (Hang et al. 2023, arXiv:2303.09556); its moving average is what is kept.

What is kept out of the pictures, so that it can be learned as something new: two of the ten
categories, and of every other at least a tenth, in whole families (`HELD_OUT`).

Several processes share each batch under ``python -m torch.distributed.run --nproc-per-node 2``.

The state is written to DIR every few minutes, and a second run goes on from there. The learning
rate is constant until ``--decay`` steps before the end and falls to nothing over those, so that
a run may be given more steps, or fewer, as long as the fall has not begun.
"""

from __future__ import annotations

import argparse
import copy
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
FRESH = 300  # seconds between two states


def network() -> UNet2DConditionModel:
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


def pictures(rows: list[Emoji]) -> torch.Tensor:
    """(n, 3, 32, 32) from -1 to 1."""
    from supertune.data.pictures.decoding import opened

    arrays = [
        np.asarray(opened(row.picture).resize((SIDE, SIDE), Image.Resampling.BOX)) for row in rows
    ]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1


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

    def __init__(self, work: Path, batch: int, rate: float) -> None:
        torch.manual_seed(0)
        self.work, self.batch, self.rate = work, batch, rate
        self.net = network()
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.step, self.seconds = 0, 0.0
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.boards: list[torch.Tensor] = []
        rows = [row for row in emoji() if not held_out(row)]
        self.pixels = pictures(rows)
        said = texts(rows)
        flat = [caption for captions in said for caption in captions]
        states, mask = text_states([*flat, ""])
        self.states = states[:-1].view(len(rows), 3, TOKENS, -1)
        self.mask = mask[:-1].view(len(rows), 3, TOKENS)
        self.unsaid = states[-1], mask[-1]
        self.signal = scheduler().alphas_cumprod.float()

    def drawn(self) -> tuple[torch.Tensor, ...]:
        """A batch; what is drawn depends on the number of the step alone."""
        draw = torch.Generator().manual_seed(1_000_003 + self.step)
        n, count = self.batch, len(self.pixels)
        mine = slice(self.rank, None, self.ranks)
        which = torch.randint(0, count, (n,), generator=draw)
        caption = torch.randint(0, 3, (n,), generator=draw)
        x = self.pixels[which].clone()
        flip = torch.rand(n, generator=draw) < 0.5
        x[flip] = x[flip].flip(-1)
        dx, dy = torch.randint(-2, 3, (2, n), generator=draw)
        x = torch.stack([shifted(one, int(a), int(b)) for one, a, b in zip(x, dx, dy, strict=True)])
        states, mask = self.states[which, caption].clone(), self.mask[which, caption].clone()
        silent = torch.rand(n, generator=draw) < UNSAID
        states[silent], mask[silent] = self.unsaid
        # One time a picture from each of n equal parts, so that batches are alike.
        part = torch.randperm(n, generator=draw) + torch.rand(n, generator=draw)
        t = (part / n * 1000).long().clamp(0, 999)
        noise = torch.randn(x.shape, generator=draw)
        return x[mine], noise[mine], t[mine], states[mine], mask[mine]

    def loss(self) -> torch.Tensor:
        x, noise, t, states, mask = self.drawn()
        kept = self.signal[t].view(-1, 1, 1, 1)
        noised = kept.sqrt() * x + (1 - kept).sqrt() * noise
        wanted = kept.sqrt() * noise - (1 - kept).sqrt() * x
        with torch.autocast("cpu", torch.bfloat16):
            found = self.net(noised, t, states, encoder_attention_mask=mask).sample
        ratio = (kept / (1 - kept)).view(-1)
        weight = ratio.clamp(max=5.0) / (ratio + 1)
        return ((found.float() - wanted).square().mean((1, 2, 3)) * weight).mean()

    def advance(self, steps: int, decay: int) -> float:
        left = steps - self.step
        scale = min(1.0, (self.step + 1) / 200, left / decay)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * scale
        loss = self.loss()
        self.optimizer.zero_grad()
        loss.backward()
        self.share()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(0.998, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return float(loss.detach())

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


def shifted(picture: torch.Tensor, dx: int, dy: int) -> torch.Tensor:
    """(3, h, w) moved by so many pixels; what comes in is white."""
    moved = torch.ones_like(picture)
    h, w = picture.shape[1:]
    ys, xs = slice(max(dy, 0), h + min(dy, 0)), slice(max(dx, 0), w + min(dx, 0))
    from_y, from_x = slice(max(-dy, 0), h + min(-dy, 0)), slice(max(-dx, 0), w + min(-dx, 0))
    moved[:, ys, xs] = picture[:, from_y, from_x]
    return moved


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
    states, mask = text_states([*captions, *[""] * len(captions)])
    plan = scheduler()
    plan.set_timesteps(25)
    x = torch.randn(len(captions), 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    for t in plan.timesteps:
        said, unsaid = net(torch.cat([x, x]), t, states, encoder_attention_mask=mask).sample.chunk(
            2
        )
        x = plan.step(unsaid + guidance * (said - unsaid), t, x).prev_sample
    grid = ((x.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
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


def train(work: Path, steps: int, decay: int, batch: int, rate: float) -> None:
    """Until ``steps`` are done, or a file named ``stop`` is in ``work`` at a hundredth step."""
    work.mkdir(parents=True, exist_ok=True)
    training = Training(work, batch, rate)
    if training.ranks > 1:
        torch.distributed.init_process_group("gloo")
    training.resume()
    saved = lap = time.monotonic()
    losses: list[float] = []
    while training.step < steps:
        losses.append(training.advance(steps, decay))
        now = time.monotonic()
        training.seconds += now - lap
        lap = now
        if training.rank == 0 and (training.step % 100 == 0 or training.step == steps):
            line = {
                "step": training.step,
                "loss": round(float(np.mean(losses)), 5),
                "seconds": round(training.seconds),
            }
            losses = []
            with (work / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            print(line, flush=True)
        if training.rank == 0 and now - saved > FRESH:
            training.save()
            sample(training.average, SHOWN).save(work / f"sample_{training.step:06d}.png")
            saved = lap = time.monotonic()
        if training.step % 100 == 0 and training.told_to_stop():
            break
    if not training.rank:
        training.save()
        sample(training.average, SHOWN).save(work / f"sample_{training.step:06d}.png")


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
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ship", action="store_true", help="put it into the catalogue")
    said = parser.parse_args()
    torch.set_num_threads(said.threads)
    if said.ship:
        ship(said.work)
    else:
        train(said.work, said.steps, said.decay, said.batch, said.rate)


if __name__ == "__main__":
    main()
