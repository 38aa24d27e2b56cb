"""bench_extract.py PROGRAM - one matrix of 2048 x 5632 as an adapter of rank 32, against the singular value decomposition of
torch, which mergekit-extract-lora takes; processor time of one thread, ours with the start of the program, reading and
writing. Needs torch and safetensors.

  BENCH_TMPFS  a directory in memory (/dev/shm)
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file

from harness import print_machine, table

ROUNDS, RANK, NAME = 5, 32, "model.layers.0.mlp.down_proj"


def make_models(folder):
    torch.manual_seed(0)
    base = torch.randn(2048, 5632) * 0.02
    learned = (torch.randn(2048, 64) * torch.logspace(0, -2, 64)) @ torch.randn(64, 5632) * 0.001
    tuned = base + learned + torch.randn(2048, 5632) * 1e-4
    for name, matrix in (("base", base), ("tuned", tuned)):
        os.makedirs(f"{folder}/{name}")
        save_file({NAME + ".weight": matrix}, f"{folder}/{name}/model.safetensors", metadata={"format": "pt"})
        with open(f"{folder}/{name}/config.json", "w") as out:
            json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, out)
    return tuned - base


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def extract(program, folder):
    start = children_s()
    out = subprocess.run([program, "adapter", "extract", f"{folder}/tuned", f"{folder}/base", "-o", f"{folder}/adapter", "-f",
                          "-t", "1", "--rank", str(RANK), "--json"], check=True, stdout=subprocess.PIPE).stdout
    return children_s() - start, json.loads(out)["modules"][0]["relative_error"]


def main():
    torch.set_num_threads(1)
    print_machine(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_TMPFS", "/dev/shm")) as folder:
        delta = make_models(folder)
        start = time.process_time()
        values = torch.linalg.svd(delta, full_matrices=False)[1].double()
        theirs = time.process_time() - start
        least = ((values[RANK:] ** 2).sum() / (values ** 2).sum()).sqrt().item()
        ours, error = min(extract(sys.argv[1], folder) for _ in range(ROUNDS))
    table(f"A matrix of 2048 x 5632 as an adapter of rank {RANK}, one thread:",
          ["cocktail, s", "torch.linalg.svd, s", "times as fast", "error above the least"],
          [["adapter extract", f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.0f}", f"{error / least - 1:.1e}"]])


if __name__ == "__main__":
    main()
