"""check_modules.py - `cocktail merge` with modules against mergekit: encoder-decoders, and a model that sees.

Random T5 recipes: each module of models or slices of its own, gradients that run through each stack.
"""

import random

import torch
from harness import case, case_for, need, run
from merging import by_cocktail, by_mergekit, expect_near, llavas, made_by_transformers


def t5s(rng, kind):
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=rng.randint(30, 60), d_model=16, d_kv=4, d_ff=24, num_heads=2, feed_forward_proj="gated-gelu",
        num_layers=rng.randint(1, 4), num_decoder_layers=rng.randint(1, 5), relative_attention_num_buckets=8,
        tie_word_embeddings=kind == "T5", decoder_start_token_id=0)
    return config, [str(path) for path in made_by_transformers(f"{kind}ForConditionalGeneration", config)]


def weights(rng):
    return {"weight": [rng.randint(1, 9) / 10 for _ in range(rng.randint(1, 3))]}


def models(rng, paths):
    return {"models": [{"model": path, "parameters": weights(rng)} for path in paths]}


def slices(rng, paths, n_layers):
    """One to three slices, the first from layer 0: there the table of positions is."""
    made = []
    for i in range(rng.randint(1, 3)):
        first = rng.randrange(n_layers) if i else 0
        span = rng.randint(1, n_layers - first)
        made.append({"sources": [{"model": path, "layer_range": [first, first + span], "parameters": weights(rng)}
                                 for path in paths]})
    return {"slices": made}


def module(rng, paths, n_layers):
    return models(rng, paths) if rng.random() < 0.4 else slices(rng, paths, n_layers)


def compare(modules, *options):
    config = {"merge_method": "linear", "modules": modules}
    theirs = by_mergekit({**config, "dtype": "float64", "out_dtype": "float32"}, "theirs")
    ours = by_cocktail({**config, "dtype": "float32"}, "ours", *options)
    # A table of positions behind the first layer means nothing: only mergekit keeps it.
    theirs = {name: x for name, x in theirs.items()
              if "relative_attention_bias" not in name or ".block.0." in name}
    return f"{expect_near(ours, theirs, 0)[1]} numbers"


@case_for(list(range(20)))
def modules_of_a_t5_are_those_of_mergekit(seed):
    need("mergekit")
    rng = random.Random(seed)
    config, paths = t5s(rng, "T5")
    return compare({"encoder": module(rng, paths[:2], config.num_layers),
                    "decoder": module(rng, paths[1:], config.num_decoder_layers),
                    "shared": models(rng, paths)})


@case_for(list(range(5)))
def stacks_that_mergekit_finds_itself_have_its_names(seed):
    need("mergekit")
    rng = random.Random(seed)
    _, paths = t5s(rng, "MT5")
    return compare({"encoder.block": models(rng, paths[:2]), "decoder.block": models(rng, paths[1:]),
                    "default": models(rng, paths)})


@case
def a_model_that_sees_has_modules_too():
    need("mergekit")
    torch.manual_seed(0)
    rng = random.Random(0)
    paths = [str(path) for path in llavas()]
    return compare({"model.vision_tower.encoder.layers": models(rng, paths[:2]),
                    "model.language_model.layers": models(rng, paths[1:]), "default": models(rng, paths)},
                   "--type", "decoder")


run()
