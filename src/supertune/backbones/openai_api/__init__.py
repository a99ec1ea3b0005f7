"""The engine for models at a server that speaks the OpenAI API; `openai:MODEL` names one.

What a server does for a model is found out by texts of ours (`probing`); rows are sent with consent
alone (`supertune.contracts.remote`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from supertune.contracts import BackboneRef, Capability, Offer
from supertune.contracts.remote import Account, Terms

if TYPE_CHECKING:
    from supertune.backbones.openai_api.model import OpenAIBackbone
    from supertune.backbones.openai_api.probing import Verified
    from supertune.backbones.openai_api.sending import Sender

_offers: dict[tuple[str | None, ...], Offer] = {}  # found out here, by server, model and route
LONGEST = 8192  # tokens, where a server does not say what it reads


def _described(name: str, *, width: int, features: bool, chat: bool, jobs: bool = False) -> Offer:
    offered: set[Capability] = {"remote"}
    if jobs:
        offered.add("fine_tuning")
    if features:
        offered.add("features")
    if chat:
        offered |= {"score_text", "generate"}
    return Offer(
        capabilities=frozenset(offered),
        family="encoder" if features else "causal",
        architecture=f"{name} at a server",
        width=width,
        depth=0,
        parameters=0,
        max_length=LONGEST,
        pooling="mean",
        languages=("*",),
        chat=chat,
    )


def _offer(ref: BackboneRef, sender: Sender, known: Verified) -> Offer:
    from supertune.backbones.openai_api.jobs import has_jobs

    return _described(
        ref.name,
        width=known.width or 1,
        features=bool(known.width),
        chat=bool(known.spoken),
        jobs=bool(known.spoken) and has_jobs(sender.client),
    )


def _typical() -> Offer:
    """Of a server that does all that is asked of it."""
    return _described("a model", width=1536, features=True, chat=True, jobs=True)


class OpenAIEngine:
    """See `supertune.contracts.Engine`. Each fit opens its own, since it has its own account."""

    name = "openai_api"
    prefix = "openai"
    summary = "Models at a server that speaks the OpenAI API: embeddings, and words by chat"
    modalities: tuple[str, ...] = ("text",)
    extra: str | None = "openai"
    metered = True
    typical = _typical()

    def offers(self, ref: BackboneRef) -> Offer:
        terms = ref.terms or Terms()
        if terms.account.dry:  # what is asked to find out is no part of what a fit would send
            terms = replace(terms, max_cost=None, max_requests=None, account=Account())
        from supertune.backbones.openai_api.client import address

        name = address(terms.base_url), ref.name, terms.api
        if name not in _offers:
            _offers[name] = _offer(ref, *_known(ref, terms))
        return _offers[name]

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> OpenAIBackbone:
        from supertune.backbones.openai_api.model import OpenAIBackbone

        sender, known = _known(ref, ref.terms or Terms())
        return OpenAIBackbone(ref, _offer(ref, sender, known), sender, known)


def _known(ref: BackboneRef, terms: Terms) -> tuple[Sender, Verified]:
    from supertune.backbones.openai_api.client import Client, address
    from supertune.backbones.openai_api.counting import price
    from supertune.backbones.openai_api.probing import verified
    from supertune.backbones.openai_api.sending import Sender

    client = Client(address(terms.base_url), terms.timeout)
    sender = Sender(client, ref.name, terms, price(ref.name, terms.prices))
    return sender, verified(sender)


ENGINE = OpenAIEngine()
