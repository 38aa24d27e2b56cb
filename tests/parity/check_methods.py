"""check_methods.py - `cocktail merge` against mergekit: every method, recipes at random.

Shapes, values and recipes are new in each run; METHODS_SEED=N, which every line tells, repeats one.
mergekit computes with `dtype: float64` and casts once at the end, so what differs is our float
arithmetic. In F32 the two may be 1e-6 of a tensor's largest value (or of 0.25) apart; in BF16 one step
more, at 0.1 % of the elements. Which of equal magnitudes stay at a threshold is left to mergekit's
sorting, and BF16 models have many such: it is given sorting functions of ours, by which those that
come first stay. Methods that draw are compared at density 1, and else by their statistics.
"""

import json
import os
import random
import shutil
import sys
from pathlib import Path

import torch
import yaml
from harness import DTYPES, TORCH_NAMES, case, case_for, cocktail, need, run, scratch, tensors_of, write_tensors

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


# ---- models


class Family:
    """A base and what was made of it, of a small shape of its own."""

    n_made = 0  # mergekit remembers what lay at a path

    def __init__(self, rng, dtype):
        self.dtype = dtype
        self.n_layers, heads = rng.randint(2, 4), rng.choice([2, 4])
        self.hidden, self.inner, self.vocab = heads * rng.choice([4, 6, 8]), rng.randint(9, 40), rng.randint(20, 60)
        self.heads, self.has_head = heads, rng.random() < 0.5
        generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
        base = {name: torch.randn(shape, generator=generator) * (0.3 if len(shape) > 1 else 1)
                for name, shape in self.shapes().items()}
        self.paths = [self.write("base", base)]
        for i in range(4):
            self.paths.append(self.write("abcd"[i], {
                name: x + 0.1 * torch.randn(x.shape, generator=generator) *
                (torch.rand(x.shape, generator=generator) < rng.choice([0.5, 1])) for name, x in base.items()}))

    def shapes(self):
        hidden, inner = self.hidden, self.inner
        shapes = {"model.embed_tokens.weight": (self.vocab, hidden), "model.norm.weight": (hidden,)}
        if self.has_head:
            shapes["lm_head.weight"] = (self.vocab, hidden)
        for layer in range(self.n_layers):
            at = f"model.layers.{layer}."
            for name in "qkvo":
                shapes[f"{at}self_attn.{name}_proj.weight"] = (hidden, hidden)
            shapes |= {f"{at}mlp.gate_proj.weight": (inner, hidden), f"{at}mlp.up_proj.weight": (inner, hidden),
                       f"{at}mlp.down_proj.weight": (hidden, inner), f"{at}input_layernorm.weight": (hidden,),
                       f"{at}post_attention_layernorm.weight": (hidden,)}
        return shapes

    def write(self, name, tensors):
        Family.n_made += 1
        path = scratch() / f"{self.dtype}-{name}-{Family.n_made}"
        path.mkdir()
        config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": self.hidden,
                  "intermediate_size": self.inner, "num_hidden_layers": self.n_layers,
                  "num_attention_heads": self.heads, "num_key_value_heads": self.heads, "vocab_size": self.vocab,
                  "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu",
                  "tie_word_embeddings": not self.has_head, "torch_dtype": TORCH_NAMES[self.dtype]}
        (path / "config.json").write_text(json.dumps(config))
        write_tensors(path, {key: value.to(DTYPES[self.dtype]) for key, value in tensors.items()})
        return path


def clear():
    for old in scratch().iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()


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


# ---- both programs


class Sorting:
    """torch, for one module of mergekit: of equal items at a threshold the first ones stay."""

    window = None  # places first, end that stay of what is sorted next

    def __getattr__(self, name):
        return getattr(torch, name)

    @staticmethod
    def argsort(x, descending=False, **options):
        return torch.argsort(x, descending=descending, stable=True, **options)

    @staticmethod
    def topk(x, k, largest=True):
        # Rounded, as equal variances of doubles differ in their last digits.
        return None, torch.argsort(x.float(), descending=largest, stable=True)[:k]

    @classmethod
    def sort(cls, x, descending=False):
        order = torch.argsort(x, descending=descending, stable=True)
        first, end = cls.window
        if first < end:
            n_before = (x < x[order[first]]).sum().item()
            n_upto = (x <= x[order[first]]).sum().item()
            equal = order[n_before:n_upto]  # lower indices first; the window begins among them
            n_out, n_kept = first - n_before, min(end, n_upto) - first
            order[n_before:n_upto] = torch.cat([equal[n_kept:n_kept + n_out], equal[:n_kept],
                                                equal[n_kept + n_out:]])
        return type("Sorted", (), {"indices": order})


def keep_the_first_of_equal_ones():
    import mergekit.merge_methods.sce as sce
    from mergekit import sparsify

    if isinstance(sparsify.torch, Sorting):
        return
    outliers = sparsify.magnitude_outliers

    def with_window(x, density, rescale_norm=None, gamma=0.01):
        n = x.numel()
        first = max(0, n - int(density * n) - int(gamma * n))
        Sorting.window = first, first + int(density * n)
        return outliers(x, density, rescale_norm=rescale_norm, gamma=gamma)

    sparsify.magnitude_outliers = with_window
    sparsify.torch = sce.torch = Sorting()


def by_mergekit(config, name):
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    output = scratch() / name
    run_merge(MergeConfiguration.model_validate(config), str(output),
              MergeOptions(quiet=True, copy_tokenizer=False, write_model_card=False))
    return tensors_of(output)


def by_cocktail(config, name, *options):
    path, output = scratch() / f"{name}.yml", scratch() / name
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    cocktail("merge", path, "-q", "-o", output, *options)
    return tensors_of(output)


def expect_near(ours, theirs, free):
    """The share of elements that differ by a step; `free` of the elements may be anything."""
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())[:5]
    n_items = n_steps = n_others = 0
    for name, x in ours.items():
        y = theirs[name]
        assert x.dtype == y.dtype and x.shape == y.shape, f"'{name}': {x.dtype} and {y.dtype}"
        a, b = x.double(), y.double()
        far = (a - b).abs()
        bound = torch.full_like(a, 1e-6 * max(0.25, b.abs().max().item()))
        n_steps += (far > bound).sum().item()
        if x.dtype != torch.float32:
            bound += torch.finfo(x.dtype).eps * torch.maximum(a.abs(), b.abs())
        n_others += (far > bound).sum().item()
        n_items += x.numel()
        if free == 0:
            assert (far <= bound).all(), f"'{name}': {far.max().item():.3g} apart"
    assert n_others <= free * n_items, f"{n_others} of {n_items} elements are others"
    assert n_steps <= (0.001 + free) * n_items + 2, f"{n_steps} of {n_items} elements differ"
    return n_steps, n_items


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


# ---- mergekit's own tests


def pico(rng_seed=1, dtype="bf16"):
    """picollama: vocabulary 64, hidden 32, 16 heads, 2 layers; random."""
    rng = random.Random(rng_seed)
    family = Family.__new__(Family)
    family.dtype, family.n_layers, family.hidden, family.inner, family.vocab = dtype, 2, 32, 48, 64
    family.heads, family.has_head, family.paths = 16, True, []
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    for name in "abc":
        family.paths.append(family.write(name, {key: 0.1 * torch.randn(shape, generator=generator)
                                                for key, shape in family.shapes().items()}))
    return family


def check_common(output):
    tensors = tensors_of(output)
    assert (output / "config.json").exists()
    assert all(not torch.isnan(x).any() for x in tensors.values()), "NaN"
    return tensors


BASIC = [
    ("linear", 2, {}, {"weight": (0.6, 0.4)}), ("slerp", 2, {"t": 0.35}, {}),
    *[("nuslerp", 2 + has_base, {"nuslerp_flatten": flatten, "nuslerp_row_wise": rows}, {"weight": (-0.5, 0.5)})
      for has_base in (0, 1) for flatten in (False, True) for rows in (False, True)],
    ("task_arithmetic", 3, {}, {"weight": (0.5, 0.5)}), ("breadcrumbs", 3, {"density": 0.5}, {"weight": (0.5, 0.5)}),
    ("ties", 3, {"density": 0.3}, {"weight": (0.5, 0.5)}), ("sce", 3, {"select_topk": 0.5}, {}),
    ("ram", 3, {}, {}), ("ramplus_tl", 3, {"r": 0.05, "alpha": 1}, {}),
    ("multislerp", 3, {}, {"weight": (0.5, 0.5)}), ("dare_ties", 3, {"density": 0.66}, {"weight": (0.5, 0.5)}),
    ("model_stock", 3, {}, {}), ("model_stock", 3, {"filter_wise": True}, {}), ("arcee_fusion", -2, {}, {}),
    ("nearswap", -2, {"t": 1e-4}, {}), ("karcher", 2, {"max_iter": 5}, {}),
    ("della", 3, {"density": 0.66, "epsilon": 0.05, "lambda": 0.5}, {"weight": (0.5, 0.5)}),
]


@case_for([(i, row[0]) for i, row in enumerate(BASIC)])
def merges_of_test_basic_merges(i, method):
    family = pico()
    _, n_models, parameters, own = BASIC[i]
    base = {"base_model": str(family.paths[0])} if n_models in (3, -2) or method == "slerp" else {}
    paths = family.paths[1:3] if n_models == 3 else family.paths[1:2] if n_models == -2 else family.paths[:2]
    config = {"merge_method": method, **base, "parameters": parameters, "dtype": "bfloat16", "models": [
        {"model": str(path), "parameters": {key: values[k] for key, values in own.items()}}
        for k, path in enumerate(paths)]}
    by_cocktail(config, "out")
    tensors = check_common(scratch() / "out")
    assert tensors.keys() == family.shapes().keys()


def write_recipe(config):
    path = scratch() / "recipe.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@case
def della_with_a_large_epsilon_is_refused():
    family = pico()
    config = {"merge_method": "della", "base_model": str(family.paths[0]), "parameters": {"epsilon": 1.35, "density": 0.66},
              "models": [{"model": str(family.paths[1]), "parameters": {"weight": 1}}]}
    cocktail("merge", write_recipe(config), "-o", scratch() / "x", status=3)


@case
def a_copy_is_identical():
    family = pico()
    ours = by_cocktail({"merge_method": "passthrough", "models": [{"model": str(family.paths[0])}]}, "out")
    assert all(torch.equal(x, y) for x, y in zip(ours.values(), tensors_of(family.paths[0]).values()))


@case
def gpt2_stacked_twice_has_twice_the_layers():
    from harness import fixture

    source = fixture("models/gpt2")
    n = json.loads((source / "config.json").read_text())["n_layer"]
    part = {"sources": [{"model": str(source), "layer_range": [0, n]}]}
    by_cocktail({"merge_method": "passthrough", "slices": [part, part]}, "out")
    assert json.loads((scratch() / "out/config.json").read_text())["n_layer"] == 2 * n
    check_common(scratch() / "out")


@case
def scale_by_filter_zeroes_o_proj():
    family = pico()
    ours = by_cocktail({"merge_method": "passthrough", "models": [{"model": str(family.paths[0]), "parameters": {
        "scale": [{"filter": "o_proj", "value": 0}, {"value": 1}]}}]}, "out")
    assert all((x == 0).all() for name, x in ours.items() if "o_proj" in name)
    assert (ours["lm_head.weight"] != 0).any()


@case_for(["chatml", "{{messages[0]['content']}} of a template"])
def templates_of_test_chat_template(template):
    from harness import fixture

    path = str(fixture("decoder-base"))
    by_cocktail({"merge_method": "linear", "models": [{"model": path, "parameters": {"weight": 1}}],
                 "tokenizer": {"source": "base", "pad_to_multiple_of": 1}, "base_model": path,
                 "chat_template": template}, "out")
    text = (scratch() / "out/chat_template.jinja").read_text()
    assert ("<|im_start|>" if template == "chatml" else template) in text


@case_for(["f16", "bf16", "f32"])
def outliers_keep_exactly_so_many(dtype):
    """test_sparsify: trunc(N density), of 128 × 64 differences none of which is 0."""
    generator = torch.Generator().manual_seed(7)
    x = (torch.randperm(8192, generator=generator) + 1).float()
    x = (x if dtype == "f32" else torch.pow(2.0, -(x % 16)) * (1 + (x // 16 % 128) / 128)).reshape(128, 64)
    for name, tensor in ("base", torch.zeros(128, 64)), ("one", x):
        (scratch() / name).mkdir()
        write_tensors(scratch() / name, {"w": tensor.to(DTYPES[dtype])})
    for density in (0.1, 0.3, 0.5, 0.6, 0.9, 1):
        for share in (0.1, 0.2, 0.5, 1):
            cocktail("mix", "--method", "breadcrumbs", "--base", scratch() / "base/model.safetensors", "-w", "1",
                     "--param", f"density={density}", "--param", f"gamma={share * (1 - density)!r}",
                     scratch() / "one/model.safetensors", "-o", scratch() / "out", "-q", "--force")
            kept = (tensors_of(scratch() / "out")["w"] != 0).sum().item()
            assert kept == int(8192 * density), f"density {density}, gamma {share}: {kept} of 8192"


run()
