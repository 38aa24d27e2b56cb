"""check_methods.py - `cocktail merge` against mergekit: every method, recipes at random.

Shapes, values and recipes are new in each run; METHODS_SEED=N, which every line tells, repeats one.
How near the two must be: merging.py. Methods that draw are compared at density 1, and else by their
statistics.
"""

import os
import random
import sys
from pathlib import Path

import yaml
from harness import TORCH_NAMES, case_for, need, run, scratch
from merging import Family, by_cocktail, by_mergekit, clear, expect_near, keep_the_first_of_equal_ones

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import golden_compare  # noqa: E402

SEED = int(os.environ.get("METHODS_SEED", random.SystemRandom().randrange(1 << 30)))
N_RECIPES = 20
KEEPS = {"density": (0.05, 1.0)}
TASK = {**KEEPS, "normalize": bool, "rescale": bool, "lambda": (0.2, 1.5), "int8_mask": bool}
# name: (models, needs a base: no, yes, maybe, or one of the models; has weights; other parameters)
METHODS = {
    "linear": ((1, 4), "no", True, {"normalize": bool}),
    "slerp": ((2, 2), "one", False, {"t": (0.0, 1.0)}),
    "nuslerp": ((2, 2), "maybe", True, {"nuslerp_flatten": bool, "nuslerp_row_wise": bool}),
    "multislerp": ((1, 4), "maybe", True, {"normalize_weights": bool, "eps": (1e-9, 1e-7)}),
    "karcher": ((1, 4), "no", False, {"max_iter": int, "tol": (1e-7, 1e-5)}),
    "task_arithmetic": ((1, 4), "yes", True, {"normalize": bool, "lambda": (0.2, 1.5), "int8_mask": bool}),
    "ties": ((1, 4), "yes", True, TASK),
    "dare_linear": ((1, 4), "yes", True, {**TASK, "density": 1}),
    "dare_ties": ((1, 4), "yes", True, {**TASK, "density": 1}),
    "della": ((1, 4), "yes", True, {**TASK, "density": 1}),
    "della_linear": ((1, 4), "yes", True, {**TASK, "density": 1}),
    "breadcrumbs": ((1, 4), "yes", True, {**TASK, "gamma": (0.0, 0.3)}),
    "breadcrumbs_ties": ((1, 4), "yes", True, {**TASK, "gamma": (0.0, 0.3)}),
    "model_stock": ((2, 4), "yes", False, {"filter_wise": bool}),
    "sce": ((2, 4), "yes", False, {"select_topk": (0.1, 1.0), "int8_mask": bool}),
    "ram": ((1, 4), "yes", False, {"epsilon": (1e-5, 0.2)}),
    "ramplus_tl": ((1, 4), "yes", False, {"epsilon": (1e-5, 0.2), "r": (0.0, 0.4), "alpha": (0.05, 1.0)}),
    "nearswap": ((1, 1), "yes", False, {"t": (1e-4, 0.3)}),
    "arcee_fusion": ((1, 1), "yes", False, {}),
    "passthrough": ((1, 1), "no", False, {"scale": (0.2, 1.5)}),
}
RANDOM = ("dare_linear", "dare_ties", "della", "della_linear")
EACH = ("density", "gamma", "scale")


# ---- recipes


def value(rng, kind, allows_filters=True):
    """A scalar, values over the layers, or by names."""
    if kind is bool:
        return rng.random() < 0.5
    if kind is int:
        return rng.randint(1, 20)
    if not isinstance(kind, tuple):
        return kind
    low, high = kind
    if rng.random() < 0.3:
        return [rng.uniform(low, high) for _ in range(rng.randint(1, 4))]
    if allows_filters and rng.random() < 0.25:
        return [{"filter": rng.choice(["self_attn", "mlp", "norm", "layers.1."]), "value": value(rng, kind, False)},
                {"value": value(rng, kind, False)}]
    return rng.uniform(low, high)


def some(rng, parameters):
    """Those that are required, and of the others a part."""
    return {name: value(rng, kind) for name, kind in parameters.items()
            if name == "t" or kind == 1 or rng.random() < 0.6}


def recipe(rng, method, family):
    (least, most), base, has_weights, parameters = METHODS[method]
    models = rng.sample(family.paths[1:], rng.randint(least, most))
    uses_base = base == "yes" or (base == "maybe" and rng.random() < 0.5)
    entries = []
    for model in models:
        own = {"weight": value(rng, (0.1, 0.9))} if has_weights else {}
        own |= some(rng, {name: kind for name, kind in parameters.items() if name in EACH})
        entries.append({"model": str(model), "parameters": own})
    made = {"merge_method": method,
            "parameters": some(rng, {name: kind for name, kind in parameters.items() if name not in EACH})}
    if base == "one":
        made["base_model"] = str(rng.choice(models))
    elif uses_base:
        made["base_model"] = str(family.paths[0])
        if rng.random() < 0.5:
            entries.insert(rng.randint(0, len(entries)), {"model": str(family.paths[0])})
    if rng.random() < 0.25:
        made["slices"] = slices(rng, entries, made.get("base_model"), family.n_layers)
    else:
        made["models"] = entries
    return made


def slices(rng, entries, base, n_layers):
    """Of some layers, perhaps others of each model; each slice needs its base."""
    if base and base not in [entry["model"] for entry in entries]:
        entries = entries + [{"model": base}]
    result = []
    for _ in range(rng.randint(1, 3)):
        length = rng.randint(1, n_layers)
        sources = [dict(entry, layer_range=[first, first + length]) for entry in entries
                   for first in [rng.randint(0, n_layers - length)]]
        result.append({"sources": sources})
    return result


# ---- comparing


def thresholds(method):
    """Which share of elements stands on a threshold, or so near that float decides."""
    return 0.001 if method in ("arcee_fusion", "ram", "ramplus_tl", "ties", "sce", "dare_ties", "della",
                               "breadcrumbs_ties") else 0


@case_for([(method, dtype) for method in METHODS for dtype in ("f32", "bf16")])
def gives_what_mergekit_gives(method, dtype):
    need("mergekit")
    keep_the_first_of_equal_ones()
    n_steps = n_items = 0
    for i in range(N_RECIPES):
        rng = random.Random(f"{SEED} {method} {dtype} {i}")
        if i % 5 == 0:
            clear()
            family = Family(rng, dtype)
        made = recipe(rng, method, family)
        made["out_dtype"] = TORCH_NAMES[dtype]
        try:
            theirs = by_mergekit({**made, "dtype": "float64"}, f"theirs-{i}")
            ours = by_cocktail({**made, "dtype": "float32"}, f"ours-{i}")
            steps, items = expect_near(ours, theirs, thresholds(method))
        except Exception as error:
            raise AssertionError(f"seed {SEED}, recipe {i}: {error}\n{yaml.safe_dump(made, sort_keys=False)}") from error
        n_steps, n_items = n_steps + steps, n_items + items
    return f"seed {SEED}: {N_RECIPES} recipes, {n_steps} of {n_items} elements differ"


@case_for(RANDOM)
def draws_as_density_says(method):
    """Each element dropped or kept whole, as many as should be; what is kept is scaled as a whole."""
    for i in range(N_RECIPES):
        rng = random.Random(f"{SEED} {method} {i}")
        clear()
        family = Family(rng, "f32")
        models = rng.sample(family.paths[1:], rng.choice([1, 1, 2]))
        rows = [{"path": str(model), "weight": rng.uniform(0.3, 1.2), "density": rng.uniform(0.3, 0.7),
                 "epsilon": rng.uniform(0.05, 0.25)} for model in models]
        normalize, rescale = rng.random() < 0.5, rng.random() < 0.5 and len(models) == 1
        keys = ("weight", "density", "epsilon") if method.startswith("della") else ("weight", "density")
        ours = by_cocktail({"merge_method": method, "base_model": str(family.paths[0]), "dtype": "float32",
                            "models": [{"model": row["path"], "parameters": {key: row[key] for key in keys}}
                                       for row in rows],
                            "parameters": {"normalize": normalize, "rescale": rescale}}, f"ours-{i}",
                           "--seed", rng.randint(1, 1 << 30))
        stat = {"base": str(family.paths[0]), "models": rows, "normalize": normalize, "rescale": rescale,
                "kind": "della" if method.startswith("della") else "dare",
                "consensus": method in ("dare_ties", "della")}
        assert ours
        wrong = golden_compare.check_stat(stat, golden_compare.read_model(str(scratch() / f"ours-{i}")))
        assert not wrong, f"seed {SEED}, recipe {i}: {wrong}"
    return f"seed {SEED}: {N_RECIPES} recipes"


run()
