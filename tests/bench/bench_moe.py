"""bench_moe.py PROGRAM - how fast a mixture of experts runs, as a Markdown table.

A generated Mixtral of 1.5 B parameters in bf16 (3 GB, eight experts, two a token), as bench_run.py
measures: a prompt of PROMPT tokens, then N_TOKENS more; beside the program transformers with the
same weights in float32, in which the program computes, and in bfloat16. ROUNDS, THREADS and
BENCH_DIR as there.
"""

import os
import sys

import bench_run
from bench_run import BENCH_DIR, N_TOKENS, PROMPT, ROUNDS, THREADS, Transformers

SHAPE = dict(hidden=1024, inner=3584, n_layers=16, n_heads=16, n_kv_heads=4, vocabulary=32000, n_experts=8)


def tensors(hidden, inner, n_layers, n_heads, n_kv_heads, vocabulary, n_experts):
    narrow = hidden // n_heads * n_kv_heads
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for i in range(n_layers):
        layer = f"model.layers.{i}."
        yield f"{layer}input_layernorm.weight", (hidden,)
        for name, n_out in (("q", hidden), ("k", narrow), ("v", narrow), ("o", hidden)):
            yield f"{layer}self_attn.{name}_proj.weight", (n_out, hidden)
        yield f"{layer}post_attention_layernorm.weight", (hidden,)
        yield f"{layer}block_sparse_moe.gate.weight", (n_experts, hidden)
        for expert in range(n_experts):
            for name, shape in (("w1", (inner, hidden)), ("w2", (hidden, inner)), ("w3", (inner, hidden))):
                yield f"{layer}block_sparse_moe.experts.{expert}.{name}.weight", shape
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocabulary, hidden)


def make_model():
    config = {
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": SHAPE["hidden"],
        "intermediate_size": SHAPE["inner"], "num_hidden_layers": SHAPE["n_layers"],
        "num_attention_heads": SHAPE["n_heads"], "num_key_value_heads": SHAPE["n_kv_heads"],
        "vocab_size": SHAPE["vocabulary"], "num_local_experts": SHAPE["n_experts"], "num_experts_per_tok": 2,
        "rope_theta": 1e6, "sliding_window": None}
    return bench_run.write_random_model(BENCH_DIR / "mixtral-3gb", config, list(tensors(**SHAPE)))


def main():
    folder = make_model()
    print(f"{THREADS} threads; best of {ROUNDS}; times: cocktail's speed over that of the row", flush=True)
    bench_run.bench_decoder(f"Mixtral of 1.5 B parameters in bf16, {PROMPT} tokens and {N_TOKENS} more:",
                            os.path.abspath(sys.argv[1]), folder, bench_run.random_prompt(SHAPE["vocabulary"]),
                            lambda: Transformers(folder), lambda: Transformers(folder, "bfloat16"))


if __name__ == "__main__":
    main()
