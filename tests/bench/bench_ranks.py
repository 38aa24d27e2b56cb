"""bench_ranks.py PROGRAM - bytes that ranks which share experts send to one another, as a Markdown table.

Measured by the program (what it says at the end of a run with --expert-parallel), beside 2 K hidden 4
(EP - 1) / EP for a token and layer: the choices of random routers are spread nearly evenly. The program is
build/mpi/cocktail beside PROGRAM's directory (`make MPI=1`); left out without it or mpirun.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness import BENCH_DIR, ROOT, say, table, write_random_model

N_TEXTS, N_TOKENS, N_LAYERS, HIDDEN, VOCAB = 16, 128, 4, 256, 512
KINDS = {"8 experts, K 2": (8, 2), "64 experts, K 6": (64, 6)}  # as many as Mixtral 8x7B, DeepSeek-V2-Lite
NOTICE = re.compile(r"each loads (\d+) of (\d+) bytes; .* went (\d+) rows of (\d+) bytes, .* and (\d+) bytes of")


def model(name, n_experts, n_chosen):
    config = {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": VOCAB,
              "hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": N_LAYERS,
              "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": n_experts,
              "num_experts_per_tok": n_chosen, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
              "tie_word_embeddings": False}
    tensors = [("model.embed_tokens.weight", (VOCAB, HIDDEN)), ("model.norm.weight", (HIDDEN,)),
               ("lm_head.weight", (VOCAB, HIDDEN))]
    for i in range(N_LAYERS):
        layer = f"model.layers.{i}"
        tensors += [(f"{layer}.{norm}.weight", (HIDDEN,)) for norm in ("input_layernorm", "post_attention_layernorm")]
        tensors += [(f"{layer}.self_attn.{part}_proj.weight", (rows, HIDDEN))
                    for part, rows in (("q", HIDDEN), ("k", HIDDEN // 2), ("v", HIDDEN // 2), ("o", HIDDEN))]
        moe = f"{layer}.block_sparse_moe"
        tensors.append((f"{moe}.gate.weight", (n_experts, HIDDEN)))
        for e in range(n_experts):
            tensors += [(f"{moe}.experts.{e}.w1.weight", (64, HIDDEN)), (f"{moe}.experts.{e}.w2.weight", (HIDDEN, 64)),
                        (f"{moe}.experts.{e}.w3.weight", (64, HIDDEN))]
    return write_random_model(BENCH_DIR / name, config, tensors, tokenizer=ROOT)


def run(program, folder, ids, n_ranks):
    """(loaded, all, rows, bytes, bytes of numbers) of all ranks together."""
    environment = {**os.environ, "TMPDIR": "/tmp", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(["mpirun", "--oversubscribe", "-n", str(n_ranks), program, "logits", folder, ids, "--from-ids",
                           "--format", "npy", "--expert-parallel", str(n_ranks), "-t", "1"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    return [int(group) for group in NOTICE.search(done.stderr.decode()).groups()]


def main():
    program = Path(sys.argv[1]).resolve().parents[1] / "mpi" / "cocktail"
    if not program.exists() or not shutil.which("mpirun"):
        say(f"bench_ranks: left out: it takes {program} (make MPI=1) and mpirun")
        return
    chance, rows = random.Random(7), []
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    ids = BENCH_DIR / "ranks.ids"
    ids.write_text("".join(" ".join(str(chance.randrange(VOCAB)) for _ in range(N_TOKENS)) + "\n" for _ in range(N_TEXTS)))
    for name, (n_experts, n_chosen) in KINDS.items():
        folder = model(f"ranks-{n_experts}", n_experts, n_chosen)
        for n in (2, 4):
            loaded, of, _, sent, numbers = run(program, folder, ids, n)
            measured, n_sent = sent / (N_TEXTS * N_TOKENS * N_LAYERS), N_TEXTS * N_TOKENS * N_LAYERS
            even = 2 * n_chosen * HIDDEN * 4 * (n - 1) / n
            rows.append([f"{name}, EP {n}", f"{loaded / of:.3f}", f"{measured:.0f}", f"{even:.0f}", f"{measured / even:.3f}",
                         f"{numbers / n_sent:.1f}"])
    ids.unlink()
    table(f"Experts on several ranks, bytes a token and layer ({N_TEXTS} texts of {N_TOKENS} random tokens, hidden {HIDDEN}, "
          f"{N_LAYERS} layers):", ["share of the experts on a rank", "sent", "2 K hidden 4 (EP-1)/EP", "ratio",
                                   "numbers of rows"], rows)


main()
