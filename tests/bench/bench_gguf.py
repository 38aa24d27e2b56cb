"""bench_gguf.py PROGRAM [FORMAT ...] - how fast blocks of GGUF become floats, as a Markdown table.

All formats, or those named. One thread, GB of floats a second, best of ROUNDS:

  whole   into an array of BENCH_MB, which memory has to take
  chunks  into a buffer of 128 KB that stays in the cache, as mixing and matrix products have it
  gguf    gguf.quants.dequantize of the gguf package into a new array, of GGUF_MB; formats that it
          cannot decode stay empty

and the decoders' plain version beside that for this processor. The first line says what memory does on
one thread: memset, memcpy, and a loop of ordinary stores, which each fetch the line that they write to.
The decoders are measured through tests/bench/dequantize.c, built with the library beside PROGRAM.

  ROUNDS     default 5
  BENCH_MB   default 256
  GGUF_MB    default 16
  BENCH_DIR  where the driver is built (default build/bench)
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", 5))
BENCH_BYTES = int(float(os.environ.get("BENCH_MB", 256)) * (1 << 20))
GGUF_BYTES = int(float(os.environ.get("GGUF_MB", 16)) * (1 << 20))
BENCH_DIR = Path(os.environ.get("BENCH_DIR", "build/bench"))
HERE = Path(__file__).resolve().parent


def build(program):
    library = Path(program).resolve().parent / "common.a"
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    driver = BENCH_DIR.resolve() / "dequantize"
    subprocess.run([compiler, "-std=c11", "-O2", "-D_GNU_SOURCE", f"-I{HERE.parents[1]}/common", "-o", driver,
                    HERE / "dequantize.c", library, "-lm"], check=True)
    return driver


def measure_cocktail(driver):
    """{"write": GB/s, ...}, {format: {version: (whole, chunks)}}"""
    memory, rates = {}, {}
    lines = subprocess.run([driver, str(BENCH_BYTES), str(ROUNDS)], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.splitlines()
    for name, version, *numbers in map(str.split, lines):
        if version == "memory":
            memory[name] = float(numbers[0])
        else:
            rates.setdefault(name, {})[version] = tuple(map(float, numbers))
    return memory, rates


def measure_gguf(name):
    import gguf
    import numpy

    kind = getattr(gguf.GGMLQuantizationType, name, None)
    if kind is None:
        return None
    items, size = gguf.GGML_QUANT_SIZES[kind]
    n_blocks = GGUF_BYTES // 4 // items
    blocks = numpy.random.RandomState(1).randint(0, 256, (n_blocks, size), dtype=numpy.uint8) & 0xBF
    best = None
    try:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            values = gguf.quants.dequantize(blocks, kind)
            seconds = time.perf_counter() - start
            best = seconds if best is None else min(best, seconds)
    except NotImplementedError:
        return None
    return values.nbytes / best * 1e-9


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: bench_gguf.py PROGRAM [FORMAT ...]")
    has_gguf = importlib.util.find_spec("gguf") is not None
    if not has_gguf:
        print(f"skipped gguf: it is not installed in {Path(sys.executable).name}", file=sys.stderr)
    memory, rates = measure_cocktail(build(sys.argv[1]))
    print(f"Load: {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores. Memory, GB/s: "
          + ", ".join(f"{name} {rate:.1f}" for name, rate in memory.items()))
    print("\n**GB of floats a second, one thread**\n\n"
          "| format | whole | of store | chunks | plain, chunks | gguf | times gguf |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, versions in rates.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        whole, chunks = list(versions.values())[-1]
        peer = measure_gguf(name) if has_gguf else None
        row = [name, f"{whole:.1f}", f"{whole / memory['store']:.2f}", f"{chunks:.1f}", f"{versions['plain'][1]:.1f}",
               f"{peer:.3f}" if peer else "", f"{whole / peer:.0f}" if peer else ""]
        print(f"| {' | '.join(row)} |", flush=True)


main()
