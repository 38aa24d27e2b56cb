"""bench_adapters.py PROGRAM - a base with a LoRA of rank 64 on all its linear layers, merged: cocktail, PEFT's
merge_and_unload with loading and saving (axolotl's merge-lora does that, too), and the floor: `cat` of both, `cp` of the
base. Seconds and peak memory; ours and PEFT's with their start-up.

  SIZE         of the base: 1.7GB (default), or 0.2GB on a machine that has other things to do
  THREADS      default: all cores
  BENCH_DIR    on the disk: base and adapter (default build/bench)
  BENCH_TMPFS  in memory: results (default /dev/shm)
  RUNS, PEER_RUNS
"""

import importlib.util
import json
import os
import sys

import bench_mix
from bench_mix import BENCH_DIR, BENCH_TMPFS, PEER_RUNS, RUNS, Run, Runs, clear, print_machine, print_table, warm

RANK = 64
SHAPES = {"1.7GB": (2048, 5632, 16, 32000), "0.2GB": (1024, 2816, 6, 32000)}
THREADS = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
PEFT = """
import sys, torch, peft, transformers
torch.set_num_threads(int(sys.argv[4]))
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
model = peft.PeftModel.from_pretrained(model, sys.argv[2]).merge_and_unload()
model.save_pretrained(sys.argv[3])
"""


def make_adapter(folder, shape):
    tensors = {}
    for name, dims in bench_mix.llama_tensors(*shape).items():
        if "proj" in name:
            module = "base_model.model." + name.removesuffix(".weight")
            tensors[module + ".lora_A.weight"] = (RANK, dims[1])
            tensors[module + ".lora_B.weight"] = (dims[0], RANK)
    folder.mkdir(parents=True)
    bench_mix.write_safetensors(folder / "adapter_model.safetensors", tensors, "f32", 9)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 1, "base_model_name_or_path": "base",
              "target_modules": sorted({name.split(".")[-3] for name in tensors})}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def main():
    size = os.environ.get("SIZE", "1.7GB")
    base, adapter = BENCH_DIR / "adapters/base", BENCH_DIR / "adapters/lora"
    output = BENCH_TMPFS / "bench-adapters"
    clear(BENCH_DIR / "adapters")
    bench_mix.make_model(base, "bf16", 1, *SHAPES[size], 1)
    make_adapter(adapter, SHAPES[size])
    ours, floor, theirs = Runs(), Runs(), Runs()
    for i in range(RUNS):
        for runs, command in ((ours, [[sys.argv[1], "mix", "-q", "-t", THREADS, "--weights", "1", f"{base}+{adapter}", "-o",
                                       output]]),
                              (floor, [["sh", "-c", 'exec cat "$@" >/dev/null', "sh", base / "model.safetensors",
                                        adapter / "adapter_model.safetensors"],
                                       ["cp", base / "model.safetensors", output]])):
            clear(output)
            warm([base, adapter])
            runs.add(*map(Run, command))
    if all(map(importlib.util.find_spec, ("peft", "transformers"))):
        for i in range(PEER_RUNS):
            clear(output)
            theirs.add(Run([sys.executable, "-c", PEFT, base, adapter, output, THREADS]))
    clear(output)
    clear(BENCH_DIR / "adapters")
    print_machine()
    rows = [[name, f"{runs.seconds():.2f}", f"{runs.processor_s():.2f}", f"{runs.seconds() / floor.seconds():.2f}",
             f"{runs.peak_mb():.0f}"]
            for name, runs in (("cocktail", ours), ("the floor: cat, cp", floor), ("PEFT, bfloat16", theirs)) if runs.runs]
    print_table(f"A bf16 base of {size} and a LoRA of rank {RANK}, to memory, {THREADS} threads:",
                ["", "seconds", "processor, s", "times the floor", "peak MB"], rows)


if __name__ == "__main__":
    main()
