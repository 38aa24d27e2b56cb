"""bench_gemm.py PROGRAM [PART ...] - matrix products beside OpenBLAS and the machine's limits, as Markdown tables.

Parts (all, when none is named): f32, f16, bf16, GPTQ, transposed, attention. Weights come from memory, as
bench_gemm.c says; a cell is the slowest and the fastest of n_out = 256, 2,048 and 8,192.

  BENCH_ALL=1  a line for each product, too
  ROUNDS, THREADS, BENCH_DIR as in harness.py; OpenBLAS runs between two halves of the rounds
"""

import os
import subprocess
import sys

from harness import ROUNDS, THREADS, build, limits, print_limits, print_machine, say, table

PARTS = ["f32", "f16", "bf16", "GPTQ", "transposed", "attention"]
ITEM_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "GPTQ": 0.5}
FEW = 4


def measure(program, n_threads, *arguments):
    """{(what, rows, out, in): seconds}"""
    say(f"matrix products, {n_threads} threads {' '.join(arguments)}")
    out = subprocess.run([build("bench_gemm", program), str(n_threads), *arguments], check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    found = {}
    for line in out.splitlines():
        what, *shape, seconds = line.split("|")
        found[what, *map(int, shape)] = float(seconds)
    return found


def best_of(program, n_threads):
    ours, theirs = {}, {}
    for turn in range(max(ROUNDS, 2)):
        keep_least(ours, measure(program, n_threads))
        if turn == 0:
            keep_least(theirs, measure(program, n_threads, "openblas"))
    return ours, theirs


def keep_least(times, more):
    for key, seconds in more.items():
        times[key] = min(seconds, times.get(key, seconds))


def flops(key):
    return 2 * key[1] * key[2] * key[3]


def weight_bytes(key):
    return key[2] * key[3] * ITEM_BYTES[key[0].split(",")[0]]


def span(values, pattern):
    low, high = pattern.format(min(values)), pattern.format(max(values))
    return low if low == high else f"{low}-{high}"


def rate_cell(times, keys, amount, limit):
    rates = [amount(key) / times[key] * 1e-9 for key in keys if key in times]
    return f"{span(rates, '{:.0f}')} ({span([100 * rate / limit for rate in rates], '{:.0f}')} %)" if rates else ""


def rows_of(ours, theirs, what, is_few, limit):
    keys = [key for key in ours if key[0] == what and (key[1] <= FEW) == is_few]
    for n_rows in sorted({key[1] for key in keys}):
        cells = []
        for n_in in sorted({key[3] for key in keys}):
            chosen = [key for key in keys if key[1] == n_rows and key[3] == n_in]
            amount = weight_bytes if is_few else flops
            cells.append(rate_cell(ours, chosen, amount, limit))
            if theirs:
                cells.append(rate_cell(theirs, chosen, amount, limit))
        yield [f"{n_rows} rows", *cells]


def print_weights(what, n_threads, ours, theirs, peak, read):
    theirs = {key: theirs[key] for key in theirs if key[0] == what}
    inputs = sorted({key[3] for key in ours if key[0] == what})
    heads = [head for n_in in inputs for head in ([f"K = {n_in}", "OpenBLAS"] if theirs else [f"K = {n_in}"])]
    table(f"Weights in {what}, {n_threads} threads, few rows: GB/s of weights, and of {read:.1f} GB/s that can be read:", heads,
          rows_of(ours, theirs, what, True, read))
    if any(key[0] == what and key[1] > FEW for key in ours):
        table(f"The same, GFLOP/s, and of the peak of {peak:.0f}:", heads, rows_of(ours, theirs, what, False, peak))


def print_attention(n_threads, ours, peak):
    table(f"The two products of attention, 64 queries and 256 keys a task, {n_threads} threads: GFLOP/s, and of the peak of "
          f"{peak:.0f}:", ["GFLOP/s"],
          [[f"{key[0][11:]}, {key[3] if 'Q' in key[0] else key[2]} numbers a head", rate_cell(ours, [key], flops, peak)]
           for key in ours if key[0].startswith("attention")])


def main():
    program, parts = os.path.abspath(sys.argv[1]), sys.argv[2:] or PARTS
    print_machine(program)
    print_limits(program)
    for n_threads in sorted({1, THREADS}):
        ours, theirs = best_of(program, n_threads)
        peak, read = limits(program)["peak", n_threads], limits(program)["read", n_threads]
        for what in sorted({key[0] for key in ours if not key[0].startswith("attention")}, key=lambda w: ("," in w, w)):
            if ("transposed" if "," in what else what) in parts:
                print_weights(what, n_threads, ours, theirs, peak, read)
        if "attention" in parts:
            print_attention(n_threads, ours, peak)
        if os.environ.get("BENCH_ALL"):
            table("Each:", ["GFLOP/s", "GB/s", "OpenBLAS, GFLOP/s"],
                  [[" ".join(map(str, key)), f"{flops(key) / s * 1e-9:.1f}", f"{weight_bytes(key) / s * 1e-9:.1f}",
                    f"{flops(key) / theirs[key] * 1e-9:.1f}" if key in theirs else ""] for key, s in ours.items()])


if __name__ == "__main__":
    main()
