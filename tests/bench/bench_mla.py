"""bench_mla.py PROGRAM - latent attention by its two formulas, as a Markdown table: one layer of DeepSeek-V2-Lite (16
heads) and of V3 (128), a prompt and a token behind it; bench_mla.c says what is measured.

  THREADS  as in harness.py
"""

import subprocess
import sys

from harness import THREADS, build, print_machine, say, table

CASES = [(n_heads, n_keys, n_queries)
         for n_heads, lengths in ((16, (128, 512, 2048)), (128, (512,)))
         for n_keys in lengths for n_queries in (n_keys, 1)] + [(16, 8192, 1)]


def main():
    rows = []
    print_machine(sys.argv[1])
    for n_heads, n_keys, n_queries in CASES:
        say(f"latent attention, {n_heads} heads, {n_queries} of {n_keys} tokens")
        out = subprocess.run([build("bench_mla", sys.argv[1]), str(THREADS), str(n_heads), str(n_keys), str(n_queries)],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        found = {name: (float(seconds), int(size)) for name, seconds, size in
                 (line.split("|") for line in out.splitlines())}
        seconds = {name: figures[0] for name, figures in found.items()}
        rows.append([f"{n_heads} heads, {n_queries} of {n_keys} tokens"] + [f"{1e3 * seconds[name]:.2f}" for name in ("absorbed", "expanded")] +
                    [f"{seconds['expanded'] / seconds['absorbed']:.2f}"] +
                    [f"{found[name][1] / 1024:.1f}" for name in ("absorbed", "expanded")])
    table("Latent attention of one layer:",
          ["absorbed, ms", "expanded, ms", "expanded / absorbed",
           "cache of a token, KiB: absorbed", "expanded"], rows)


if __name__ == "__main__":
    main()
