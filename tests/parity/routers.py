"""routers.py - what routers do with texts, computed from transformers' models with numpy alone.

    python tests/parity/routers.py        writes fixtures/routers/

Hooks note what goes into each router, one text at a time; logits, probabilities, choices and all
statistics are computed from that in float64, straight from their definitions in
man/cocktail-routers.1. check_routers.py compares them with the program on fresh weights and texts,
test_router_watch.c with the library on those in fixtures/routers/: examples.jsonl, golden.json, and
mixtral-noisy/, which is fixtures/models/mixtral with seeded noise, for the agreement of two models.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
sys.path.insert(0, str(FIXTURES))
import make_moe_models  # noqa: E402 (beside the fixtures)

MODELS = ["mixtral", "qwen2-moe", "granitemoe-bf16", "jetmoe-bf16", "deepseek-v3-bf16", "switch-transformers-bf16",
          "gpt-oss"]
ROUTERS = ("mlp.gate", "block_sparse_moe.router", "router.layer", "router.classifier", "mlp.router")
# A choice must not hang on rounding: the last that is taken and the first that is not differ by this.
CLEAR = 1e-5

make_moe_models.prepare()  # of equal logits the first is taken, in the models too


# ---- texts


def make_examples(seed, n_examples, n_words=50):
    rng = np.random.default_rng(seed)

    def text(longest):
        return " ".join(f"t{word}" for word in rng.integers(0, n_words, rng.integers(1, longest)))

    return [{"input": text(16), "output": text(8)} for _ in range(n_examples)]


def load_model(folder):
    config = hf.AutoConfig.from_pretrained(folder)
    model_class = getattr(hf, config.architectures[0])
    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                        experts_implementation="eager")
    return model.eval()


def encode(folder, config, example):
    """Ids as the program has them: (encoder's, decoder's), or (None, the decoder's)."""
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    if config.is_encoder_decoder:
        output = tokenizer.encode(example["output"]).ids
        return tokenizer.encode(example["input"]).ids, [config.decoder_start_token_id] + output[:-1]
    names = json.loads((Path(folder) / "tokenizer_config.json").read_text())
    ids = tokenizer.encode(example["input"] + " " + example["output"]).ids
    return None, ids + ([tokenizer.token_to_id(names["eos_token"])] if names.get("eos_token") else [])


# ---- routers


class Router:
    """One router: its place, and the logits, choices and weights of each text."""

    def __init__(self, name, module, config):
        self.stack = "encoder" if name.startswith("encoder.") else "decoder"
        self.part = "attention" if "self_attention" in name else "mlp"
        self.layer = next(int(part) for part in name.split(".") if part.isdigit())
        self.key = f"{self.stack}_{self.part}"
        self.config = config
        self.weight = module.weight.detach().double().numpy()
        bias = getattr(module, "bias", None)
        self.bias = 0 if bias is None else bias.detach().double().numpy()
        choice_bias = getattr(module, "e_score_correction_bias", None)
        self.choice_bias = 0 if choice_bias is None else choice_bias.detach().double().numpy()
        self.is_sigmoid = choice_bias is not None
        self.n_experts = len(self.weight)
        self.n_chosen = getattr(config, "num_experts_per_tok", 1) if not config.is_encoder_decoder else 1
        self.texts = []
        module.register_forward_hook(self.hear)

    def hear(self, module, arguments, output):
        x = arguments[0].detach().double().numpy()
        logits = x.reshape(-1, x.shape[-1]) @ self.weight.T + self.bias
        p = self.probabilities(logits)
        experts = self.choose(logits)
        self.texts.append((logits, p, experts, self.weights_of(logits, p, experts)))

    def probabilities(self, logits):
        scores = 1 / (1 + np.exp(-logits)) if self.is_sigmoid else np.exp(logits - logits.max(1, keepdims=True))
        return scores / scores.sum(1, keepdims=True)

    def choose(self, logits):
        scores = logits
        if self.is_sigmoid:
            scores = 1 / (1 + np.exp(-logits)) + self.choice_bias
            groups = scores.reshape(len(scores), self.config.n_group, -1)
            worth = np.sort(groups, 2)[:, :, -2:].sum(2)
            kept = np.argsort(-worth, 1, kind="stable")[:, : self.config.topk_group]
            mask = np.zeros(worth.shape, bool)
            np.put_along_axis(mask, kept, True, 1)
            scores = np.where(mask[:, :, None], groups, -np.inf).reshape(scores.shape)
        order = np.argsort(-scores, 1, kind="stable")
        ranked = np.take_along_axis(scores, order, 1)
        if self.n_chosen < self.n_experts:
            gaps = ranked[:, self.n_chosen - 1] - ranked[:, self.n_chosen]
            if ((gaps < CLEAR) & (gaps != 0)).any():
                raise Unclear
        return order[:, : self.n_chosen]

    def weights_of(self, logits, p, experts):
        family = self.config.model_type
        if family == "deepseek_v3":
            weights = np.take_along_axis(1 / (1 + np.exp(-logits)), experts, 1)
            return weights / weights.sum(1, keepdims=True) * self.config.routed_scaling_factor
        weights = np.take_along_axis(p, experts, 1)
        if family == "switch_transformers":
            seen = np.cumsum(np.eye(self.n_experts)[experts[:, 0]], 0)
            place = np.take_along_axis(seen, experts, 1)
            return np.where(place <= self.config.expert_capacity, weights, 0)
        return weights / weights.sum(1, keepdims=True) if getattr(self.config, "norm_topk_prob", True) else weights


class Unclear(Exception):
    """Other texts are needed."""


def watch(folder, examples, words_of=None):
    """The routers of a model, in the order of their layers, that have seen all examples. `words_of`:
    the folder whose tokenizer it is."""
    model = load_model(folder)
    routers = [Router(name, module, model.config) for name, module in model.named_modules()
               if name.endswith(ROUTERS) and isinstance(getattr(module, "weight", None), torch.Tensor)]
    with torch.no_grad():
        for example in examples:
            source, target = encode(words_of or folder, model.config, example)
            if source is None:
                model(torch.tensor([target]))
            else:
                model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target]))
    return routers


# ---- statistics


def entropy(shares):
    shares = shares[shares > 0]
    return -(shares * np.log(shares)).sum()


def log_sum_exp(logits):
    largest = logits.max(1)
    return largest + np.log(np.exp(logits - largest[:, None]).sum(1))


def share_of(n, total):
    return n / total if total else None


def chosen_sets(experts):
    return [set(row) for row in experts.tolist()]


def overlap(before, after, k):
    """Of all choices, the share that the token (or layer) before has made too."""
    return share_of(sum(len(a & b) for a, b in zip(before, after)), len(after) * k)


def statistics(router, above):
    n, k = router.n_experts, router.n_chosen
    logits, p, experts, weights = (np.concatenate(kind) for kind in zip(*router.texts))
    chosen = np.zeros((len(experts), n))
    np.put_along_axis(chosen, experts, 1, 1)
    together = (chosen.T @ chosen).astype(int)
    load = chosen.sum(0) / (len(experts) * k)
    busiest = np.sort(load)[::-1]
    ranked = np.sort(p, 1)[:, ::-1]
    token_entropy = np.mean([entropy(row) for row in p])
    norms = np.sqrt((router.weight**2).sum(1))

    def dropped(factor):
        lost = 0
        for _, _, of_text, _ in router.texts:
            room = int(np.ceil(of_text.size * factor / n))
            lost += np.maximum(np.bincount(of_text.reshape(-1)) - room, 0).sum()
        return lost / experts.size

    neighbours = [pair for _, _, of_text, _ in router.texts
                  for pair in zip(chosen_sets(of_text)[:-1], chosen_sets(of_text)[1:])]
    found = {
        "load_min": load.min(),
        "load_max": load.max(),
        "unused": (load == 0).sum(),
        "cv": load.std() / load.mean(),
        "max_violation": load.max() * n - 1,
        "load_entropy": entropy(load) / np.log(n),
        "effective_experts": np.exp(entropy(load)),
        "busiest_quarter": busiest[: -(-n // 4)].sum(),
        "busiest_half": busiest[: -(-n // 2)].sum(),
        "aux_loss": n * (load * p.mean(0)).sum(),
        "token_entropy": token_entropy / np.log(n),
        "mutual_information": entropy(p.mean(0)) - token_entropy,
        "top_weight": weights.max(1).mean(),
        "margin": (ranked[:, k - 1] - ranked[:, k]).mean() if k < n else None,
        "kept_mass": (p * chosen).sum(1).mean(),
        "z_loss": (log_sum_exp(logits) ** 2).mean(),
        "logit_rms": np.sqrt((logits**2).mean()),
        "row_norm_min": norms.min(),
        "row_norm_max": norms.max(),
        "dropped": (weights == 0).mean(),
        "dropped_at_1": dropped(1),
        "dropped_at_1_25": dropped(1.25),
        "dropped_at_2": dropped(2),
        "token_overlap": overlap(*zip(*neighbours), k),
        "layer_overlap": None if above is None else
        overlap(chosen_sets(np.concatenate([text[2] for text in above.texts])), chosen_sets(experts), k),
    }
    found = {name: value if value is None else float(value) for name, value in found.items()}
    return {"layer": router.layer, **found, "load": load.tolist(), "mean_p": p.mean(0).tolist(),
            "row_norms": norms.tolist(), "coactivation": together.tolist()}


def agreement(a, b):
    _, p, first, _ = (np.concatenate(kind) for kind in zip(*a.texts))
    _, q, second, _ = (np.concatenate(kind) for kind in zip(*b.texts))
    pairs = list(zip(chosen_sets(first), chosen_sets(second)))
    loads = [np.bincount(x.reshape(-1), minlength=a.n_experts) / x.size for x in (first, second)]
    return {"layer": a.layer,
            "jaccard": float(np.mean([len(x & y) / len(x | y) for x, y in pairs])),
            "same_first": float((first[:, 0] == second[:, 0]).mean()),
            "kl": float((p * (np.log(p) - np.log(q))).sum(1).mean()),
            "load_shift": float(np.abs(loads[0] - loads[1]).sum() / 2)}


EXTREMES = {"load_min": min, "load_max": max, "unused": sum, "row_norm_min": min, "row_norm_max": max}


def overall(layers):
    found = {}
    for name, value in layers[0].items():
        if name != "layer" and not isinstance(value, list):
            values = [layer[name] for layer in layers if layer[name] is not None]
            found[name] = EXTREMES.get(name, np.mean)(values) if values else None
    return {name: value if value is None else float(value) for name, value in found.items()}


def group(routers, describe):
    """As the program's JSON has it; describe(router, the one of its kind before it)."""
    groups, above = {}, {}
    for router in sorted(routers, key=lambda router: router.layer):
        n_tokens = sum(len(text[0]) for text in router.texts)
        kind = groups.setdefault(router.key, {"n_experts": router.n_experts, "n_chosen": router.n_chosen,
                                              "n_tokens": n_tokens, "overall": {}, "layers": []})
        kind["layers"].append(describe(router, above.get(router.key)))
        above[router.key] = router
    for kind in groups.values():
        kind["overall"] = overall(kind["layers"])
    return groups


def describe_model(routers):
    return group(routers, statistics)


def describe_agreement(first, second):
    partners = {id(a): b for a, b in zip(first, second)}
    return group(first, lambda router, _: agreement(router, partners[id(router)]))


# ---- files


def add_noise(source, target, seed, amount):
    """A copy of a model folder, without its golden results, with noise in proportion to each tensor."""
    left_out = shutil.ignore_patterns("golden.safetensors", "model.safetensors", "generation_config.json")
    shutil.copytree(source, target, ignore=left_out)
    generator = torch.Generator().manual_seed(seed)
    tensors = load_file(source / "model.safetensors")
    for name in sorted(tensors):
        tensor = tensors[name].float()
        noise = torch.randn(tensor.shape, generator=generator) * amount * tensor.abs().mean()
        tensors[name] = (tensor + noise).to(tensors[name].dtype).contiguous()
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    (target / "model.safetensors").chmod(0o644)


def write_examples(path, examples):
    path.write_text("".join(json.dumps(example) + "\n" for example in examples))


def main():
    folder = FIXTURES / "routers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    add_noise(FIXTURES / "models/mixtral", folder / "mixtral-noisy", 7, 0.2)
    for seed in range(100):
        examples = make_examples(seed, 12)
        try:
            watched = {name: watch(FIXTURES / "models" / name, examples) for name in MODELS}
            noisy = watch(folder / "mixtral-noisy", examples)
            break
        except Unclear:
            continue
    golden = {"made_by": "tests/parity/routers.py",
              "models": {name: describe_model(routers) for name, routers in watched.items()},
              "agreement": describe_agreement(watched["mixtral"], noisy)}
    write_examples(folder / "examples.jsonl", examples)
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(f"seed {seed}: {sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())} bytes")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
