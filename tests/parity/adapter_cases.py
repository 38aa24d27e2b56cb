"""adapter_cases.py - tiny models, adapters that PEFT makes for them, and what it merges them to.

For check_adapters.py, on fresh seeds, and for fixtures/make_adapters.py. All values are random and
seeded; a case is a row of CASES: its base, its LoraConfig, and how close the merge must be (0: the same
bits).
"""

import contextlib
import io
import json
import os
import re
import shutil

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

TINY = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            vocab_size=32, max_position_embeddings=64)
EXPERTS = dict(TINY, num_local_experts=3, num_experts_per_tok=2)
BERT = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, vocab_size=32,
            max_position_embeddings=16, num_labels=3)

BASES = {
    "llama": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**TINY)),
    "llama-bf16": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**TINY)),
    "llama-biased": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**TINY, attention_bias=True)),
    "llama-tied": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**TINY, tie_word_embeddings=True)),
    "gpt2": (transformers.GPT2LMHeadModel,
             transformers.GPT2Config(n_embd=12, n_layer=2, n_head=3, vocab_size=24, n_positions=16)),
    "bert": (transformers.BertForSequenceClassification, transformers.BertConfig(**BERT)),
    "bert-masked": (transformers.BertForMaskedLM, transformers.BertConfig(**BERT)),
    "roberta": (transformers.RobertaForSequenceClassification, transformers.RobertaConfig(**BERT)),
    "deepseek-v3": (transformers.DeepseekV3ForCausalLM, transformers.DeepseekV3Config(
        **{**TINY, "num_key_value_heads": 4}, n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, moe_intermediate_size=20, n_group=1,
        topk_group=1, first_k_dense_replace=1, q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=4)),
    "mixtral": (transformers.MixtralForCausalLM, transformers.MixtralConfig(**EXPERTS)),
    "qwen3-moe": (transformers.Qwen3MoeForCausalLM, transformers.Qwen3MoeConfig(
        **TINY, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=20, head_dim=4, decoder_sparse_step=1)),
    "qwen2-moe": (transformers.Qwen2MoeForCausalLM, transformers.Qwen2MoeConfig(
        **TINY, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=20, shared_expert_intermediate_size=12)),
    "granite-moe": (transformers.GraniteMoeForCausalLM, transformers.GraniteMoeConfig(**EXPERTS)),
    "gpt-oss": (transformers.GptOssForCausalLM, transformers.GptOssConfig(**EXPERTS, head_dim=4)),
}

# Stored as transformers 5 holds them, all experts of a layer in one tensor.
for kind in ("mixtral", "qwen3-moe"):
    BASES[kind + "-fused"] = BASES[kind]

ATTENTION = ["q_proj", "v_proj"]
LM = dict(task_type="CAUSAL_LM")
CASES = {
    "all-linear": ("llama", dict(r=4, lora_alpha=8, target_modules="all-linear", **LM), 0),
    "names-excluded": ("llama", dict(r=3, target_modules=["proj_none", *ATTENTION, "up_proj"][1:],
                                     exclude_modules=["layers.1.self_attn.v_proj"], **LM), 0),
    "linear-excluded": ("llama", dict(r=2, target_modules="all-linear", exclude_modules=["up_proj"], **LM), 0),
    "pattern-excluded": ("llama", dict(r=2, target_modules="all-linear", exclude_modules=r".*layers\.0\..*(k|v)_proj", **LM), 0),
    "within-saved": ("llama", dict(r=2, target_modules=["q_proj", "up_proj"], modules_to_save=["mlp"], **LM), 0),
    "layers-but-for-names": ("llama", dict(r=2, target_modules=["q_proj", "lm_head", "model.layers.0.mlp.up_proj"], layers_to_transform=[1], **LM), 0),
    "pattern": ("llama", dict(r=2, target_modules=r".*layers\.\d+\.(self_attn|mlp)\.(q|down)_proj", **LM), 0),
    "rslora-patterns": ("llama", dict(
        r=4, lora_alpha=8, use_rslora=True, target_modules=[*ATTENTION, "down_proj"],
        rank_pattern={"v_proj": 2, r"layers\.1\.mlp.*": 6}, alpha_pattern={"0.self_attn.q_proj": 3, "q_proj": 5}, **LM), 0),
    "layers": ("llama", dict(r=2, target_modules=ATTENTION, layers_to_transform=[1], layers_pattern="layers", **LM), 0),
    "bin": ("llama", dict(r=2, target_modules=ATTENTION, **LM), 0),
    "old-names": ("llama", dict(r=2, target_modules=ATTENTION, modules_to_save=["lm_head"], **LM), 0),
    "norms-saved": ("llama", dict(r=2, target_modules=ATTENTION, modules_to_save=["norm", "layers.1.mlp.up_proj"], **LM), 0),
    "rank-1": ("llama", dict(r=1, lora_alpha=-3, target_modules=["o_proj"], **LM), 0),
    "large-rank": ("llama", dict(r=40, target_modules=["up_proj"], **LM), 1e-6),
    "embedding": ("llama", dict(r=3, lora_alpha=5, target_modules=["embed_tokens", "lm_head", "q_proj"], **LM), 0),
    "biases-all": ("llama-biased", dict(r=2, target_modules=ATTENTION, bias="all", **LM), 0),
    "biases-lora-only": ("llama-biased", dict(r=2, target_modules=ATTENTION, bias="lora_only", **LM), 0),
    "lora-bias": ("llama-biased", dict(r=2, lora_alpha=3, target_modules=ATTENTION, lora_bias=True, **LM), 0),
    "dora": ("llama", dict(r=4, lora_alpha=8, use_dora=True, target_modules=[*ATTENTION, "down_proj"], **LM), 1e-6),
    "dora-rslora": ("llama", dict(r=4, use_dora=True, use_rslora=True, target_modules=["up_proj"], **LM), 1e-6),
    "dora-embedding": ("llama", dict(r=2, use_dora=True, target_modules=["embed_tokens", "o_proj"], **LM), 1e-6),
    # PEFT's decomposition is one in float: where the third singular value is near the fourth, it turns the vectors of both.
    "pissa": ("llama", dict(r=3, lora_alpha=6, init_lora_weights="pissa", target_modules=["q_proj", "down_proj"], **LM), 5e-4),
    "parameter-of-a-module": ("llama", dict(r=2, target_modules=[], target_parameters=["self_attn.q_proj.weight"], **LM), 0),
    "tied-embedding": ("llama-tied", dict(r=2, target_modules=["embed_tokens", "q_proj"], **LM), 0),
    # A and B of a tied head change the embedding, too; a copy of one that is tied stays tied.
    "tied-head": ("llama-tied", dict(r=2, target_modules=["lm_head", "q_proj"], **LM), 0),
    "tied-embedding-stored": ("llama-tied", dict(r=2, target_modules=["model.embed_tokens", "q_proj"], **LM), 0),
    # A module that is saved is a copy of its own: the head stays as it was.
    "tied-embedding-saved": ("llama-tied", dict(r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens"], **LM), 0),
    "tied-embedding-saved-head": ("llama-tied", dict(r=2, target_modules=["q_proj", "lm_head"], modules_to_save=["embed_tokens"], **LM), 0),
    "tied-masked": ("bert-masked", dict(r=2, target_modules=["query", "decoder"], lora_bias=True), 0),
    "tied-masked-saved": ("bert-masked", dict(r=2, target_modules=["query"], modules_to_save=["word_embeddings"]), 0),
    "bf16": ("llama-bf16", dict(r=4, target_modules="all-linear", **LM), 0),
    "conv1d": ("gpt2", dict(r=3, lora_alpha=8, fan_in_fan_out=True, target_modules=["c_attn", "c_proj", "c_fc", "wte"], **LM), 0),
    "conv1d-dora": ("gpt2", dict(r=3, fan_in_fan_out=True, use_dora=True, target_modules=["c_attn", "c_proj"], **LM), 1e-6),
    "classifier": ("bert", dict(r=2, target_modules=["query", "dense"], task_type="SEQ_CLS"), 0),
    "classifier-biases": ("bert", dict(r=2, target_modules=["query"], bias="all", task_type="SEQ_CLS"), 0),
    "classifier-parts": ("roberta", dict(r=2, target_modules="all-linear", bias="all", task_type="SEQ_CLS"), 0),
    "experts-linear": ("deepseek-v3", dict(r=2, target_modules="all-linear", **LM), 1e-6),
    "experts": ("mixtral", dict(r=2, lora_alpha=5, target_modules=["q_proj"],
                                target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"], **LM), 1e-6),
    "experts-one-parameter": ("qwen3-moe", dict(r=2, target_modules=[], target_parameters=["mlp.experts.down_proj"], **LM), 1e-6),
    "experts-both": ("qwen3-moe", dict(r=3, target_modules=["o_proj"], use_rslora=True,
                                       target_parameters=["experts.gate_up_proj", "experts.down_proj"], **LM), 1e-6),
    "experts-as-modules": ("qwen3-moe", dict(r=2, target_modules=["gate_proj", "up_proj", "down_proj"], **LM), 1e-6),
    "experts-as-modules-w": ("mixtral", dict(r=2, target_modules=["w1", "w2", "w3"], **LM), 1e-6),
    "experts-fused": ("qwen3-moe-fused", dict(r=2, target_modules=["o_proj"], target_parameters=["experts.gate_up_proj", "experts.down_proj"],
                                              **LM), 1e-6),
    "experts-granite": ("granite-moe", dict(r=2, target_modules=[], target_parameters=["experts.gate_up_proj", "experts.down_proj"], **LM), 1e-6),
    "routers": ("mixtral", dict(r=2, target_modules=["q_proj"], target_parameters=["mlp.gate.weight"], **LM), 1e-6),
    "experts-saved": ("mixtral", dict(r=2, target_modules=["q_proj"], modules_to_save=["mlp.experts", "mlp.gate"], **LM), 0),
    # As transformers 4 had them, each expert a module: PEFT turns them into parameters as it loads them.
    "old-experts": ("mixtral", dict(r=2, lora_alpha=3, target_modules=["q_proj", "w1", "w2", "w3", "gate"], **LM), 1e-6),
    "old-experts-fused": ("mixtral-fused", dict(r=3, lora_alpha=5, target_modules=["v_proj", "w1", "w2", "w3", "gate"], **LM), 1e-6),
    "old-experts-qwen": ("qwen3-moe", dict(r=2, target_modules=["gate_proj", "up_proj", "down_proj"], **LM), 1e-6),
    "old-experts-qwen-fused": ("qwen3-moe-fused", dict(r=2, lora_alpha=7, target_modules=["gate_proj", "up_proj", "down_proj"], **LM), 1e-6),
    "old-downs-fused": ("qwen3-moe-fused", dict(r=2, target_modules=["down_proj", "k_proj"], **LM), 1e-6),
    "experts-turned": ("gpt-oss", dict(r=2, target_modules=[],
                                       target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"], **LM), 1e-6),
}


@contextlib.contextmanager
def quiet():
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


def make_base(kind, folder, seed):
    """The model, in `folder` as transformers writes it."""
    cls, config = BASES[kind]
    torch.manual_seed(seed)
    with quiet():
        model = cls(config)
        for parameter in model.parameters():
            parameter.data.normal_(0, 0.2)
        if kind == "llama-bf16":
            model = model.to(torch.bfloat16)
        model.save_pretrained(folder, save_original_format=not kind.endswith("-fused"))
    return model


def fill(model, seed):
    """Random values for what would be trained."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if "lora_magnitude_vector" in name:
            parameter.data.mul_(1 + 0.1 * noise)
        elif "lora_" in name:
            parameter.data.copy_(0.15 * noise)
        else:
            parameter.data.add_(0.1 * noise)


def rename(folder):
    """As the first PEFT wrote names, with those of the adapter in them."""
    path = os.path.join(folder, "adapter_model.safetensors")
    tensors = {re.sub(r"(lora_[AB])\.weight$", r"\1.default.weight",
                      k.replace("lm_head.weight", "lm_head.modules_to_save.default.weight")): v
               for k, v in load_file(path).items()}
    save_file(tensors, path)


def make_old_experts(base, folder, config, seed):
    """An adapter of experts as modules, as PEFT wrote it with transformers 4."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    with open(os.path.join(base, "config.json")) as file:
        settings = json.load(file)
    is_mixtral = settings["model_type"] == "mixtral"
    n, h = settings["hidden_size"], settings["hidden_size"] // 4
    m = settings["intermediate_size"] if is_mixtral else settings["moe_intermediate_size"]
    block = "block_sparse_moe" if is_mixtral else "mlp"
    n_kv = settings["num_key_value_heads"] * (settings.get("head_dim") or h)
    sizes = {"w1": (m, n), "w3": (m, n), "w2": (n, m), "gate_proj": (m, n), "up_proj": (m, n), "down_proj": (n, m),
             "q_proj": (n, n), "v_proj": (n_kv, n), "k_proj": (n_kv, n), "gate": (3, n)}
    tensors = {}
    for layer in range(settings["num_hidden_layers"]):
        for target in config["target_modules"]:
            places = ([f"self_attn.{target}"] if target[0] in "qvk" else [f"{block}.gate"] if target == "gate" else
                      [f"{block}.experts.{e}.{target}" for e in range(3)])
            for place in places:
                start = f"base_model.model.model.layers.{layer}.{place}.lora_"
                n_out, n_in = sizes[target]
                tensors[start + "A.weight"] = 0.15 * torch.randn((config["r"], n_in), generator=generator)
                tensors[start + "B.weight"] = 0.15 * torch.randn((n_out, config["r"]), generator=generator)
    save_file(tensors, os.path.join(folder, "adapter_model.safetensors"))
    peft.LoraConfig(**config).save_pretrained(folder)


def make_adapter(name, base, folder, seed):
    """The adapter of a case, as PEFT writes it."""
    kind, config, _ = CASES[name]
    if name.startswith("old-") and name != "old-names":
        make_old_experts(base, folder, config, seed)
    else:
        make_with_peft(name, base, folder, seed)
    for extra in os.listdir(folder):
        if extra == "README.md":
            os.remove(os.path.join(folder, extra))
    path = os.path.join(folder, "adapter_config.json")
    with open(path) as file:
        text = json.load(file)
    text["base_model_name_or_path"] = os.path.basename(base)
    for key, value in text.items():
        if isinstance(value, list):
            text[key] = sorted(value, key=str)
    with open(path, "w") as file:
        json.dump(text, file, indent=1, sort_keys=True)
        file.write("\n")


def make_with_peft(name, base, folder, seed):
    kind, config, _ = CASES[name]
    with quiet():
        model = BASES[kind][0].from_pretrained(base, dtype=torch.float32)
        model = peft.get_peft_model(model, peft.LoraConfig(**config))
        fill(model, seed)
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder, safe_serialization=name != "bin",
                              save_embedding_layers=True if name.endswith("-stored") else "auto")


def merged(name, base, adapter, folder):
    """PEFT's merge_and_unload in float32, as transformers writes it, rounded once to the base's dtypes."""
    kind = CASES[name][0]
    with quiet():
        model = BASES[kind][0].from_pretrained(base, dtype=torch.float32)
        model = peft.PeftModel.from_pretrained(model, adapter, is_trainable=False).merge_and_unload()
        model.save_pretrained(folder, save_original_format=not kind.endswith("-fused"))
    path = os.path.join(folder, "model.safetensors")
    before = load_file(os.path.join(base, "model.safetensors"))
    tensors = load_file(path)
    tensors = {k: v.to(before[k].dtype) if k in before else v for k, v in tensors.items()}
    save_file(tensors, path)
    return tensors
