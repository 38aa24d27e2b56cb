"""check_linear.py - `cocktail mix` against its own definition and against mergekit's `linear`.

Against the definition (oracle.py): every bit. Against mergekit 0.1.5: it multiplies and adds in
float32 with the weights rounded to float32, divides by their sum in float32 and rounds that to the
stored dtype, while we compute in double and round once. So with n models the two differ by at most
   (n + 2) * 2^-24 * sum |w x|    its products, sums, quotient and weights
   + 1 unit in the last place     of the stored dtype: both round, near a tie to different sides
and the number of elements that differ at all is printed.
"""

import random
from fractions import Fraction

import numpy as np
import torch
from harness import (DTYPES, case, case_for, copy_model, expect_same_tensors, family, minilm, mix, need, run,
                     scratch, tensors_of, weights_files)

import oracle

FAMILIES = ["decoder", "encoder", "reranker"]
WEIGHTS = {2: [0.7, 0.3], 3: [0.5, 0.25, 0.25], 4: [0.4, 0.3, 0.2, 0.1]}


def family_models(kind):
    models = family(kind)[:4]
    return models, WEIGHTS[len(models)]


def expect_definition(models, weights, output, dtype=None):
    inputs = [tensors_of(model) for model in models]
    expected = {}
    for name, base in inputs[0].items():
        if base.is_floating_point():
            expected[name] = oracle.linear([x[name] for x in inputs], weights, dtype)
        else:
            expected[name] = base
    n = expect_same_tensors(tensors_of(output), expected)
    return f"{n} elements, none differs"


# ---- the oracle itself


def _round_exactly(value, n_bits, smallest_exponent):
    """A Fraction rounded to n_bits of mantissa, ties to even, as a Fraction."""
    if value == 0:
        return value
    exponent = 0
    size = abs(value)
    while size >= 2:
        size, exponent = size / 2, exponent + 1
    while size < 1:
        size, exponent = size * 2, exponent - 1
    unit = Fraction(2) ** (max(exponent, smallest_exponent) - n_bits + 1)
    return round(value / unit) * unit  # round() of a Fraction: ties to even


def _tricky_doubles(rng, n):
    """Values whose products and sums lie near the middle between two doubles."""
    values = [rng.uniform(-1, 1) * 2.0 ** rng.randint(-40, 10) for _ in range(n)]
    return [v if rng.random() < 0.5 else float(np.float32(v)) for v in values]


@case
def the_oracle_agrees_with_exact_fractions():
    rng = random.Random(1)
    n = 20000
    a, b = (_tricky_doubles(rng, n) for _ in range(2))
    # Sums that nearly cancel, or lie a hair from a tie, are where a wrong fma shows.
    c = [rng.choice([-x * y, x * y * 2.0**-53, x * y * (1 + 2.0**-30), rng.uniform(-1, 1)])
         for x, y in zip(a, b)]
    got = oracle.fma(np.array(a), np.array(b), np.array(c))
    for x, y, z, result in zip(a, b, c, got):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        assert Fraction(float(result)) == _round_exactly(exact, 53, -1022), (x, y, z, float(result))
    return f"{n} multiply-adds"


@case_for([("bf16", 8, -126), ("f16", 11, -14), ("f32", 24, -126)])
def the_oracle_rounds_as_fractions_do(dtype, n_bits, smallest_exponent):
    rng = random.Random(2)
    values = []
    for _ in range(20000):
        value = rng.uniform(-1, 1) * 2.0 ** rng.randint(-30, 10)
        tie = float(_round_exactly(Fraction(value), n_bits + 1, smallest_exponent))
        values += [value, tie, float(np.nextafter(tie, 1e9)), float(np.nextafter(tie, -1e9))]
    got = oracle._round(np.array(values), DTYPES[dtype]).double().tolist()
    for value, result in zip(values, got):
        assert Fraction(result) == _round_exactly(Fraction(value), n_bits, smallest_exponent), value
    return f"{len(values)} values"


# ---- against the definition


@case_for(FAMILIES)
def is_what_we_define_as_stored(kind):
    models, weights = family_models(kind)
    return expect_definition(models, weights, mix(models, weights))


@case_for([(kind, dtype) for kind in FAMILIES for dtype in ("f32", "f16", "bf16")])
def is_what_we_define_converted(kind, dtype):
    models, weights = family_models(kind)
    output = mix(models, weights, "--dtype", dtype)
    return expect_definition(models, weights, output, DTYPES[dtype])


@case_for(FAMILIES)
def is_what_we_define_for_mixed_dtypes(kind):
    models, weights = family_models(kind)
    dtypes = ["f16", "bf16", "f32", "f64"]
    models = [copy_model(m, m.name, dtypes[i % 4]) for i, m in enumerate(models)]
    return expect_definition(models, weights, mix(models, weights))


@case_for([([0.3003, 0.7],), ([1.5, -0.5],), ([-0.25, 1.25],), ([1.0, 0.0],), ([0.0, 1.0],), ([1 / 3, 2 / 3],)])
def is_what_we_define_for_unusual_weights(weights):
    models = family("decoder", 2)
    return expect_definition(models, weights, mix(models, weights))


@case
def is_what_we_define_after_normalize():
    models = family("encoder", 3)
    weights = [3, 1, 7]
    return expect_definition(models, weights, mix(models, weights, "--normalize"))


@case_for([None, "f32", "f16", "bf16"])
def is_what_we_define_for_all_minilm(dtype):
    models, weights = minilm(), [0.6, 0.4]
    output = mix(models, weights, *(["--dtype", dtype] if dtype else []))
    return expect_definition(models, weights, output, DTYPES.get(dtype))


# ---- against mergekit


def run_mergekit(models, weights, dtype, output):
    """mergekit's own machinery. Its plan for BertModel fails in 0.1.5 (a list and a tuple are
    added), so models of that class go through mergekit-pytorch's, which merges by name."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(quiet=True, copy_tokenizer=False, write_model_card=False)
    paths = [str(model) for model in models]
    if "BertModel" in (models[0] / "config.json").read_text():
        return run_mergekit_by_name([str(weights_files(m)[0]) for m in models], weights, dtype, output, options)
    rows = [{"model": path, "parameters": {"weight": w}} for path, w in zip(paths, weights)]
    config = {"merge_method": "linear", "models": rows}
    if dtype:
        config["dtype"] = dtype
    run_merge(MergeConfiguration.model_validate(config), str(output), options)
    return tensors_of(output)


def run_mergekit_by_name(files, weights, dtype, output, options):
    from mergekit.graph import Executor
    from mergekit.scripts import merge_raw_pytorch as raw

    rows = [{"model": path, "parameters": {"weight": w}} for path, w in zip(files, weights)]
    config = raw.RawPyTorchMergeConfig(merge_method="linear", models=rows, dtype=dtype)
    tasks = raw.plan_flat_merge(config, str(output), False, False, options)
    for _ in Executor(tasks, math_device="cpu", storage_device="cpu").run(quiet=True):
        pass
    return tensors_of(output)


def unit_in_last_place(values, dtype):
    """The spacing of `dtype` at `values` (doubles)."""
    info = torch.finfo(dtype)
    exponents = torch.frexp(values.abs().clamp(min=info.smallest_normal)).exponent - 1
    return torch.ldexp(torch.full_like(values, info.eps), exponents)


def expect_near_mergekit(models, weights, ours, theirs, dtype=None):
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())[:5]
    inputs = [tensors_of(model) for model in models]
    n_elements = n_differing = 0
    worst = 0.0
    for name, x in ours.items():
        y = theirs[name]
        if not x.is_floating_point():
            continue
        assert x.dtype == y.dtype, f"'{name}': {x.dtype} and {y.dtype}"
        size = sum(abs(w) * t[name].double().abs() for w, t in zip(oracle.scaled(weights), inputs))
        bound = (len(models) + 2) * 2.0**-24 * size
        bound += unit_in_last_place(torch.maximum(x.double().abs(), y.double().abs()), x.dtype)
        difference = (x.double() - y.double()).abs()
        worst = max(worst, (difference / bound).max().item()) if x.numel() else worst
        assert (difference <= bound).all(), f"'{name}': {difference.max().item()} apart"
        n_elements += x.numel()
        n_differing += (x != y).sum().item()
    return (f"{n_differing} of {n_elements} elements differ ({100 * n_differing / n_elements:.3f} %), "
            f"at most {worst:.2f} of what rounding allows")


@case_for([(kind, dtype) for kind in FAMILIES for dtype in (None, "float32")])
def is_near_mergekit(kind, dtype):
    need("mergekit")
    models, weights = family_models(kind)
    theirs = run_mergekit(models, weights, dtype, scratch() / "mergekit")
    ours = tensors_of(mix(models, weights, *(["--dtype", "f32"] if dtype else [])))
    return expect_near_mergekit(models, weights, ours, theirs)


@case_for([(kind, dtype) for kind in FAMILIES for dtype in ("f16", "bf16")])
def is_near_mergekit_for_copies(kind, dtype):
    need("mergekit")
    models, weights = family_models(kind)
    models = [copy_model(model, model.name, dtype) for model in models]
    theirs = run_mergekit(models, weights, None, scratch() / "mergekit")
    return expect_near_mergekit(models, weights, tensors_of(mix(models, weights)), theirs)


@case_for([None, "bf16"])
def is_near_mergekit_for_all_minilm(dtype):
    need("mergekit")
    models, weights = minilm(), [0.6, 0.4]
    if dtype:
        models = [copy_model(model, f"{model.name}-{dtype}", dtype) for model in models]
    theirs = run_mergekit(models, weights, None, scratch() / "mergekit")
    return expect_near_mergekit(models, weights, tensors_of(mix(models, weights)), theirs)


run()
