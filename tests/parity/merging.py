"""merging.py - what the comparisons of merges with mergekit share: small models, both programs.

mergekit computes with `dtype: float64` and casts once at the end, so what differs is our float
arithmetic. In F32 the two may be 1e-6 of a tensor's largest value (or of 0.25) apart; in BF16 one step
more, at 0.1 % of the elements. Which of equal magnitudes stay at a threshold is left to mergekit's
sorting, and BF16 models have many such: it is given sorting functions of ours, by which those that
come first stay.
"""

import json
import shutil

import torch
import yaml
from harness import DTYPES, TORCH_NAMES, cocktail, scratch, tensors_of, write_tensors

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


def made_by_transformers(kind, config, n=3):
    """n models of a class of transformers, random; their paths."""
    import transformers

    paths = []
    for i in range(n):
        torch.manual_seed(i)
        paths.append(scratch() / f"{kind}-{i}")
        getattr(transformers, kind)(config).to(torch.bfloat16).save_pretrained(paths[-1])
    return paths


def llavas():
    import transformers

    vision = transformers.CLIPVisionConfig(hidden_size=32, intermediate_size=48, num_attention_heads=4,
                                           num_hidden_layers=2, image_size=32, patch_size=8)
    text = transformers.LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48,
                                    num_attention_heads=4, num_hidden_layers=2)
    paths = made_by_transformers("LlavaForConditionalGeneration",
                                 transformers.LlavaConfig(vision_config=vision, text_config=text,
                                                          image_token_index=63))
    for path in paths:  # mergekit knows the names of the module only, and drops the older ones that are saved
        write_tensors(path, {today(name): x for name, x in tensors_of(path).items()})
    return paths


def today(name):
    if name == "language_model.lm_head.weight":
        return "lm_head.weight"
    return "model." + name.replace("language_model.model.", "language_model.")


def clear():
    for old in scratch().iterdir():
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()


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


def write_recipe(config):
    path = scratch() / "recipe.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
