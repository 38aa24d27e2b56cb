"""check_moe.py - `cocktail moe` against mergekit-moe: every class, every gate mode, on fresh models and prompts.

Models, sizes, prompts and files are new in each run; MOE_SEED=N, which every line tells, repeats one. mergekit runs the
base in bfloat16; here it is made to run in float32, by which the routers must be within ROUTER. All else is the same bit
for bit. Random routers and noise are compared by their statistics, residual scales and the biases that Qwen2-MoE wants
exactly. transformers loads every mixture, and computes the same logits as we do (DeepSeek-MoE by fixtures/deepseek_moe.py).
"""

import io
import json
import logging
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import torch
import transformers as hf
import yaml
from harness import COCKTAIL, FIXTURES, case_for, need, run, scratch
from safetensors.torch import load_file

sys.path.insert(0, str(FIXTURES))
import deepseek_moe  # noqa: E402
import make_models  # noqa: E402

SEED = int(os.environ.get("MOE_SEED", random.SystemRandom().randrange(1 << 30)))
ROUTER = 1e-4
LOGITS = 2e-5
MODES = ["hidden", "hidden_last", "hidden_avg", "cheap_embed", "random", "uniform_random"]
# class: what it is made of, how many shared experts, whether these have prompts
CLASSES = {
    "Mixtral": (("Llama", "Mistral"), (0,), False),
    "DeepSeek": (("Llama", "Mistral"), (0, 1), False),
    "Qwen MoE": (("Llama", "Mistral", "Qwen2"), (1,), True),
    "Qwen3": (("Qwen3",), (0,), False),
}
LOADERS = {"MixtralForCausalLM": hf.MixtralForCausalLM, "Qwen2MoeForCausalLM": hf.Qwen2MoeForCausalLM,
           "Qwen3MoeForCausalLM": hf.Qwen3MoeForCausalLM, "DeepseekForCausalLM": deepseek_moe.DeepseekForCausalLM}


def models(rng, kind, n):
    """The paths of a base and n - 1 others of its shape."""
    heads = rng.choice([2, 4])
    sizes = dict(vocab_size=827 if kind == "Qwen2" else 61, hidden_size=heads * rng.choice([6, 8]), intermediate_size=rng.randint(9, 40),
                 num_hidden_layers=rng.randint(1, 4), num_attention_heads=heads, num_key_value_heads=rng.choice([1, 2]),
                 max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None,
                 tie_word_embeddings=rng.random() < 0.5)
    if kind == "Qwen3":
        sizes["head_dim"] = rng.choice([4, 6])
    if kind == "Mistral":
        sizes["sliding_window"] = rng.choice([None, 4])
    paths = []
    for i in range(n):
        torch.manual_seed(rng.randrange(1 << 30))
        model = getattr(hf, f"{kind}ForCausalLM")(getattr(hf, f"{kind}Config")(**sizes)).float()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * (0.3 if parameter.dim() > 1 else 1))
        paths.append(scratch() / f"{kind}-{i}")
        model.save_pretrained(paths[-1])
        if kind == "Qwen2":  # transformers 5 makes a tokenizer of its own of any file, unless it is one like this
            for name in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(FIXTURES / "decoder-base" / name, paths[-1])
        else:
            make_models.save_tokenizer(paths[-1], "llama", sizes["vocab_size"])
    return paths


def prompts(rng):
    return [" ".join(f"t{rng.randint(3, 60)}" for _ in range(rng.randint(1, 9))) for _ in range(rng.randint(1, 4))]


def file(rng, name, mode, paths, n_shared, has_prompts):
    experts = []
    for path in paths[1:]:
        expert = {"source_model": str(path), "positive_prompts": prompts(rng)}
        if rng.random() < 0.5:
            expert["negative_prompts"] = prompts(rng)
        if rng.random() < 0.3:
            expert["residual_scale"] = rng.choice([0.5, -0.7, 2])
        experts.append(expert)
    shared = [{"source_model": str(rng.choice(paths)), **({"positive_prompts": prompts(rng)} if has_prompts else {})}]
    return {"base_model": str(paths[0]), "gate_mode": mode, "dtype": "float32", "experts": experts,
            "experts_per_token": rng.randint(1, len(experts)), "architecture": name,
            **({"shared_experts": shared} if n_shared else {})}


def by_mergekit(content, out):
    from mergekit.moe import router
    from mergekit.moe.config import MoEMergeConfig
    from mergekit.options import MergeOptions
    from mergekit.scripts import moe

    class InFloat32:
        @staticmethod
        def from_pretrained(path, torch_dtype=None, device_map=None, low_cpu_mem_usage=None, **others):
            return hf.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **others).eval()

    router.AutoModelForCausalLM = InFloat32
    logging.disable(logging.WARNING)
    moe.build(MoEMergeConfig.model_validate(content), str(out), MergeOptions(), device="cpu")
    return load_file(out / "model.safetensors") if (out / "model.safetensors").exists() else \
        {k: v for part in sorted(out.glob("*.safetensors")) for k, v in load_file(part).items()}


def by_cocktail(content, out):
    recipe = scratch() / "recipe.yml"
    recipe.write_text(yaml.safe_dump(content))
    done = subprocess.run([COCKTAIL, "moe", "-q", recipe, "-o", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return load_file(out / "model.safetensors")


def is_router(name):
    return name.endswith(("mlp.gate.weight", "mlp.shared_expert_gate.weight"))


def expect_same(ours, theirs, mode):
    """How far the routers are apart."""
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())
    worst = 0
    for name, tensor in ours.items():
        other = theirs[name]
        assert tensor.shape == other.shape and tensor.dtype == other.dtype, (name, tensor.shape, other.shape)
        if not is_router(name):
            assert torch.equal(tensor, other), f"{name} is off by {(tensor - other).abs().max()}"
        elif "random" not in mode:
            worst = max(worst, (tensor - other).abs().max().item())
            assert worst <= ROUTER, f"{name} is {worst} apart"
    if mode == "uniform_random":
        for name in filter(is_router, ours):
            limit = ours[name].shape[1] ** -0.5
            assert ours[name].abs().max() <= limit and theirs[name].abs().max() <= limit
    return worst


def expect_same_logits(out):
    kind = json.loads((out / "config.json").read_text())["architectures"][0]
    model, info = LOADERS[kind].from_pretrained(out, dtype=torch.float32, attn_implementation="eager",
                                                experts_implementation="eager", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    ids = torch.arange(3, 40) % 61
    done = subprocess.run([COCKTAIL, "logits", "-q", out, "--from-ids", "--format", "npy"],
                          input=" ".join(map(str, ids.tolist())).encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    ours = np.load(io.BytesIO(done.stdout))
    with torch.no_grad():
        theirs = model.eval()(ids[None]).logits[0].numpy()
    off = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert off <= LOGITS, f"logits are {off} of the largest apart"


@case_for([(name, mode) for name in CLASSES for mode in MODES])
def makes_what_mergekit_makes(name, mode):
    need("mergekit")
    rng = random.Random(f"{SEED} {name} {mode}")
    kinds, shared, has_prompts = CLASSES[name]
    kind, n_shared = rng.choice(kinds), rng.choice(shared)
    content = file(rng, name, mode, models(rng, kind, rng.randint(3, 5)), n_shared, has_prompts)
    if n_shared:  # mergekit opens no model for it alone
        content["shared_experts"][0]["source_model"] = content["experts"][0]["source_model"]
    ours = by_cocktail(content, scratch() / "ours")
    theirs = by_mergekit(content, scratch() / "theirs")
    worst = expect_same(ours, theirs, mode)
    expect_same_logits(scratch() / "ours")
    return f"seed {SEED}, {kind}, {len(content['experts'])} experts, {n_shared} shared, routers within {worst:.1e}"


@case_for(["Mixtral", "DeepSeek", "Qwen3"])
def computes_what_the_base_does_if_all_experts_are_the_base(name):
    rng = random.Random(f"{SEED} same {name}")
    base = models(rng, CLASSES[name][0][0], 1)[0]
    content = {"base_model": str(base), "gate_mode": "random", "experts": [{"source_model": str(base)}] * 3,
               "architecture": name}
    by_cocktail(content, scratch() / "out")
    texts = [subprocess.run([COCKTAIL, "logits", "-q", path, "--from-ids", "--format", "npy"], input=b"5 6 7 8 9 10",
                            capture_output=True, check=True).stdout for path in (base, scratch() / "out")]
    one, other = (np.load(io.BytesIO(text)) for text in texts)
    off = np.abs(one - other).max() / np.abs(one).max()
    assert off <= LOGITS, f"logits are {off} of the largest apart"
    return f"seed {SEED}"


run()
