"""From what a method asks of a job to the files and the price of it."""

from __future__ import annotations

from supertune.backbones.openai_api.chat_file import written
from supertune.backbones.openai_api.counting import Rate
from supertune.backbones.openai_api.sending import Sender
from supertune.backbones.openai_api.texts import texts
from supertune.backbones.openai_api.tuning import Tuning
from supertune.contracts import Encoding, JobAsked, Told
from supertune.contracts.remote import source_of
from supertune.errors import InputError


def ordered(
    sender: Sender, rate: Rate, asked: JobAsked, encoding: Encoding, told: Told | None
) -> Tuning:
    """The job, nothing of it sent yet.

    Args:
        rate: tokens of chats at this server.

    Raises:
        InputError: ``rows_not_trainable``, ``price_unknown``.
    """
    rows = [one[0] for one in texts(asked.inputs, encoding)]
    held = frozenset(asked.held)
    places = [place for place in range(len(rows)) if place not in held]
    files = {"training": written(asked, rows, places, rate)}
    if held:
        files["validation"] = written(asked, rows, sorted(held), rate, "validation")
    price = sender.price if sender.price is not None and sender.price.trained is not None else None
    if price is None and sender.terms.max_cost is not None:
        raise InputError(
            "price_unknown",
            "A limit of costs needs a price of training, and that of this model is not known.",
            received=f"--max-cost {sender.terms.max_cost:g} for a job of {sender.model}",
            allowed="a model of the price table, or a table of your own",
            next='Give --prices FILE with {"' + sender.model + '": {"input": 0.1, "output": 0.4, '
            '"training": 3, "tuned": {"input": 0.2, "output": 0.8}}}, a million tokens each.',
        )
    sources = tuple(map(source_of, asked.inputs))
    return Tuning(sender, asked, files, price, sources, told)
