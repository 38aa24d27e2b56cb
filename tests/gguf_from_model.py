#!/usr/bin/env python3
"""A GGUF file of a model folder, as llama.cpp's converter would write it; standard library only.

    gguf_from_model.py SOURCE TARGET [OPTION | KEY=JSON]...

TARGET/model.gguf is the model, TARGET/hf the folder that it says the same as: SOURCE with these settings in its config.json,
and with the numbers that the file has. Options:
    --layers 1,2      only these layers; one may occur several times
    --fuse-qkv        attn_qkv in place of q, k and v
    --fuse-experts    ffn_gate_up_exps in place of gate and up
    --old-experts     a matrix for each expert
    --split N         N files
    --latent          attn_k_b and attn_v_b in place of attn_kv_b
    --q8_0            matrices as Q8_0 where rows are whole blocks
    --tokenizer       the tokenizer, too: a byte-level BPE that cuts texts as Qwen2's does
    --add KEY=JSON    a value of the metadata: a number (u32, or f32 with a point), text, flag, or a list of such; null: leave it out
    --drop NAME       no such tensor
    --name OLD=NEW    a tensor under another name
    --cut NAME=N      only its first N rows
"""
import json
import math
import os
import re
import struct
import sys

SIZES = {"F32": 4, "F16": 2, "BF16": 2}
TYPES = {"F32": 0, "F16": 1, "Q8_0": 8, "BF16": 30}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + size:][slice(*v["data_offsets"])]) for k, v in header.items()}


def write_safetensors(path, tensors):
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def floats(tensor):
    dtype, _, data = tensor
    n = len(data) // SIZES[dtype]
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[2 * i:2 * i + 2])[0] for i in range(n)]
    return list(struct.unpack(f"<{n}{'f' if dtype == 'F32' else 'e'}", data))


def as_f32(tensor, shift=0.0):
    values = [v + shift for v in floats(tensor)]
    return "F32", tensor[1], struct.pack(f"<{len(values)}f", *values)


def q8_0(tensor):
    """The blocks, and the numbers that they are."""
    values, blocks, decoded = floats(tensor), b"", []
    for i in range(0, len(values), 32):
        block = values[i:i + 32]
        scale = max(map(abs, block)) / 127
        half, = struct.unpack("<e", struct.pack("<e", scale))
        quants = [int(math.copysign(math.floor(abs(v / scale) + .5), v)) if scale else 0 for v in block]
        blocks += struct.pack("<e32b", scale, *quants)
        decoded += [half * q for q in quants]
    return ("Q8_0", tensor[1], blocks), ("F32", tensor[1], struct.pack(f"<{len(decoded)}f", *decoded))


def rows(tensor):
    n = tensor[1][0]
    size = len(tensor[2]) // n
    return [tensor[2][i * size:(i + 1) * size] for i in range(n)]


def pairs(tensor, n_heads):
    """Row 2j + t of a head is row t n/2 + j of transformers'."""
    old, n = rows(tensor), tensor[1][0] // n_heads
    new = [old[h * n + t * (n // 2) + j] for h in range(n_heads) for j in range(n // 2) for t in range(2)]
    return tensor[0], tensor[1], b"".join(new)


def turned(tensor):
    dtype, (n, m), data = tensor
    size = SIZES[dtype]
    return dtype, [m, n], b"".join(data[(i * m + j) * size:(i * m + j + 1) * size] for j in range(m) for i in range(n))


def joined(tensors):
    return tensors[0][0], [sum(t[1][0] for t in tensors)] + tensors[0][1][1:], b"".join(t[2] for t in tensors)


def stacked(tensors):
    return tensors[0][0], [len(tensors)] + tensors[0][1], b"".join(t[2] for t in tensors)


# ---------------------------------------------------------------------------------------------- names

DECODER = [
    ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"),
    ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
    ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"), ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.q_a_proj", "attn_q_a"), ("self_attn.q_a_layernorm", "attn_q_a_norm"), ("self_attn.q_b_proj", "attn_q_b"),
    ("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"), ("self_attn.kv_a_layernorm", "attn_kv_a_norm"), ("self_attn.kv_b_proj", "attn_kv_b"),
    ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"), ("mlp.gate_up_proj", "ffn_up"),
    ("block_sparse_moe.gate", "ffn_gate_inp"), ("mlp.gate", "ffn_gate_inp"), ("block_sparse_moe.router.layer", "ffn_gate_inp"),
    ("block_sparse_moe.output_linear", "ffn_down_exps"), ("block_sparse_moe.input_linear", "gate_up_exps"),
    ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"), ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
    ("mlp.shared_expert.down_proj", "ffn_down_shexp"), ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"),
    ("mlp.shared_experts.gate_proj", "ffn_gate_shexp"), ("mlp.shared_experts.up_proj", "ffn_up_shexp"),
    ("mlp.shared_experts.down_proj", "ffn_down_shexp"),
]
GEMMA2 = [("post_attention_layernorm", "post_attention_norm"), ("pre_feedforward_layernorm", "ffn_norm"),
          ("post_feedforward_layernorm", "post_ffw_norm")] + DECODER
GPT2 = [("transformer.wte", "token_embd"), ("transformer.wpe", "position_embd"), ("transformer.ln_f", "output_norm"), ("ln_1", "attn_norm"),
        ("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("ln_2", "ffn_norm"), ("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down")]
BERT = [("embeddings.word_embeddings", "token_embd"), ("embeddings.position_embeddings", "position_embd"),
        ("embeddings.token_type_embeddings", "token_types"), ("embeddings.LayerNorm", "token_embd_norm"),
        ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"), ("attention.self.value", "attn_v"),
        ("attention.output.dense", "attn_output"), ("attention.output.LayerNorm", "attn_output_norm"),
        ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm")]
ARCHITECTURES = {"llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe",
                 "gemma3_text": "gemma3", "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2"}
EXPERT = re.compile(r"(.*)\.experts\.(\d+)\.(w1|w2|w3|gate_proj|up_proj|down_proj)$")
EXPERT_PARTS = {"w1": "gate", "gate_proj": "gate", "w2": "down", "down_proj": "down", "w3": "up", "up_proj": "up"}


class Model:
    def __init__(self, source, settings, options):
        with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.config.update(settings)
        self.options, self.source = options, source
        self.kind = self.config["model_type"]
        self.arch = ARCHITECTURES.get(self.kind, self.kind)
        self.hf = read_safetensors(os.path.join(source, "model.safetensors"))
        if "layers" in options:
            self.keep_layers([int(x) for x in options["layers"].split(",")])
        self.tensors, self.values = {}, []

    def keep_layers(self, kept):
        old, self.hf = self.hf, {}
        for name, tensor in old.items():
            m = re.match(r"(.*\.(?:layers|h|layer)\.)(\d+)(\..*)", name)
            if not m:
                self.hf[name] = tensor
            self.hf.update({f"{m[1]}{i}{m[3]}": tensor for i, k in enumerate(kept) if m and k == int(m[2])})
        self.config["num_hidden_layers"] = len(kept)
        for key in ("layer_types",):
            if key in self.config:
                self.config[key] = [self.config[key][i] for i in kept]

    def get(self, *names, default=None):
        for name in names:
            if self.config.get(name) is not None:
                return self.config[name]
        return default

    # ---- tensors

    def add_tensors(self):
        table = {"gpt2": GPT2, "bert": BERT, "gemma2": GEMMA2, "gemma3_text": GEMMA2}.get(self.kind, DECODER)
        n_heads = self.get("num_attention_heads", "n_head")
        n_kv = self.get("num_key_value_heads", default=n_heads)
        experts, tied = {}, self.get("tie_word_embeddings", default=self.kind.startswith(("gemma", "gpt2", "bert")))
        for name, tensor in self.hf.items():
            if name.endswith("e_score_correction_bias"):
                layer = re.search(r"layers\.(\d+)\.", name)[1]
                self.put(f"blk.{layer}.exp_probs_b.bias", as_f32(tensor), name)
                continue
            stem, leaf = name.rsplit(".", 1)
            stem = re.sub(r"^bert\.", "", stem)
            if "pooler" in stem or "position_ids" in name or stem.startswith("cls.") or (stem == "lm_head" and tied):
                continue
            m = EXPERT.match(stem)
            if m:
                layer = re.search(r"layers\.(\d+)\.", m[1])[1]
                experts.setdefault((layer, EXPERT_PARTS[m[3]]), {})[int(m[2])] = (name, tensor)
                continue
            m = re.match(r"(?:model\.layers|transformer\.h|encoder\.layer)\.(\d+)\.(.*)", stem)
            new = dict(table)[m[2] if m else stem] if self.kind not in ("gemma2", "gemma3_text") else next(b for a, b in table if a == (m[2] if m else stem))
            full = f"blk.{m[1]}.{new}.{leaf}" if m else f"{new}.{leaf}"
            if self.arch in ("llama", "granitemoe") and new in ("attn_q", "attn_k"):
                tensor = pairs(tensor, n_heads if new == "attn_q" else n_kv)
            if self.kind == "gpt2" and leaf == "weight" and new in ("attn_qkv", "attn_output", "ffn_up", "ffn_down"):
                tensor = turned(tensor)
            if len(tensor[1]) == 1 or new in ("ffn_gate_inp", "position_embd", "token_types"):
                tensor = as_f32(tensor, 1.0 if self.kind.startswith("gemma") and new.endswith("norm") else 0.0)
            if new == "gate_up_exps":
                self.split_gate_up(full, tensor)
            else:
                self.put(full, tensor, name)
        self.add_experts(experts)
        if "fuse-qkv" in self.options:
            self.fuse_qkv()
        if "latent" in self.options:
            self.split_latent()
        self.add_rope_factors()

    def put(self, name, tensor, hf_name=None):
        if "q8_0" in self.options and len(tensor[1]) == 2 and tensor[1][1] % 32 == 0 and tensor[0] != "F32":
            tensor, decoded = q8_0(tensor)
            permuted = self.arch == "llama" and ("attn_q." in name or "attn_k." in name)
            self.hf[hf_name] = self.halves(name, decoded) if permuted else decoded
        self.tensors[name] = tensor

    def halves(self, name, tensor):
        n_heads = self.get("num_attention_heads") if "attn_q." in name else self.get("num_key_value_heads")
        old, n = rows(tensor), tensor[1][0] // n_heads
        new = [old[h * n + 2 * j + t] for h in range(n_heads) for t in range(2) for j in range(n // 2)]
        return tensor[0], tensor[1], b"".join(new)

    def split_gate_up(self, name, tensor):
        """GraniteMoE: [E, 2I, H]."""
        if "fuse-experts" in self.options:
            self.tensors[name.replace("gate_up_exps", "ffn_gate_up_exps")] = tensor
            return
        dtype, (n, double, width), _ = tensor
        parts = rows((dtype, [2 * n, double // 2, width], tensor[2]))
        for i, part in enumerate(("gate", "up")):
            self.tensors[name.replace("gate_up", "ffn_" + part)] = (dtype, [n, double // 2, width], b"".join(parts[i::2]))

    def add_experts(self, experts):
        for (layer, part), found in experts.items():
            tensors = [found[i][1] for i in sorted(found)]
            if "old-experts" in self.options:
                for i, tensor in enumerate(tensors):
                    self.tensors[f"blk.{layer}.ffn_{part}.{i}.weight"] = tensor
            elif "fuse-experts" in self.options and part != "down":
                if part == "gate":
                    ups = experts[layer, "up"]
                    both = [joined([g, ups[i][1]]) for i, g in enumerate(tensors)]
                    self.tensors[f"blk.{layer}.ffn_gate_up_exps.weight"] = stacked(both)
            else:
                self.tensors[f"blk.{layer}.ffn_{part}_exps.weight"] = stacked(tensors)

    def fuse_qkv(self):
        for name in [n for n in self.tensors if ".attn_q." in n]:
            parts = [self.tensors.pop(name.replace("attn_q", "attn_" + x)) for x in "qkv"]
            self.tensors[name.replace("attn_q", "attn_qkv")] = joined(parts)

    def split_latent(self):
        n_heads, nope, v = self.get("num_attention_heads"), self.get("qk_nope_head_dim"), self.get("v_head_dim")
        for name in [n for n in self.tensors if ".attn_kv_b." in n]:
            dtype, (_, rank), data = self.tensors.pop(name)
            heads = rows((dtype, [n_heads, nope + v, rank], data))
            size = rank * SIZES[dtype]
            keys = [turned((dtype, [nope, rank], h[:nope * size])) for h in heads]
            self.tensors[name.replace("kv_b", "k_b")] = stacked(keys)
            self.tensors[name.replace("kv_b", "v_b")] = (dtype, [n_heads, v, rank], b"".join(h[nope * size:] for h in heads))

    # ---- values

    def rope(self):
        rope = dict(self.get("rope_parameters", default=None) or self.get("rope_scaling", default=None) or {})
        if "full_attention" in rope:
            local, rope = rope["sliding_attention"], dict(rope["full_attention"])
            rope["local"] = local["rope_theta"]
        rope.setdefault("rope_type", rope.get("type", "default"))
        rope.setdefault("rope_theta", self.get("rope_theta", default=10000.0))
        return rope

    def add_rope_factors(self):
        rope = self.rope()
        n = self.rotary_dims() // 2 if self.kind not in ("gpt2", "bert") else 0

        def put(name, values):
            self.tensors[name + ".weight"] = ("F32", [len(values)], struct.pack(f"<{len(values)}f", *values))
        if rope["rope_type"] in ("longrope", "su"):
            put("rope_factors_long", rope["long_factor"])
            put("rope_factors_short", rope["short_factor"])
        if rope["rope_type"] == "llama3":
            low, high, factor, old = (rope[k] for k in ("low_freq_factor", "high_freq_factor", "factor", "original_max_position_embeddings"))
            factors = []
            for i in range(n):
                length = 2 * math.pi * rope["rope_theta"] ** (i / n)
                smooth = min(1.0, max(0.0, (old / length - low) / (high - low)))
                factors.append(1 / ((1 - smooth) / factor + smooth))
            put("rope_freqs", factors)

    def head_dim(self):
        return self.get("head_dim", default=self.get("hidden_size", "n_embd") // self.get("num_attention_heads", "n_head"))

    def rotary_dims(self):
        if self.arch == "deepseek2":
            return self.get("qk_rope_head_dim")
        return int(self.head_dim() * self.get("partial_rotary_factor", default=1))

    def value(self, key, value, kind=None):
        self.values.append((f"{self.arch}.{key}", value, kind))

    def add_values(self):
        self.values = [("general.architecture", self.arch, None), ("general.type", "model", None), ("general.name", "a model of tests", None)]
        for key, names in (("context_length", ("max_position_embeddings", "n_positions")), ("embedding_length", ("hidden_size", "n_embd")),
                           ("block_count", ("num_hidden_layers", "n_layer")), ("feed_forward_length", ("intermediate_size", "n_inner")),
                           ("attention.head_count", ("num_attention_heads", "n_head")),
                           ("expert_count", ("num_local_experts", "num_experts", "n_routed_experts")), ("expert_used_count", ("num_experts_per_tok",)),
                           ("expert_feed_forward_length", ("moe_intermediate_size",)),
                           ("expert_shared_feed_forward_length", ("shared_expert_intermediate_size",))):
            value = self.get(*names)
            if value is None and key == "feed_forward_length":
                value = 4 * self.get("hidden_size", "n_embd")
            if value is not None:
                self.value(key, value)
        if self.kind == "bert":
            self.value("attention.layer_norm_epsilon", float(self.get("layer_norm_eps")))
            self.value("attention.causal", False)
        elif self.kind == "gpt2":
            self.value("attention.layer_norm_epsilon", float(self.get("layer_norm_epsilon")))
        else:
            self.value("attention.layer_norm_rms_epsilon", float(self.get("rms_norm_eps")))
            self.add_rotary()
        for key, name in (("attn_logit_softcapping", "attn_logit_softcapping"), ("final_logit_softcapping", "final_logit_softcapping"),
                          ("attention.clamp_kqv", "clip_qkv"), ("attention.scale", "attention_multiplier"), ("embedding_scale", "embedding_multiplier"),
                          ("residual_scale", "residual_multiplier"), ("logit_scale", "logits_scaling")):
            if self.get(name) is not None:
                self.value(key, float(self.get(name)))
        if self.kind in ("gemma2", "gemma3_text", "phi3"):
            self.value("attention.sliding_window", self.get("sliding_window", default=0))
        if self.kind == "gemma3_text":
            self.value("attention.sliding_window_pattern", [t == "sliding_attention" for t in self.get("layer_types")])
        if self.kind == "gpt2":
            self.value("feed_forward_length", 4 * self.get("n_embd"))   # whatever it is
            self.values = [v for i, v in enumerate(self.values) if v[0] not in [w[0] for w in self.values[:i]]]

    def add_rotary(self):
        rope, scaling = self.rope(), "rope.scaling."
        if self.arch == "deepseek2":
            self.add_latent(rope)
        else:
            self.value("attention.head_count_kv", self.get("num_key_value_heads", default=self.get("num_attention_heads")))
            self.value("attention.key_length", self.head_dim())
            self.value("attention.value_length", self.head_dim())
        self.value("rope.dimension_count", self.rotary_dims())
        self.value("rope.freq_base", float(rope["rope_theta"]))
        if "local" in rope or self.kind == "gemma3_text":
            self.value("rope.freq_base_swa", float(rope.get("local", self.get("rope_local_base_freq", default=10000.0))))
        if rope["rope_type"] in ("linear", "yarn"):
            self.value(scaling + "type", rope["rope_type"])
            self.value(scaling + "factor", float(rope["factor"]))
        if rope["rope_type"] == "yarn":
            self.value(scaling + "original_context_length", rope["original_max_position_embeddings"])
            self.value(scaling + "yarn_beta_fast", float(rope["beta_fast"]))
            self.value(scaling + "yarn_beta_slow", float(rope["beta_slow"]))
        if rope["rope_type"] in ("longrope", "su"):
            old = self.get("original_max_position_embeddings", default=rope.get("original_max_position_embeddings"))
            longer = self.get("max_position_embeddings") / old
            self.value(scaling + "original_context_length", old)
            self.value(scaling + "attn_factor", math.sqrt(1 + math.log(longer) / math.log(old)))

    def add_latent(self, rope):
        nope, rotary, v, rank = (self.get(k) for k in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "kv_lora_rank"))
        if "latent" in self.options:
            self.value("attention.head_count_kv", 1)
            self.value("attention.key_length", rank + rotary)
            self.value("attention.value_length", rank)
            self.value("attention.key_length_mla", nope + rotary)
            self.value("attention.value_length_mla", v)
        else:
            self.value("attention.head_count_kv", self.get("num_attention_heads"))
            self.value("attention.key_length", nope + rotary)
            self.value("attention.value_length", v)
        self.value("attention.kv_lora_rank", rank)
        if self.get("q_lora_rank"):
            self.value("attention.q_lora_rank", self.get("q_lora_rank"))
        self.value("leading_dense_block_count", self.get("first_k_dense_replace"))
        self.value("expert_shared_count", self.get("n_shared_experts"))
        self.value("expert_weights_scale", float(self.get("routed_scaling_factor")))
        self.value("expert_weights_norm", bool(self.get("norm_topk_prob")))
        self.value("expert_gating_func", 2 if self.kind == "deepseek_v3" else 1)
        if self.get("n_group"):
            self.value("expert_group_count", self.get("n_group"))
            self.value("expert_group_used_count", self.get("topk_group"))
        if rope.get("mscale_all_dim"):
            self.value("rope.scaling.yarn_log_multiplier", 0.1 * rope["mscale_all_dim"])

    def add_tokenizer(self):
        """Of a byte-level BPE that cuts texts as Qwen2's does."""
        path = os.path.join(self.source, "tokenizer.json")
        with open(path, encoding="utf-8") as file:
            tokenizer = json.load(file)
        vocab = dict(tokenizer["model"]["vocab"], **{t["content"]: t["id"] for t in tokenizer["added_tokens"]})
        special = {t["id"] for t in tokenizer["added_tokens"] if t["special"]}
        tokens = sorted(vocab, key=vocab.get)
        merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
        self.values += [("tokenizer.ggml.model", "gpt2", None), ("tokenizer.ggml.pre", "qwen2", None), ("tokenizer.ggml.tokens", tokens, None),
                        ("tokenizer.ggml.token_type", [3 if vocab[t] in special else 1 for t in tokens], "i"),
                        ("tokenizer.ggml.merges", merges, None), ("tokenizer.ggml.bos_token_id", vocab["<s>"], None),
                        ("tokenizer.ggml.eos_token_id", vocab["</s>"], None), ("tokenizer.ggml.add_bos_token", True, None)]

    # ---- the files

    def add_asked(self):
        for key, value in self.options["add"]:
            self.values = [v for v in self.values if v[0] != key]
            if value is not None:
                self.values.append((key, value, None))

        for name in self.options["drop"]:
            del self.tensors[name]
        for old, new in self.options["name"]:
            self.tensors = {new if k == old else k: v for k, v in self.tensors.items()}
        for name, n in self.options["cut"]:
            dtype, shape, _ = self.tensors[name]
            self.tensors[name] = (dtype, [int(n)] + shape[1:], b"".join(rows(self.tensors[name])[:int(n)]))

    def write(self, target):
        os.makedirs(os.path.join(target, "hf"))
        with open(os.path.join(target, "hf", "config.json"), "w", encoding="utf-8") as file:
            json.dump(self.config, file)
        write_safetensors(os.path.join(target, "hf", "model.safetensors"), self.hf)
        n = int(self.options.get("split", 1))
        names = list(self.tensors)
        for i in range(n):
            values = self.values if i == 0 else []
            if n > 1:
                values = values + [("split.no", i, "H"), ("split.count", n, "H"), ("split.tensors.count", len(names), "i")]
            path = "model.gguf" if n == 1 else f"model-{i + 1:05}-of-{n:05}.gguf"
            part = names[i * len(names) // n:(i + 1) * len(names) // n]
            write_gguf(os.path.join(target, path), values, {k: self.tensors[k] for k in part})


# ---------------------------------------------------------------------------------------------- GGUF

def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


CODES = {"I": 4, "i": 5, "f": 6, "?": 7, "H": 2, "s": 8}


def code_of(value):
    return "?" if isinstance(value, bool) else "I" if isinstance(value, int) else "f" if isinstance(value, float) else "s"


def item(code, value):
    return text(value) if code == "s" else struct.pack("<" + code, value)


def packed_value(value, kind):
    if isinstance(value, list):
        code = kind or code_of(value[0])
        return struct.pack("<IIQ", 9, CODES[code], len(value)) + b"".join(item(code, v) for v in value)
    code = kind or code_of(value)
    return struct.pack("<I", CODES[code]) + item(code, value)


def write_gguf(path, values, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for key, value, kind in values:
        head += text(key) + packed_value(value, kind)
    body = b""
    for name, (dtype, shape, data) in tensors.items():
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", d) for d in reversed(shape))
        head += struct.pack("<IQ", TYPES[dtype], len(body))
        body += data + b"\0" * (-len(data) % 32)
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32) + body)


def main():
    source, target, *rest = sys.argv[1:]
    options, settings = {"add": [], "drop": [], "name": [], "cut": []}, {}
    while rest:
        word = rest.pop(0)
        if word == "--add":
            key, value = rest.pop(0).split("=", 1)
            options["add"].append((key, json.loads(value)))
        elif word == "--drop":
            options["drop"].append(rest.pop(0))
        elif word in ("--name", "--cut"):
            options[word[2:]].append(rest.pop(0).split("="))
        elif word in ("--layers", "--split"):
            options[word[2:]] = rest.pop(0)
        elif word.startswith("--"):
            options[word[2:]] = True
        else:
            key, value = word.split("=", 1)
            settings[key] = json.loads(value)
    model = Model(source, settings, options)
    model.add_tensors()
    model.add_values()
    if "tokenizer" in options:
        model.add_tokenizer()
    model.add_asked()
    model.write(target)


if __name__ == "__main__":
    main()
