from supertune.methods.full import METHOD


def test_every_weight_is_tuned_from_the_input_on(lens):
    injection = METHOD.injection(lens.backbone.offer, METHOD.options())
    assert (injection.kind, injection.blocks) == ("unfreeze", None)


def test_nothing_is_replayed_and_every_weight_that_reaches_the_features_is_trained(lens):
    injection = METHOD.injection(lens.backbone.offer, METHOD.options())
    before = lens.backbone.fingerprint()
    tunable = lens.backbone.inject(injection, seed=0)
    assert tunable.from_input
    with tunable:
        trainable = sum(parameter.numel() for parameter in tunable.parameters())
        assert all(parameter.requires_grad for parameter in tunable.parameters())
    # The pooler comes after what is pooled here, so no gradient would ever reach it.
    weights = lens.backbone.model.named_parameters()
    assert trainable == sum(p.numel() for name, p in weights if not name.startswith("pooler."))
    assert lens.backbone.fingerprint() == before
