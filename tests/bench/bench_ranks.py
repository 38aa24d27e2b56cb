"""bench_ranks.py PROGRAM - what ranks cost, as Markdown tables: the bytes that they send to one another when they
share experts, one machine with one rank or two, and what follows for larger models and more machines.

Bytes are measured by the program (what it says at the end of a run with --expert-parallel), beside 2 K hidden 4
(EP - 1) / EP for a token and layer: the choices of random routers are spread nearly evenly. The program is
build/mpi/cocktail beside PROGRAM's directory (`make MPI=1`); left out without it or mpirun.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from harness import BENCH_DIR, ROOT, ROUNDS, say, table, write_random_model

N_TEXTS, N_TOKENS, N_LAYERS, HIDDEN, VOCAB = 16, 128, 4, 256, 512
KINDS = {"8 experts, K 2": (8, 2), "64 experts, K 6": (64, 6)}  # as many as Mixtral 8x7B, DeepSeek-V2-Lite
SHAPE = {"hidden": 1024, "inter": 1792, "n_texts": 16, "n_tokens": 512}  # of what is timed
# What is scaled on paper: layers with experts, hidden, K, experts, GB of experts and of all else.
LARGE = {"Mixtral 8x7B, bf16": (32, 4096, 2, 8, 90.2, 3.2), "DeepSeek-V3, fp8": (58, 7168, 8, 256, 653.9, 19.0)}
LINK_GB_S, TURN_US = 12.5, 30  # 100 Gb/s; an exchange of little over TCP
NOTICE = re.compile(r"each loads (\d+) of (\d+) bytes; .* went (\d+) rows of (\d+) bytes, .* and (\d+) bytes of")


def model(name, n_experts, n_chosen, hidden=HIDDEN, inter=64):
    config = {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": VOCAB,
              "hidden_size": hidden, "intermediate_size": inter, "num_hidden_layers": N_LAYERS,
              "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": n_experts,
              "num_experts_per_tok": n_chosen, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
              "tie_word_embeddings": False}
    tensors = [("model.embed_tokens.weight", (VOCAB, hidden)), ("model.norm.weight", (hidden,)),
               ("lm_head.weight", (VOCAB, hidden))]
    for i in range(N_LAYERS):
        layer = f"model.layers.{i}"
        tensors += [(f"{layer}.{norm}.weight", (hidden,)) for norm in ("input_layernorm", "post_attention_layernorm")]
        tensors += [(f"{layer}.self_attn.{part}_proj.weight", (rows, hidden))
                    for part, rows in (("q", hidden), ("k", hidden // 2), ("v", hidden // 2), ("o", hidden))]
        moe = f"{layer}.block_sparse_moe"
        tensors.append((f"{moe}.gate.weight", (n_experts, hidden)))
        for e in range(n_experts):
            tensors += [(f"{moe}.experts.{e}.w1.weight", (inter, hidden)), (f"{moe}.experts.{e}.w2.weight", (hidden, inter)),
                        (f"{moe}.experts.{e}.w3.weight", (inter, hidden))]
    return write_random_model(BENCH_DIR / name, config, tensors, tokenizer=ROOT)


def start(program, folder, ids, n_ranks, *options):
    """What is said by ranks that compute logits, and their seconds."""
    environment = {**os.environ, "TMPDIR": "/tmp", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    before = time.monotonic()
    done = subprocess.run(["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(n_ranks), program, "logits", folder, ids,
                           "--from-ids", "--format", "npy", *options],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, timeout=600)
    return done.stderr.decode(), time.monotonic() - before


def run(program, folder, ids, n_ranks):
    """(loaded, all, rows, bytes, bytes of numbers) of all ranks together."""
    told, _ = start(program, folder, ids, n_ranks, "--expert-parallel", str(n_ranks), "-t", "1")
    return [int(group) for group in NOTICE.search(told).groups()]


def write_ids(path, n_texts, n_tokens):
    chance = random.Random(7)
    path.write_text("".join(" ".join(str(chance.randrange(VOCAB)) for _ in range(n_tokens)) + "\n" for _ in range(n_texts)))


def time_ranks(program, ids):
    """The same texts by one rank with two threads and by two with one, start-up (of no texts) taken off."""
    folder = model("ranks-timed", 8, 2, SHAPE["hidden"], SHAPE["inter"])
    ways = {"one rank, two threads": (1, "-t", "2"), "two ranks, one thread each": (2, "-t", "1"),
            "the same, half of the experts each": (2, "-t", "1", "--expert-parallel", "2")}
    n, best = SHAPE["n_texts"] * SHAPE["n_tokens"], {}
    for _ in range(ROUNDS):
        for name, (n_ranks, *options) in ways.items():
            write_ids(ids, SHAPE["n_texts"], SHAPE["n_tokens"])
            seconds = start(program, folder, ids, n_ranks, *options)[1]
            write_ids(ids, n_ranks, 1)
            seconds -= start(program, folder, ids, n_ranks, *options)[1]
            best[name] = min(best.get(name, seconds), seconds)
    first = next(iter(best.values()))
    table(f"Ranks of one machine ({SHAPE['n_texts']} texts of {SHAPE['n_tokens']} tokens, hidden {SHAPE['hidden']}, 8 experts of "
          f"{SHAPE['inter']}, K 2, {N_LAYERS} layers, bf16):", ["tokens/s", "times"],
          [[name, f"{n / seconds:.0f}", f"{first / seconds:.2f}"] for name, seconds in best.items()])


def scale():
    """By arithmetic: GB on a machine, what the links let through at most, what they add to a token that follows."""
    rows = []
    for name, (n_layers, hidden, n_chosen, n_experts, experts_gb, rest_gb) in LARGE.items():
        for n in (4, 16, 64):
            group = max(d for d in range(1, n_experts + 1) if n_experts % d == 0 and n % d == 0)
            token_mb = n_layers * 2 * n_chosen * hidden * 4 * (group - 1) / group / 1e6
            rows.append([f"{name}, {n} machines", str(group), f"{rest_gb + experts_gb / group:.0f}", f"{token_mb:.2f}",
                         f"{n * LINK_GB_S * 1e3 / token_mb:.0f}",
                         f"{2 * n_layers * TURN_US / 1e3 + token_mb / LINK_GB_S:.1f}"])
    table(f"On paper, machines with links of {LINK_GB_S} GB/s, {TURN_US} us for an exchange:",
          ["EP", "GB on each", "MB a token", "prompt, tokens/s at most", "ms for a token that follows"], rows)


def main():
    program = Path(sys.argv[1]).resolve().parents[1] / "mpi" / "cocktail"
    if not program.exists() or not shutil.which("mpirun"):
        say(f"bench_ranks: left out: it takes {program} (make MPI=1) and mpirun")
        return
    rows = []
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    ids = BENCH_DIR / "ranks.ids"
    write_ids(ids, N_TEXTS, N_TOKENS)
    for name, (n_experts, n_chosen) in KINDS.items():
        folder = model(f"ranks-{n_experts}", n_experts, n_chosen)
        for n in (2, 4):
            loaded, of, _, sent, numbers = run(program, folder, ids, n)
            measured, n_sent = sent / (N_TEXTS * N_TOKENS * N_LAYERS), N_TEXTS * N_TOKENS * N_LAYERS
            even = 2 * n_chosen * HIDDEN * 4 * (n - 1) / n
            rows.append([f"{name}, EP {n}", f"{loaded / of:.3f}", f"{measured:.0f}", f"{even:.0f}", f"{measured / even:.3f}",
                         f"{numbers / n_sent:.1f}"])
    table(f"Experts on several ranks, bytes a token and layer ({N_TEXTS} texts of {N_TOKENS} random tokens, hidden {HIDDEN}, "
          f"{N_LAYERS} layers):", ["share of the experts on a rank", "sent", "2 K hidden 4 (EP-1)/EP", "ratio",
                                   "numbers of rows"], rows)
    time_ranks(program, ids)
    ids.unlink()
    scale()


main()
