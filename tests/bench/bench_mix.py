"""bench_mix.py PROGRAM [PART ...] - how fast `cocktail mix` is, as Markdown tables.

Parts (all, when none is named):
  memory  two bf16 models of 1.7 GB, result to a file system in memory: cocktail, mergekit `linear`
          and LM_Cocktail `mix_models` on the CPU, and the floor: `cat` of the inputs to /dev/null
          and `cp` of one of them to the output
  disk    the same to a disk; the floor is `dd if=/dev/zero conv=fsync` of as many bytes, in blocks
          of 1 MiB or of 256 KiB, whichever is faster
  many    2, 4 and 10 models of 0.4 GB in f16 and f32 to memory, and where the time goes

Models are generated with a fixed seed. Inputs lie in the page cache: they are read before each run.
Quick commands run RUNS times in turn, peers PEER_RUNS times, and medians count. The times of peers
include their start-up, which a row of its own shows. Peers that this Python lacks are left out with
a line. On a busy machine `chrt -f 1 make bench` keeps the others out of the way.
A peak of memory below that of this script (some 17 MB) shows as that.

  BENCH_DIR    directory on the disk: inputs and the results on disk (default build/bench); all parts
               need 6 GB there at a time, and leave nothing
  BENCH_TMPFS  directory in memory (default /dev/shm)
  RUNS         default 5
  PEER_RUNS    default 3
"""

import importlib.util
import json
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = int(os.environ.get("RUNS", 5))
PEER_RUNS = int(os.environ.get("PEER_RUNS", 3))
BENCH_DIR = Path(os.environ.get("BENCH_DIR", "build/bench"))
BENCH_TMPFS = Path(os.environ.get("BENCH_TMPFS", "/dev/shm"))
BLOCK_BYTES = 8 << 20
# Bits of an item that are random, and those that are set: numbers of either sign near 0.01.
PATTERNS = {"bf16": (2, 0x80FF, 0x3C00), "f16": (2, 0x83FF, 0x2000), "f32": (4, 0x807FFFFF, 0x3C000000)}
TORCH_NAMES = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}


# ---- models


def llama_tensors(hidden, inner, n_layers, vocabulary):
    tensors = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,),
               "lm_head.weight": (vocabulary, hidden)}
    for i in range(n_layers):
        layer = f"model.layers.{i}"
        for name in "qkvo":
            tensors[f"{layer}.self_attn.{name}_proj.weight"] = (hidden, hidden)
        tensors[f"{layer}.mlp.gate_proj.weight"] = (inner, hidden)
        tensors[f"{layer}.mlp.up_proj.weight"] = (inner, hidden)
        tensors[f"{layer}.mlp.down_proj.weight"] = (hidden, inner)
        tensors[f"{layer}.input_layernorm.weight"] = (hidden,)
        tensors[f"{layer}.post_attention_layernorm.weight"] = (hidden,)
    return tensors


def random_blocks(seed, dtype, n_bytes):
    """n_bytes of items, in blocks."""
    item_bytes, mask, ones = PATTERNS[dtype]
    repeat = BLOCK_BYTES // item_bytes
    mask = int.from_bytes(mask.to_bytes(item_bytes, "little") * repeat, "little")
    ones = int.from_bytes(ones.to_bytes(item_bytes, "little") * repeat, "little")
    rng = random.Random(seed)
    while n_bytes > 0:
        block = (rng.getrandbits(8 * BLOCK_BYTES) & mask | ones).to_bytes(BLOCK_BYTES, "little")
        yield block[:n_bytes]
        n_bytes -= BLOCK_BYTES


def write_safetensors(path, tensors, dtype, seed):
    item_bytes = PATTERNS[dtype][0]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in sorted(tensors.items()):
        end = offset + item_bytes * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": dtype.upper(), "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for block in random_blocks(seed, dtype, offset):
            file.write(block)
    return offset


def write_index(folder, shards, n_bytes):
    weight_map = {name: file for file, names in shards.items() for name in names}
    index = {"metadata": {"total_size": n_bytes}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def write_tokenizer(folder):
    """As little as the peers are content with."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                 "pre_tokenizer": None, "post_processor": None, "decoder": None,
                 "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))


def generate(folder, dtype, seed, hidden, inner, n_layers, vocabulary, n_shards):
    folder.mkdir(parents=True)
    tensors = llama_tensors(hidden, inner, n_layers, vocabulary)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
              "intermediate_size": inner, "num_hidden_layers": n_layers, "num_attention_heads": hidden // 64,
              "vocab_size": vocabulary, "tie_word_embeddings": False, "torch_dtype": TORCH_NAMES[dtype],
              "bos_token_id": 1, "eos_token_id": 2}
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(folder)
    if n_shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, dtype, seed)
        return
    names, n_bytes, shards = sorted(tensors), 0, {}
    for i in range(n_shards):
        file = f"model-{i + 1:05}-of-{n_shards:05}.safetensors"
        shards[file] = names[i * len(names) // n_shards : (i + 1) * len(names) // n_shards]
        part = {name: tensors[name] for name in shards[file]}
        n_bytes += write_safetensors(folder / file, part, dtype, seed * 100 + i)
    write_index(folder, shards, n_bytes)


def make_model(folder, dtype, seed, *shape):
    """In a process of its own: what a child starts with counts for its peak memory."""
    say(f"generating {folder.name}")
    arguments = [str(folder), dtype, str(seed), *map(str, shape)]
    subprocess.run([sys.executable, __file__, "--generate", *arguments], check=True)
    return folder


# ---- measuring


def say(text):
    print(text, file=sys.stderr, flush=True)


class Run:
    """One command: seconds, processor seconds, peak memory, what it printed."""

    def __init__(self, command):
        with tempfile.TemporaryFile() as output:
            start = time.perf_counter()
            process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            self.text = output.read().decode(errors="replace")
        self.processor_s = usage.ru_utime + usage.ru_stime
        self.peak_mb = usage.ru_maxrss * 1024 / 1e6
        if process.returncode:
            sys.exit(f"{command} failed with {process.returncode}:\n{self.text[-2000:]}")


class Runs:
    """Several runs of one thing; what is asked for is the median."""

    def __init__(self):
        self.runs = []

    def add(self, *runs):
        """The parts of one round, which count together."""
        self.runs.append(runs)

    def seconds(self):
        return statistics.median(sum(r.seconds for r in runs) for runs in self.runs)

    def spread(self):
        times = [sum(r.seconds for r in runs) for runs in self.runs]
        return f"{min(times):.2f}-{max(times):.2f}" if len(times) > 1 else ""

    def processor_s(self):
        return statistics.median(sum(r.processor_s for r in runs) for runs in self.runs)

    def peak_mb(self):
        return max(r.peak_mb for runs in self.runs for r in runs)

    def phases(self):
        """Medians of the seconds that -v tells: read, combine, write, flush."""
        pattern = r"read ([\d.]+) s, combine ([\d.]+) s, write ([\d.]+) s; flush ([\d.]+)"
        rows = [[float(x) for x in re.search(pattern, runs[0].text).groups()] for runs in self.runs]
        return [statistics.median(column) for column in zip(*rows)]


def warm(models):
    for model in models:
        for path in sorted(model.glob("*.safetensors")):
            with open(path, "rb", buffering=0) as file:
                buffer = bytearray(1 << 20)
                while file.readinto(buffer):
                    pass


def files_of(models):
    return [path for model in models for path in sorted(model.glob("*.safetensors"))]


def size_of(paths):
    return sum(path.stat().st_size for path in paths)


def clear(path):
    """Removes an output; nothing of it is left to be written while the next one is timed."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    os.sync()


def weights_for(models):
    return ",".join([repr(1 / len(models))] * len(models))


def run_cocktail(program, models, output):
    clear(output)
    warm(models)
    return Run([program, "mix", "-v", f"--weights={weights_for(models)}", *models, "-o", output])


def run_floor(models, output):
    clear(output)
    warm(models)
    output.mkdir()
    reading = Run(["sh", "-c", 'exec cat "$@" >/dev/null', "sh", *files_of(models)])
    return reading, Run(["cp", *files_of(models[:1]), output])


def run_dd(n_bytes, block_kb, output):
    clear(output)
    count = round(n_bytes / (block_kb << 10))
    return Run(["dd", "if=/dev/zero", f"of={output}", f"bs={block_kb}K", f"count={count}", "conv=fsync"])


# ---- peers


def mergekit_command(models, output, scratch):
    rows = "".join(f"  - model: {model}\n    parameters: {{weight: {1 / len(models)}}}\n" for model in models)
    config = scratch / "mergekit.yml"
    config.write_text(f"merge_method: linear\nmodels:\n{rows}")
    code = "from mergekit.scripts.run_yaml import main; main()"
    return [sys.executable, "-c", code, config, output, "--quiet"]


def lm_cocktail_command(models, output, _):
    code = ("import sys; from LM_Cocktail import mix_models; n = len(sys.argv) - 2; "
            "mix_models(sys.argv[1:-1], 'decoder', [1 / n] * n, sys.argv[-1])")
    return [sys.executable, "-c", code, *models, output]


PEERS = [("mergekit", "mergekit `linear`", mergekit_command, "import mergekit.scripts.run_yaml"),
         ("LM_Cocktail", "LM_Cocktail `mix_models`", lm_cocktail_command, "import LM_Cocktail")]


def run_peers(models, output, scratch):
    """Name, runs, start-up of each one that is there."""
    results = []
    for module, name, command, start in PEERS:
        if importlib.util.find_spec(module) is None:
            say(f"skipped {module}: it is not installed in {Path(sys.executable).name}")
            continue
        Run([sys.executable, "-c", start])  # once unmeasured: its files into the page cache
        starting, runs = Runs(), Runs()
        for i in range(PEER_RUNS):
            say(f"{name}, run {i + 1} of {PEER_RUNS}")
            starting.add(Run([sys.executable, "-c", start]))
            clear(output)
            warm(models)
            runs.add(Run(command(models, output, scratch)))
        results.append((name, runs, starting))
    clear(output)
    return results


# ---- tables


def print_table(title, heads, rows):
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n| --- |{' ---: |' * (len(heads) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()


def seconds_row(name, runs, reference):
    return [name, f"{runs.seconds():.2f}", runs.spread(), f"{runs.processor_s():.2f}",
            f"{runs.seconds() / reference.seconds():.2f}", f"{runs.peak_mb():.0f}"]


def phases_text(runs, n_threads):
    read, combine, write, flush = runs.phases()
    return (f"{read + combine + write:.2f} s of {n_threads} threads: read {read:.2f}, combine {combine:.2f}, "
            f"write {write:.2f}; then flush {flush:.2f}")


def print_comparison(title, cocktail, floors, peers, n_threads):
    """floors: rows of a name and its runs; the fastest one is the floor."""
    rows = [seconds_row("cocktail", cocktail, cocktail)]
    rows += [seconds_row(name, runs, cocktail) for name, runs in floors]
    for name, runs, starting in peers:
        rows.append(seconds_row(name, runs, cocktail))
        rows.append(seconds_row("… its start-up alone", starting, cocktail))
    print_table(title, ["", "seconds", "range", "processor s", "times cocktail", "peak MB"], rows)
    ratio = cocktail.seconds() / min(runs.seconds() for _, runs in floors)
    print(f"\nCocktail takes {ratio:.2f} times the floor. {phases_text(cocktail, n_threads)}.")


def print_machine():
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    flags = set(re.search(r"flags\s*: (.*)", text).group(1).split()) if "flags" in text else set()
    known = [f for f in ("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_bf16") if f in flags]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(f"Processor: {model.group(1) if model else 'unknown'}, {os.cpu_count()} cores ({', '.join(known)}); "
          f"{memory_gb:.0f} GB of memory; Linux {os.uname().release}; load before: {os.getloadavg()[0]:.1f}")


# ---- parts


def bench_two_to_memory(program, models, size, tmpfs):
    cocktail, floor, output = Runs(), Runs(), tmpfs / "out"
    for i in range(RUNS):
        say(f"memory, round {i + 1} of {RUNS}")
        cocktail.add(run_cocktail(program, models, output))
        floor.add(*run_floor(models, output))
    peers = run_peers(models, output, tmpfs)
    print_comparison(f"**{size}, result to memory**", cocktail, [("`cat` of both, `cp` of one", floor)], peers,
                     os.cpu_count())


def bench_two_to_disk(program, models, size, folder):
    n_bytes, cocktail, floors = size_of(files_of(models[:1])), Runs(), {1024: Runs(), 256: Runs()}
    for i in range(RUNS):
        say(f"disk, round {i + 1} of {RUNS}")
        cocktail.add(run_cocktail(program, models, folder / "out"))
        clear(folder / "out")
        for block_kb, floor in floors.items():
            floor.add(run_dd(n_bytes, block_kb, folder / "zeros"))
            clear(folder / "zeros")
    peers = run_peers(models, folder / "out", folder)
    rows = [(f"`dd` of zeros, bs={block_kb}K, fsync", floor) for block_kb, floor in floors.items()]
    print_comparison(f"**{size}, result to disk, flushed (by the peers not)**", cocktail, rows, peers, os.cpu_count())
    fastest_s = min(floor.seconds() for floor in floors.values())
    print(f"The disk takes {n_bytes / 1e9 / fastest_s:.2f} GB/s.")


def bench_two(program, parts, folder, tmpfs):
    shape = (2048, 5632, 14, 32000)
    models = [make_model(folder / "a", "bf16", 1, *shape, 1), make_model(folder / "b", "bf16", 2, *shape, 4)]
    size = f"two bf16 models of {size_of(files_of(models[:1])) / 1e9:.2f} GB"
    if "memory" in parts:
        bench_two_to_memory(program, models, size, tmpfs)
    if "disk" in parts:
        bench_two_to_disk(program, models, size, folder)
    for model in models:
        clear(model)


def bench_many(program, folder, tmpfs):
    rows = []
    for dtype, shape in (("f16", (1024, 2816, 11, 32000)), ("f32", (1024, 2816, 3, 32000))):
        models = [make_model(folder / f"{dtype}-{i}", dtype, i, *shape, 1) for i in range(10)]
        n_bytes = size_of(files_of(models[:1]))
        for n in (2, 4, 10):
            cocktail, floor = Runs(), Runs()
            for i in range(RUNS):
                say(f"{n} models in {dtype}, round {i + 1} of {RUNS}")
                cocktail.add(run_cocktail(program, models[:n], tmpfs / "out"))
                floor.add(*run_floor(models[:n], tmpfs / "out"))
            moved = (n + 1) * n_bytes / 1e9 / cocktail.seconds()
            rows.append([f"{n} of {n_bytes / 1e9:.2f} GB, {dtype}", f"{cocktail.seconds():.2f}", f"{moved:.1f}",
                         f"{floor.seconds():.2f}", f"{cocktail.seconds() / floor.seconds():.2f}",
                         *(f"{x:.2f}" for x in cocktail.phases()), f"{cocktail.peak_mb():.0f}"])
        clear(tmpfs / "out")
        for model in models:
            clear(model)
    heads = ["models", "seconds", "GB/s in and out", "floor", "times floor", "read", "combine", "write", "flush",
             "peak MB"]
    print_table("**more models, result to memory** (read, combine, write: seconds of all threads together)",
                heads, rows)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: bench_mix.py PROGRAM [memory] [disk] [many]")
    program, parts = Path(sys.argv[1]).resolve(), sys.argv[2:] or ["memory", "disk", "many"]
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    for path, needed in ((BENCH_DIR, 6e9), (BENCH_TMPFS, 2e9)):
        if shutil.disk_usage(path).free < needed:
            free_gb = shutil.disk_usage(path).free / 1e9
            sys.exit(f"{path}: {needed / 1e9:.0f} GB are needed, {free_gb:.1f} GB are free")
    print_machine()
    with (tempfile.TemporaryDirectory(dir=BENCH_DIR.resolve()) as folder,
          tempfile.TemporaryDirectory(dir=BENCH_TMPFS) as tmpfs):
        if {"memory", "disk"} & set(parts):
            bench_two(program, parts, Path(folder), Path(tmpfs))
        if "many" in parts:
            bench_many(program, Path(folder), Path(tmpfs))


if sys.argv[1:2] == ["--generate"]:
    generate(Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
elif __name__ == "__main__":  # bench_mix_data.py measures with the same things
    main()
