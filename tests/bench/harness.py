"""harness.py - what the benches of running models share: the machine and its limits, models of
random numbers, programs in C, peers in processes of their own, tables.

  ROUNDS     default 3: of everything the best counts
  THREADS    default: all cores
  BENCH_DIR  where programs and models are put (default build/bench)
"""

import functools
import importlib.metadata
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", 3))
THREADS = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
BENCH_DIR = Path(os.environ.get("BENCH_DIR", "build/bench")).resolve()
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARIES = ["libcjson", "zlib", "libpcre2-8", "libutf8proc", "yaml-0.1"]  # as the Makefile links them
FLAGS = ["avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16"]
PACKAGES = ["torch", "transformers", "sentence-transformers", "onnxruntime", "llama-cpp-python", "LM_Cocktail"]


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- the machine


def processor():
    text = Path("/proc/cpuinfo").read_text()
    found = {name: re.search(rf"{name}\s*: (.*)", text) for name in ("model name", "cpu family", "model", "flags")}
    return {name: match.group(1) if match else "unknown" for name, match in found.items()}


def versions():
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} missing")
    return ", ".join(found)


def print_machine(program):
    facts = processor()
    flags = [flag for flag in FLAGS if flag in facts["flags"].split()]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cache = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    print(f"Processor: {facts['model name']}, family {facts['cpu family']}, model {facts['model']}, "
          f"{os.cpu_count()} cores ({', '.join(flags)}), {cache.read_text().strip() if cache.exists() else 'no'} of last-level cache; {memory_gb:.0f} GB of memory; "
          f"Linux {os.uname().release}. {version or 'cocktail'}"
          f"{', COCKTAIL_ISA=' + os.environ['COCKTAIL_ISA'] if 'COCKTAIL_ISA' in os.environ else ''}. {versions()}. "
          f"Load before: {os.getloadavg()[0]:.1f}. {THREADS} threads, best of {ROUNDS}.", flush=True)


def build(name, program):
    """A program of tests/bench, with the library that lies beside PROGRAM."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    driver = BENCH_DIR / name
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *LIBRARIES, "--cflags", "openblas"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    subprocess.run([compiler, "-std=c11", "-O2", "-pthread", "-D_GNU_SOURCE", f"-I{ROOT}/common", "-o", driver,
                    HERE / f"{name}.c", Path(program).resolve().parent / "common.a",
                    *(flag for flag in flags if "openblas" not in flag or flag.startswith("-I")), "-lm", "-ldl"], check=True)
    return driver


@functools.cache
def limits(program):
    """{(name, n_threads): number}: peak, in GFLOP/s, of the widest instructions that there are; read, in GB/s."""
    driver, found = build("bench_machine", program), {}
    for _ in range(2):
        out = subprocess.run([driver, str(THREADS)], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in out.splitlines():
            name, n_threads, value = line.split()
            for key in ((name, int(n_threads)), (name.split("_")[0], int(n_threads))):
                found[key] = max(found.get(key, 0), float(value))
    return found


def print_limits(program):
    found, kinds = limits(program), {"peak_avx2": "FMA of floats, AVX2, GFLOP/s", "peak_avx512": "the same, AVX-512",
                                     "read": "read bandwidth, GB/s"}
    counts = sorted({n for _, n in found})
    table("The machine's limits:", ["threads: " + str(n) for n in counts],
          [[text, *(f"{found[name, n]:.1f}" for n in counts)] for name, text in kinds.items() if (name, 1) in found])


# ---- tables


def table(title, heads, rows):
    """Rows are printed as they come."""
    print(f"\n{title}\n\n| | " + " | ".join(heads) + " |\n| --- |" + " ---: |" * len(heads), flush=True)
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


# ---- models


def write_random_model(folder, config, tensors, dtype="BF16", tokenizer=None):
    """A folder of seeded random numbers, kept for the next time. A million numbers, spread by 0.02, over and
    over: a row of one matrix is never a row of the next. tokenizer: a folder whose tokenizer
    is taken."""
    import numpy

    if (folder / "config.json").exists():
        return from_disk(folder)
    say(f"making {folder.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng, header, at = numpy.random.default_rng(7), {"__metadata__": {"format": "pt"}}, 0
    numbers = rng.standard_normal((1 << 20) + 7, dtype=numpy.float32) * numpy.float32(0.02)
    item_bytes = {"BF16": 2, "F32": 4}[dtype]
    tensors = list(tensors)
    for name, shape in tensors:
        size = item_bytes * int(numpy.prod(shape))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, shape in tensors:
            left = int(numpy.prod(shape))
            while left > 0:
                values = numbers[:left] if len(shape) > 1 else numpy.ones(left, numpy.float32)
                out.write((values.view(numpy.uint32) >> 16).astype(numpy.uint16).tobytes() if dtype == "BF16"
                          else values.tobytes())
                left -= len(values)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (tokenizer / name).exists():
            shutil.copy(tokenizer / name, folder)
    (folder / "config.json").write_text(json.dumps(config))
    return from_disk(folder)


def files_of(path):
    return [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]


def into_memory(path):
    for file in files_of(path):
        with open(file, "rb", buffering=0) as opened:
            while opened.read(1 << 23):
                pass
    return path


def from_disk(path):
    """Drops what memory holds of a model's files, and reads them anew. What was just written stays in memory in small
    pages, what is read comes in large ones as a rule: then a sum over it runs half as fast again."""
    for file in files_of(path):
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return into_memory(path)


def real_model(name):
    """A folder of tests/parity/real_models.py, made if it is not there; None where its package is not installed."""
    cache = Path(os.environ.get("COCKTAIL_PARITY_CACHE") or ROOT / "build" / "parity")
    if not (cache / name / "config.json").is_file():
        made = subprocess.run([sys.executable, ROOT / "tests" / "parity" / "real_models.py", name, cache / name],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if made.returncode:
            say(f"left out: {name}, its PyPI package or what reads it is not installed")
            return None
    return from_disk(cache / name)


# ---- processes


def timed(command, **options):
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, **options)
    return time.perf_counter() - start, done.stdout


def best(figures, more):
    """The best of each figure, by name."""
    for name, value in more.items():
        figures[name] = max(value, figures.get(name, 0))
    return figures


def peer(kind, *arguments, work):
    """The best figures of a peer, in a process of its own; None where it is not installed, or fails."""
    script = HERE / "peer.py"
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS), "HF_HUB_OFFLINE": "1",
                   "TOKENIZERS_PARALLELISM": "false" if THREADS == 1 else "true", "RAYON_NUM_THREADS": str(THREADS)}
    if subprocess.run([sys.executable, script, kind, "--probe"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      env=environment).returncode:
        say(f"left out: {kind} is not installed")
        return None
    path = BENCH_DIR / "work.json"
    path.write_text(json.dumps({**work, "rounds": ROUNDS}))
    done = subprocess.run([sys.executable, script, kind, *map(str, arguments), path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment)
    path.unlink()
    if done.returncode:
        say(f"left out: {kind} fails: {done.stderr.strip().splitlines()[-1:]}")
        return None
    figures = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            best(figures, json.loads(line))
    say(f"{kind} {' '.join(str(a) for a in arguments[:1])}: {figures}")
    return figures
