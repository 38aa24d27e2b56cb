"""check_gguf.py - GGUF files that `cocktail convert` and `cocktail mix` write: what llama.cpp makes of
them.

Small random models of each architecture that GGUF can say, as transformers saves them: llama.cpp
(llama-cpp-python 0.3.36) loads the file and gives the logits that cocktail gives on the folder, and so
the same greedy tokens. In f32, its cache too, they are equal to 5e-6 of the largest; where it takes
GELU from a table in f16 (gpt2, gemma) to 4e-4, with seven
layers to 1e-3. Q8_0 is what the gguf package packs.
"""

import io
import json
import subprocess

import numpy as np
import torch
from harness import COCKTAIL, FIXTURES, case, case_for, cocktail, need, run, scratch

LENGTH = 24


def sizes(**more):
    return {"vocab_size": 96, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
            **{"initializer_range": 0.2, **more}}


def scaled(**rope):
    return sizes(rope_parameters={"rope_theta": 10000.0, **rope})


GEMMA = {"initializer_range": 0.1, "head_dim": 24, "query_pre_attn_scalar": 24}
MOE = {"num_experts_per_tok": 2, "moe_intermediate_size": 32, "num_experts": 4, "norm_topk_prob": True}
MODELS = {
    "llama": ("Llama", sizes()),
    "llama-heads": ("Llama", sizes(head_dim=24, attention_bias=True, mlp_bias=True)),
    "llama-tied": ("Llama", sizes(tie_word_embeddings=True)),
    "llama-linear": ("Llama", scaled(rope_type="linear", factor=4.0)),
    "llama-llama3": ("Llama", scaled(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                     original_max_position_embeddings=16)),
    "llama-yarn": ("Llama", scaled(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)),
    "llama-yarn-factor": ("Llama", scaled(rope_type="yarn", factor=4.0, original_max_position_embeddings=16,
                                          attention_factor=1.3)),
    "mistral": ("Mistral", sizes(sliding_window=None)),
    "mixtral": ("Mixtral", sizes(num_local_experts=4, num_experts_per_tok=2, sliding_window=None)),
    "qwen2": ("Qwen2", sizes()),
    "qwen3": ("Qwen3", sizes(head_dim=24)),
    "qwen2-moe": ("Qwen2Moe", sizes(**{**MOE, "norm_topk_prob": False}, shared_expert_intermediate_size=40)),
    "qwen3-moe": ("Qwen3Moe", sizes(**MOE, head_dim=24)),
    "olmoe": ("Olmoe", sizes(num_key_value_heads=4, num_experts=4, num_experts_per_tok=2)),
    "granite-moe": ("GraniteMoe", sizes(num_local_experts=4, num_experts_per_tok=2, attention_multiplier=0.1,
                                        embedding_multiplier=3.0, logits_scaling=2.5, residual_multiplier=0.4)),
    "phi3": ("Phi3", sizes(sliding_window=None)),
    "phi3-long": ("Phi3", sizes(sliding_window=None, original_max_position_embeddings=16, rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "long_factor": [1 + i / 2 for i in range(8)],
        "short_factor": [1 + i / 16 for i in range(8)], "original_max_position_embeddings": 16})),
    "gemma": ("Gemma", sizes(head_dim=24, initializer_range=0.1)),
    "gemma2": ("Gemma2", sizes(**GEMMA, sliding_window=8, attn_logit_softcapping=20.0, final_logit_softcapping=15.0)),
    "gemma3": ("Gemma3", sizes(**GEMMA, sliding_window=8, num_hidden_layers=7)),
    "gemma3-own-pattern": ("Gemma3", sizes(**GEMMA, sliding_window=8, layer_types=["full_attention", "sliding_attention"])),
    "gpt2": ("GPT2", {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "n_inner": 80,
                      "initializer_range": 0.1, "bos_token_id": 1, "eos_token_id": 2}),
}
BY_TABLE = {"gemma": 4e-4, "gemma2": 4e-4, "gemma3": 1e-3, "gemma3-own-pattern": 4e-4, "gpt2": 4e-4}


def model(name, seed=1, dtype=torch.float32):
    """A folder of random weights, norms and biases too."""
    import transformers

    kind, settings = MODELS[name]
    config = getattr(transformers, f"{kind}TextConfig" if kind == "Gemma3" else f"{kind}Config")(**settings)
    torch.manual_seed(seed)
    head = "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
    made = getattr(transformers, head)(config)
    with torch.no_grad():
        for key, value in made.named_parameters():
            if value.ndim == 1:
                value.add_(torch.randn_like(value) * 0.2)
    folder = scratch() / f"{name}-{seed}"
    made.to(dtype).save_pretrained(folder)
    return folder


def convert(folder, *options, name="model.gguf"):
    output = scratch() / name
    cocktail("convert", folder, "-o", output, *options)
    return output


def ids():
    return [int(i) for i in np.random.RandomState(5).randint(3, 96, LENGTH)]


def our_logits(folder, tokens):
    process = subprocess.run([COCKTAIL, "logits", "-q", "--from-ids", "--format", "npy", folder],
                             input=" ".join(map(str, tokens)).encode(), capture_output=True, check=True)
    return np.load(io.BytesIO(process.stdout))


class Llama:
    """A file in llama.cpp, on one thread, all in f32."""

    def __init__(self, path, embeds=False):
        need("llama_cpp")
        import llama_cpp

        self.cpp, self.embeds = llama_cpp, embeds
        self.silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.silent, None)
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        assert self.model, "llama.cpp does not load it"
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = 64
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = params.flash_attn_type = 0
        params.embeddings = embeds
        self.context = llama_cpp.llama_init_from_model(self.model, params)

    def tokens(self, text):
        data, out = text.encode(), (self.cpp.llama_token * 256)()
        n = self.cpp.llama_tokenize(self.vocab, data, len(data), out, 256, True, True)
        return list(out[:n])

    def run(self, tokens):
        """Logits of each token, or the pooled vector."""
        batch = self.cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
            batch.seq_id[i][0] = 0
        assert self.cpp.llama_decode(self.context, batch) == 0
        self.cpp.llama_batch_free(batch)
        if self.embeds:
            n = self.cpp.llama_model_n_embd(self.model)
            return np.ctypeslib.as_array(self.cpp.llama_get_embeddings_seq(self.context, 0), (n,)).copy()
        n = self.cpp.llama_vocab_n_tokens(self.vocab)
        return np.array([np.ctypeslib.as_array(self.cpp.llama_get_logits_ith(self.context, i), (n,)).copy()
                         for i in range(len(tokens))])

    def __del__(self):
        if getattr(self, "context", None):
            self.cpp.llama_free(self.context)
        if getattr(self, "model", None):
            self.cpp.llama_model_free(self.model)


def expect_near(got, expected, tolerance):
    difference = float(np.abs(got[:, :expected.shape[1]] - expected).max() / np.abs(expected).max())
    assert difference <= tolerance, f"{difference:.2g} of the largest logit apart"
    best = np.sort(expected, 1)[:, -2:]
    is_clear = best[:, 1] - best[:, 0] > 2 * tolerance * np.abs(expected).max()
    assert is_clear.sum() > len(best) / 2 and (got.argmax(1) == expected.argmax(1))[is_clear].all(), "other greedy tokens"
    return f"{difference:.1g}"


@case_for(MODELS)
def llama_cpp_gives_our_logits(name):
    folder = model(name)
    return expect_near(Llama(convert(folder)).run(ids()), our_logits(folder, ids()), BY_TABLE.get(name, 5e-6))


@case_for(["llama", "mixtral", "qwen3", "gemma3"])
def so_it_does_of_a_mix(name):
    folders = [model(name, seed) for seed in (1, 2)]
    weights = ["--weights", "0.75,0.25"]
    cocktail("mix", *weights, *folders, "-o", scratch() / "mixed")
    cocktail("mix", *weights, *folders, "-o", scratch() / "mixed.gguf")
    return expect_near(Llama(scratch() / "mixed.gguf").run(ids()), our_logits(scratch() / "mixed", ids()),
                       BY_TABLE.get(name, 5e-6))


TEXTS = ["a", "The painter holds the window.", "12 + 7 = 19", "Größer, naïve café", "x  y\tz\n"]


@case_for(["decoder-base", "decoder-translation", "moe-base"])
def trained_models_with_their_tokenizers(name):
    llama = Llama(convert(FIXTURES / name, "--dtype", "f32"))
    for text in TEXTS:
        tokens = [int(i) for i in subprocess.run([COCKTAIL, "tokenize", FIXTURES / name], input=text.encode(),
                                                 capture_output=True, check=True).stdout.split()]
        assert llama.tokens(text) == tokens, (text, llama.tokens(text), tokens)
    whole = scratch() / "whole"
    cocktail("convert", FIXTURES / name, "-o", whole, "--dtype", "f32")
    return expect_near(llama.run(tokens), our_logits(whole, tokens), 5e-6)


@case
def a_bert_and_its_pooling():
    """Its GELU is exact here, and by tanh in llama.cpp."""
    text, output = "The route from here to there", scratch() / "bert.gguf"
    cocktail("mix", "--weights", "1", "--pooling", "mean", FIXTURES / "encoder-base", "-o", output, "--dtype", "f32")
    llama = Llama(output, embeds=True)
    got = llama.run(llama.tokens(text))
    ours = subprocess.run([COCKTAIL, "embed", "-q", "--pooling", "mean", FIXTURES / "encoder-base"], input=text.encode(),
                          capture_output=True, check=True).stdout
    expected = np.array(json.loads(ours))
    cosine = float(got @ expected / np.linalg.norm(got) / np.linalg.norm(expected))
    assert cosine > 0.99999, cosine
    return f"cosine 1 - {1 - cosine:.1g}"


def values(path):
    """What each tensor of a file holds, by the gguf package."""
    need("gguf")
    import gguf

    return {t.name: (t.tensor_type.name, gguf.quants.dequantize(t.data, t.tensor_type), t.data)
            for t in gguf.GGUFReader(path).tensors}


@case_for(["llama", "mixtral", "gpt2", "phi3"])
def q8_0_is_what_the_gguf_package_packs(name):
    need("gguf")
    import gguf

    folder = model(name)
    whole, packed = values(convert(folder)), values(convert(folder, "--dtype", "q8_0", name="packed.gguf"))
    assert whole.keys() == packed.keys()
    n = 0
    for key, (kind, _, data) in packed.items():
        x = whole[key][1]
        if x.ndim < 2 or "ffn_gate_inp" in key or key == "position_embd.weight":
            assert kind == "F32" and np.array_equal(packed[key][1], x), key
        elif x.shape[-1] % 32:
            assert kind == "F16" and np.array_equal(packed[key][1], x.astype(np.float16).astype(np.float32)), key
        else:
            assert kind == "Q8_0" and np.array_equal(data, gguf.quants.quantize(x, gguf.GGMLQuantizationType.Q8_0)), key
            n += 1
    assert n > 0
    return f"{n} of {len(packed)} tensors"


@case_for([torch.float32, torch.float16, torch.bfloat16])
def plain_types_are_rounded_once(dtype):
    folder = model("llama", dtype=dtype)
    files = {"F32": None, "F16": torch.float16, "BF16": torch.bfloat16}
    expected = values(convert(folder, "--dtype", "f32"))
    for kind, rounded in files.items():
        for key, (found, got, _) in values(convert(folder, "--dtype", kind.lower(), name=f"{kind}.gguf")).items():
            x = torch.from_numpy(np.array(expected[key][1]))
            is_matrix = x.ndim == 2
            assert found == (kind if is_matrix else "F32"), (key, found)
            x = x.to(rounded).float() if rounded and is_matrix else x
            assert np.array_equal(got.reshape(x.shape), x.numpy()), key


@case
def without_a_dtype_it_is_that_of_the_model():
    for dtype, kind in ((torch.float32, "F32"), (torch.float16, "F16"), (torch.bfloat16, "BF16"), (torch.float64, "BF16")):
        path = convert(model("llama", dtype=dtype), name=f"{kind}-{dtype}.gguf")
        assert values(path)["token_embd.weight"][0] == kind, dtype


run()
