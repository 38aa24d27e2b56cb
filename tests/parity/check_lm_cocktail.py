"""check_lm_cocktail.py - `cocktail mix --compat lm-cocktail` against LM_Cocktail's merge_param.

Bit for bit, NaN aside (its bits are not torch's). The default arithmetic must agree with it within
what its roundings can do: with n models of a dtype of unit roundoff u it rounds n products and n-1
sums, so the two differ by at most (n + 1) * u * sum |w x|, plus a subnormal spacing per rounding.
"""

import contextlib
import sys

import torch
from harness import (DTYPES, case, case_for, copy_model, expect_same_tensors, family, fixture, mix, need, run,
                     scratch, tensors_of, write_tensors)

FAMILIES = ["decoder", "encoder", "reranker"]
WEIGHTS = {2: [0.7, 0.3], 3: [0.5, 0.2, 0.3], 4: [0.4, 0.3, 0.2, 0.1]}
COPIES = [(kind, dtype) for kind in FAMILIES for dtype in ("bf16", "f16", "f32")]


def merge_param(inputs, weights):
    need("LM_Cocktail")
    from LM_Cocktail.utils import merge_param

    return merge_param(inputs, weights)


def family_models(kind, dtype=None):
    models = family(kind)[:4]
    weights = WEIGHTS[len(models)]
    if dtype:
        models = [copy_model(model, model.name, dtype) for model in models]
    return models, weights


def mix_as_lm_cocktail(models, weights, *options):
    return tensors_of(mix(models, weights, "--compat", "lm-cocktail", *options, output=scratch() / "compat"))


@case_for(FAMILIES)
def same_bits_as_stored(kind):
    models, weights = family_models(kind)
    theirs = merge_param([tensors_of(model) for model in models], weights)
    return f"{expect_same_tensors(mix_as_lm_cocktail(models, weights), theirs)} elements"


@case_for(COPIES)
def same_bits_in_copies(kind, dtype):
    models, weights = family_models(kind, dtype)
    theirs = merge_param([tensors_of(model) for model in models], weights)
    return f"{expect_same_tensors(mix_as_lm_cocktail(models, weights), theirs)} elements"


@case_for(FAMILIES)
def same_bits_with_mixed_dtypes(kind):
    models, weights = family_models(kind)
    dtypes = ["f16", "f32", "bf16", "f32"]
    models = [copy_model(model, model.name, dtypes[i]) for i, model in enumerate(models)]
    theirs = merge_param([tensors_of(model) for model in models], weights)
    return f"{expect_same_tensors(mix_as_lm_cocktail(models, weights), theirs)} elements"


@case_for([([0.9995, 0.001],), ([1.5, -0.5],), ([0.0, 1.0],), ([1.0, 0.0],), ([0.1, 0.9],)])
def same_bits_with_unusual_weights(weights):
    models = family("decoder", 2)
    theirs = merge_param([tensors_of(model) for model in models], weights)
    return f"{expect_same_tensors(mix_as_lm_cocktail(models, weights), theirs)} elements"


@case_for(COPIES)
def same_bits_through_its_own_loaders(kind, dtype):
    """As mix_models does it: models loaded with transformers, their state dicts merged. What only
    the state dict has (a tied head) must be what it is tied to."""
    need("LM_Cocktail")
    from LM_Cocktail.utils import get_model_param_list

    models, weights = family_models(kind, dtype)
    with contextlib.redirect_stdout(sys.stderr):
        states = get_model_param_list([str(model) for model in models], kind)
    assert next(iter(states[0].values())).dtype == DTYPES[dtype]
    ours, theirs = mix_as_lm_cocktail(models, weights), merge_param(states, weights)
    only_theirs = theirs.keys() - ours.keys()
    assert only_theirs <= {"lm_head.weight"}, only_theirs
    if only_theirs:
        expect_same_tensors({"x": ours["model.embed_tokens.weight"]}, {"x": theirs["lm_head.weight"]})
    n = expect_same_tensors(ours, {name: t for name, t in theirs.items() if name in ours})
    return f"{n} elements"


@case_for(["decoder", "reranker"])
def same_bits_as_the_files_of_mix_models(kind):
    """Its whole way, from folders to a folder. (For encoders its last step calls a part of
    sentence-transformers that version 6 no longer has.)"""
    need("LM_Cocktail")
    from LM_Cocktail import mix_models

    models, weights = family_models(kind)
    theirs = scratch() / "theirs"
    with contextlib.redirect_stdout(sys.stderr):
        mix_models([str(model) for model in models], kind, weights, str(theirs))
    return f"{expect_same_tensors(mix_as_lm_cocktail(models, weights), tensors_of(theirs))} elements"


@case_for(COPIES)
def the_default_differs_by_its_roundings_only(kind, dtype):
    models, weights = family_models(kind, dtype)
    inputs = [tensors_of(model) for model in models]
    theirs, ours = merge_param(inputs, weights), tensors_of(mix(models, weights))
    info = torch.finfo(DTYPES[dtype])
    n_elements = n_differing = 0
    for name, x in ours.items():
        size = sum(abs(w) * t[name].double().abs() for w, t in zip(weights, inputs))
        bound = (len(models) + 1) * (info.eps / 2 * size + info.smallest_normal * info.eps)
        difference = (x.double() - theirs[name].double()).abs()
        assert (difference <= bound * (1 + 2.0**-20)).all(), f"'{name}': {difference.max().item()} apart"
        n_elements += x.numel()
        n_differing += (x != theirs[name]).sum().item()
    return f"{n_differing} of {n_elements} elements differ ({100 * n_differing / n_elements:.1f} %)"


@case_for([("bf16", 1), ("f16", 2), ("f32", 3)])
def same_bits_for_random_bits(dtype, seed):
    """All of the dtype's values, subnormal and infinite ones too. NaN is NaN on both sides."""
    generator = torch.Generator().manual_seed(seed)
    n, integer = 200000, torch.int32 if dtype == "f32" else torch.int16
    limits = torch.iinfo(integer)
    models, weights = [], [0.35, 0.45, 0.2]
    for i in range(3):
        model = scratch() / f"random-{i}"
        model.mkdir()
        # Of a kind whose tensors we do not know: they may be called anything.
        (model / "config.json").write_text('{"architectures": ["ElectraModel"], '
                                            '"model_type": "electra", "hidden_size": 4}')
        bits = torch.randint(limits.min, limits.max + 1, (n,), generator=generator, dtype=torch.int64)
        write_tensors(model, {"x": bits.to(integer).view(DTYPES[dtype])})
        models.append(model)
    ours = mix_as_lm_cocktail(models, weights)["x"]
    theirs = merge_param([tensors_of(model) for model in models], weights)["x"]
    assert torch.equal(ours.isnan(), theirs.isnan())
    zero = torch.zeros((), dtype=DTYPES[dtype])
    expect_same_tensors({"x": ours.where(~ours.isnan(), zero)}, {"x": theirs.where(~theirs.isnan(), zero)})
    return f"{n} elements, {ours.isnan().sum().item()} NaN, {ours.isinf().sum().item()} infinite"


run()
