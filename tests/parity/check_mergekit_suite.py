"""check_mergekit_suite.py - what mergekit's own tests assert, of `cocktail merge` as a black box.

Those tests look at a merge from outside: it is there, has no NaN, all tensors, the right files. Here
the numbers are compared with mergekit's, too, where no chance is in them. Left out is what has another
form here: its scheduler, its Python interface, pickled output, and tokenizers that are put together of
several, which need embeddings that move.
"""

import json
import random

import torch
from harness import DTYPES, case, case_for, cocktail, fixture, need, run, scratch, tensors_of, write_tensors
from merging import (Family, by_cocktail, by_mergekit, expect_near, keep_the_first_of_equal_ones, llavas,
                     made_by_transformers, write_recipe)

# ---- models


def pico(rng_seed=1, dtype="bf16"):
    """Llama: vocabulary 64, hidden 32, 16 heads, 2 layers; random."""
    rng = random.Random(rng_seed)
    family = Family.__new__(Family)
    family.dtype, family.n_layers, family.hidden, family.inner, family.vocab = dtype, 2, 32, 48, 64
    family.heads, family.has_head, family.paths = 16, True, []
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    for name in "abc":
        family.paths.append(family.write(name, {key: 0.1 * torch.randn(shape, generator=generator)
                                                for key, shape in family.shapes().items()}))
    return family


def granites():
    import transformers

    return made_by_transformers("GraniteForCausalLM", transformers.GraniteConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_attention_heads=2, num_key_value_heads=2,
        num_hidden_layers=2))


def check_common(output):
    tensors = tensors_of(output)
    assert (output / "config.json").exists()
    assert all(not torch.isnan(x).any() for x in tensors.values()), "NaN"
    return tensors


def lone(name, tensor, dtype="f32"):
    """A folder with one matrix, which the methods take as a model; the path of its file."""
    path = scratch() / name
    path.mkdir(exist_ok=True)
    write_tensors(path, {"w": tensor.to(DTYPES[dtype])})
    return path / "model.safetensors"


def sparsified(x, method, *options, dtype="f32"):
    """What `method` leaves of the difference x of a model to a base of zeros."""
    base, one = lone("base", torch.zeros_like(x), dtype), lone("one", x, dtype)
    named = [text for option in options for text in ("--param", option)]
    cocktail("mix", "--method", method, "--base", base, "-w", "1", *named, one, "-o", scratch() / "out", "-q",
             "--force")
    return tensors_of(scratch() / "out")["w"]


# ---- test_basic_merges

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
DRAWS = ("dare_ties", "della")


def basic_recipe(paths, row):
    method, n_models, parameters, own = row
    base = {"base_model": str(paths[0])} if n_models in (3, -2) or method == "slerp" else {}
    models = paths[1:3] if n_models == 3 else paths[1:2] if n_models == -2 else paths[:2]
    return {"merge_method": method, **base, "parameters": parameters, "dtype": "bfloat16", "models": [
        {"model": str(path), "parameters": {key: values[k] for key, values in own.items()}}
        for k, path in enumerate(models)]}


def compare(config, free=0, *options):
    """The common check, as bfloat16, and the numbers in float32."""
    by_cocktail(config, "ours", *options)
    check_common(scratch() / "ours")
    if config["merge_method"] in DRAWS:
        return None
    keep_the_first_of_equal_ones()
    theirs = by_mergekit({**config, "dtype": "float64", "out_dtype": "float32"}, "theirs")
    ours = by_cocktail({**config, "dtype": "float32"}, "ours-f32", *options)
    return f"{expect_near(ours, theirs, free)[1]} numbers"


@case_for([(i, row[0]) for i, row in enumerate(BASIC)])
def basic_merges_are_those_of_mergekit(i, method):
    need("mergekit")
    family = pico()
    remark = compare(basic_recipe(family.paths, BASIC[i]), 0.001 if method in ("arcee_fusion", "ties", "sce") else 0)
    assert tensors_of(scratch() / "ours").keys() == family.shapes().keys()
    return remark


@case_for(["linear", "slerp", "nuslerp", "task_arithmetic", "breadcrumbs", "ties", "dare_ties", "model_stock"])
def merges_of_an_architecture_without_a_table_are_those_of_mergekit(method):
    """LLaVA: a tower of CLIP, a projector, a Llama."""
    need("mergekit")
    rows = [row for row in BASIC if row[0] == method]
    paths = llavas()
    remarks = [compare(basic_recipe(paths, row), 0.001 if method == "ties" else 0, "-f", "--type", "decoder")
               for row in rows[-2:]]
    assert len(tensors_of(scratch() / "ours")) == len(tensors_of(paths[0]))
    return remarks[-1]


@case_for(["linear", "slerp"])
def granites_are_merged_as_by_mergekit(method):
    need("mergekit")
    return compare(basic_recipe(granites(), [row for row in BASIC if row[0] == method][0]))


@case_for(["pico", "granite", "gpt2"])
def a_copy_is_identical(kind):
    path = {"pico": lambda: pico().paths[0], "granite": lambda: granites()[0],
            "gpt2": lambda: fixture("models/gpt2")}[kind]()
    ours = by_cocktail({"merge_method": "passthrough", "models": [{"model": str(path)}]}, "out")
    theirs = tensors_of(path)
    assert all(torch.equal(x, theirs[name]) for name, x in ours.items()) and ours


@case
def gpt2_stacked_twice_has_twice_the_layers():
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


@case
def della_with_a_large_epsilon_is_refused():
    family = pico()
    config = {"merge_method": "della", "base_model": str(family.paths[0]), "parameters": {"epsilon": 1.35, "density": 0.66},
              "models": [{"model": str(family.paths[1]), "parameters": {"weight": 1}}]}
    cocktail("merge", write_recipe(config), "-o", scratch() / "x", status=3)


# ---- test_chat_template, test_tokenizer


@case_for(["chatml", "{{messages[0]['content']}} of a template"])
def a_chat_template_is_written(template):
    path = str(fixture("decoder-base"))
    by_cocktail({"merge_method": "linear", "models": [{"model": path, "parameters": {"weight": 1}}],
                 "tokenizer": {"source": "base", "pad_to_multiple_of": 1}, "base_model": path,
                 "chat_template": template}, "out")
    text = (scratch() / "out/chat_template.jinja").read_text()
    assert ("<|im_start|>" if template == "chatml" else template) in text


@case
def the_tokenizer_is_that_of_the_base():
    """Of models whose tables have as many rows; the other one knows four tokens more."""
    family = pico()
    for path, extra in (family.paths[0], 0), (family.paths[1], 4):
        vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *(f"_tok_{i}" for i in range(3, 64))])}
        added = [{"id": 64 + i, "content": f"<UNUSED_{i}>", "single_word": False, "lstrip": False, "rstrip": False,
                  "normalized": False, "special": False} for i in range(extra)]
        (path / "tokenizer.json").write_text(json.dumps({
            "version": "1.0", "added_tokens": added, "model": {"type": "BPE", "vocab": vocab, "merges": []}}))
        (path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    config = {"merge_method": "linear", "base_model": str(family.paths[0]), "dtype": "float32",
              "models": [{"model": str(path), "parameters": {"weight": 1}} for path in family.paths[:2]]}
    by_cocktail(config, "out")
    made = json.loads((scratch() / "out/tokenizer.json").read_text())
    assert len(made["model"]["vocab"]) == 64 and not made["added_tokens"]


# ---- test_io, test_lazy_unpickle


@case
def a_tensor_a_shard():
    path = scratch() / "four"
    path.mkdir()
    tensors = {f"layer.{i}.weight": torch.randn(3, 4) for i in range(4)}
    write_tensors(path, tensors)
    (path / "config.json").write_text('{"architectures": ["UnknownModel"], "model_type": "unknown"}')
    made = by_cocktail({"merge_method": "passthrough", "models": [{"model": str(path)}]}, "out", "--type", "decoder",
                       "--shard-size", "1")
    names = sorted(file.name for file in (scratch() / "out").glob("*.safetensors"))
    assert names == [f"model-{i:05}-of-00004.safetensors" for i in range(1, 5)], names
    assert all(torch.equal(made[name], x) for name, x in tensors.items())


@case
def a_pickled_checkpoint_is_read():
    tensors = {f"model.layers.{i}.weight": torch.randn(5, 7).to(dtype)
               for i, dtype in enumerate((torch.float32, torch.float16, torch.bfloat16))}
    path = scratch() / "pickled"
    path.mkdir()
    torch.save(tensors, path / "pytorch_model.bin")
    (path / "config.json").write_text('{"architectures": ["UnknownModel"], "model_type": "unknown"}')
    made = by_cocktail({"merge_method": "passthrough", "models": [{"model": str(path)}]}, "out", "--type", "decoder")
    assert made.keys() == tensors.keys() and all(torch.equal(made[name], x) for name, x in tensors.items())


# ---- test_sparsify


def sample():
    """128 × 64 numbers none of which is 0."""
    x = torch.randn(128, 64, generator=torch.Generator().manual_seed(11))
    return torch.where(x == 0, 7, x)


@case
def density_1_keeps_all_and_0_nothing():
    for method in ("ties", "breadcrumbs", "dare_linear", "della_linear"):
        plain = ("normalize=false", "rescale=false") if method != "breadcrumbs" else ("normalize=false",)
        assert torch.equal(sparsified(sample(), method, "density=1", *plain), sample()), method
        assert (sparsified(sample(), method, "density=0", *plain) == 0).all(), method


@case
def half_is_exactly_half():
    kept = sparsified(sample(), "ties", "density=0.5")
    assert (kept != 0).sum().item() == 4096
    assert kept[kept != 0].abs().min() > sample()[kept == 0].abs().max()


@case_for([0.0, 0.01, 0.25])
def outliers_are_the_largest(gamma):
    x = torch.arange(1, 13, dtype=torch.float32).reshape(4, 3)
    last = 12 - int(gamma * 12)
    kept = sparsified(x, "breadcrumbs", "density=0.5", f"gamma={gamma}")
    assert torch.equal(kept, x * ((x > last - 6) & (x <= last))), kept


@case_for(["f16", "bf16", "f32"])
def outliers_keep_exactly_so_many(dtype):
    """trunc(N density), of 128 × 64 differences none of which is 0."""
    generator = torch.Generator().manual_seed(7)
    x = (torch.randperm(8192, generator=generator) + 1).float()
    x = (x if dtype == "f32" else torch.pow(2.0, -(x % 16)) * (1 + (x // 16 % 128) / 128)).reshape(128, 64)
    for density in (0.1, 0.3, 0.5, 0.6, 0.9, 1):
        for share in (0.1, 0.2, 0.5, 1):
            kept = sparsified(x, "breadcrumbs", f"density={density}", f"gamma={share * (1 - density)!r}", dtype=dtype)
            n = (kept != 0).sum().item()
            assert n == int(8192 * density), f"density {density}, gamma {share}: {n} of 8192"


@case
def what_is_left_is_rescaled_to_the_size_of_all():
    whole = sample().abs().sum()
    for method in ("ties", "breadcrumbs"):
        kept = sparsified(sample(), method, "density=0.5", "rescale=true", "normalize=false")
        assert torch.isclose(kept.abs().sum(), whole, rtol=0.01), method


@case
def what_is_drawn_has_the_size_of_all_on_average():
    whole, sizes = sample().abs().sum(), []
    base, one = lone("base", torch.zeros(128, 64)), lone("one", sample())
    for seed in range(1, 41):
        cocktail("mix", "--method", "dare_linear", "--base", base, "-w", "1", "--param", "density=0.5", "--seed",
                 seed, one, "-o", scratch() / "out", "-q", "--force")
        kept = tensors_of(scratch() / "out")["w"]
        assert 0 < (kept != 0).sum() < 8192
        sizes.append(kept.abs().sum())
    assert torch.isclose(torch.stack(sizes).mean(), whole, rtol=0.01)


@case_for([(method, dtype) for method in ("dare_linear", "della_linear") for dtype in ("f16", "bf16", "f32")])
def what_is_drawn_is_finite(method, dtype):
    kept = sparsified(sample(), method, "density=0.5", *(["epsilon=0.05"] if "della" in method else []), dtype=dtype)
    assert kept.isfinite().all() and kept.dtype == DTYPES[dtype] and (kept != 0).any()


# ---- test_modelref

REFERENCES = [("@@@@@", 3), ("a+b+c", 3), ("a+b+c@d+e@f@g", 3), ("{}@main@v1", 3), ("{}+{}", 3),
              ("{}+not/there+more", 3), ("no_user/no_model@v0.0.1", 6), ("no_user/no_model", 6)]


@case_for(REFERENCES)
def references_are_parsed(text, status):
    path = str(pico().paths[0])
    reference = text.replace("{}", path)
    config = {"merge_method": "passthrough", "models": [{"model": reference}]}
    _, said = cocktail("merge", write_recipe(config), "-o", scratch() / "out", status=status)
    assert said.splitlines()[-1].startswith("cocktail: ") and not (scratch() / "out").exists()


# ---- test_architecture_conversion


@case
def experts_one_by_one_and_stacked_are_the_same():
    """Gate before up; of a layer that lacks an expert's matrix nothing is made."""
    from safetensors.torch import save_file

    source = fixture("models/mixtral")
    tensors = tensors_of(source)
    apart = [key for key in tensors if ".experts." in key]
    n_layers = 1 + max(int(key.split("layers.")[1].split(".")[0]) for key in apart)
    n_experts = 1 + max(int(key.split("experts.")[1].split(".")[0]) for key in apart)
    fused = {key: x for key, x in tensors.items() if key not in apart and "block_sparse_moe.gate" not in key}
    for layer in range(n_layers):
        at, to = f"model.layers.{layer}.block_sparse_moe.", f"model.layers.{layer}.mlp."
        w1, w2, w3 = ([tensors[f"{at}experts.{e}.w{k}.weight"] for e in range(n_experts)] for k in (1, 2, 3))
        fused[f"{to}experts.gate_up_proj"] = torch.stack([torch.cat(pair) for pair in zip(w1, w3)])
        fused[f"{to}experts.down_proj"] = torch.stack(w2)
        fused[f"{to}gate.weight"] = tensors[f"{at}gate.weight"]
    folder = scratch() / "fused"
    folder.mkdir()
    (folder / "config.json").write_text((source / "config.json").read_text())
    save_file(fused, folder / "model.safetensors", metadata={"format": "pt"})
    made = by_cocktail({"merge_method": "slerp", "base_model": str(source), "parameters": {"t": 1},
                        "models": [{"model": str(source)}, {"model": str(folder)}]}, "out")
    assert all(torch.equal(x, tensors[name]) for name, x in made.items()) and len(made) == len(tensors)
    del tensors[apart[0]]
    write_tensors(folder, tensors)
    config = {"merge_method": "slerp", "base_model": str(source), "parameters": {"t": 1},
              "models": [{"model": str(source)}, {"model": str(folder)}]}
    cocktail("merge", write_recipe(config), "-o", scratch() / "none", status=3)


run()
