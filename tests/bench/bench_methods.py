"""bench_methods.py PROGRAM [METHOD ...] - how fast `cocktail merge` is by each method, as a Markdown table.

A base and two models in bf16 (of the base, with differences of a thousandth), the result to a file
system in memory: cocktail, mergekit on the CPU where this Python has it, and the floor: `cat` of the
inputs to /dev/null, as often as the method reads them, and `cp` of one of them to the output. Models
are generated with a fixed seed. Inputs lie in the page cache. Cocktail and the floor run RUNS times
in turn, mergekit PEER_RUNS times; medians count; mergekit's times include its start-up.

  BENCH_DIR, BENCH_TMPFS, RUNS, PEER_RUNS  as in bench_mix.py
  BENCH_LAYERS  layers of the models (14: 1.7 GB each)
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import bench_mix as mix

# Method: (settings of a model, of the whole, takes a base, models, times that inputs are read).
METHODS = {
    "linear": ("weight: 0.5", "", False, 2, 1),
    "slerp": ("", "t: 0.4", True, 1, 2),
    "nuslerp": ("weight: 0.5", "", True, 2, 2),
    "multislerp": ("weight: 0.5", "", True, 2, 2),
    "karcher": ("", "", False, 2, 2),
    "task_arithmetic": ("weight: 0.5", "", True, 2, 1),
    "ties": ("weight: 0.5, density: 0.5", "", True, 2, 4),
    "dare_linear": ("weight: 0.5, density: 0.5", "", True, 2, 2),
    "dare_ties": ("weight: 0.5, density: 0.5", "", True, 2, 2),
    "della": ("weight: 0.5, density: 0.5, epsilon: 0.1", "", True, 2, 2),
    "della_linear": ("weight: 0.5, density: 0.5, epsilon: 0.1", "", True, 2, 2),
    "breadcrumbs": ("weight: 0.5, density: 0.8", "", True, 2, 4),
    "breadcrumbs_ties": ("weight: 0.5, density: 0.8", "", True, 2, 4),
    "model_stock": ("", "", True, 2, 2),
    "sce": ("", "select_topk: 0.5", True, 2, 5),
    "ram": ("", "", True, 2, 1),
    "ramplus_tl": ("", "", True, 2, 2),
    "nearswap": ("", "t: 0.001", True, 1, 1),
    "arcee_fusion": ("", "", True, 1, 4),
    "passthrough": ("", "", False, 1, 1),
}


def write_recipe(path, method, base, models):
    each, whole, has_base, n_models, _ = METHODS[method]
    lines = [f"merge_method: {method}", "dtype: bfloat16"]
    if has_base:
        lines.append(f"base_model: {base}")
    lines.append("models:")
    for model in models[:n_models]:
        lines.append(f"  - model: {model}")
        if each:
            lines.append(f"    parameters: {{{each}}}")
    if whole:
        lines.append(f"parameters: {{{whole}}}")
    path.write_text("\n".join(lines) + "\n")


def inputs_of(method, base, models):
    _, _, has_base, n_models, _ = METHODS[method]
    return models[:n_models] + [base] * has_base


def run_cocktail(program, recipe, inputs, output):
    mix.clear(output)
    mix.warm(inputs)
    return mix.Run([program, "merge", recipe, "-o", output, "-q"])


def run_floor(method, inputs, output):
    mix.clear(output)
    mix.warm(inputs)
    output.mkdir()
    files = mix.files_of(inputs) * METHODS[method][4]
    reading = mix.Run(["sh", "-c", 'exec cat "$@" >/dev/null', "sh", *files])
    return reading, mix.Run(["cp", *mix.files_of(inputs[:1]), output])


def run_mergekit(recipe, inputs, output):
    mix.clear(output)
    mix.warm(inputs)
    code = "from mergekit.scripts.run_yaml import main; main()"
    return mix.Run([sys.executable, "-c", code, recipe, output, "--quiet", "--no-write-model-card"])


def bench(program, method, base, models, folder, tmpfs, has_mergekit):
    recipe, output = folder / f"{method}.yml", tmpfs / "out"
    inputs = inputs_of(method, base, models)
    cocktail, floor, peer = mix.Runs(), mix.Runs(), mix.Runs()
    write_recipe(recipe, method, base, models)
    for i in range(mix.RUNS):
        mix.say(f"{method}, round {i + 1} of {mix.RUNS}")
        cocktail.add(run_cocktail(program, recipe, inputs, output))
        floor.add(*run_floor(method, inputs, output))
    for i in range(mix.PEER_RUNS if has_mergekit else 0):
        mix.say(f"mergekit {method}, run {i + 1} of {mix.PEER_RUNS}")
        peer.add(run_mergekit(recipe, inputs, output))
    mix.clear(output)
    row = [method, str(METHODS[method][4]), f"{cocktail.seconds():.2f}", f"{floor.seconds():.2f}",
           f"{cocktail.seconds() / floor.seconds():.2f}", f"{cocktail.peak_mb():.0f}"]
    if has_mergekit:
        row += [f"{peer.seconds():.1f}", f"{peer.seconds() / cocktail.seconds():.0f}", f"{peer.peak_mb():.0f}"]
    mix.say(" | ".join(row))
    return row


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: bench_methods.py PROGRAM [METHOD ...]")
    program, methods = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(METHODS)
    n_layers = int(os.environ.get("BENCH_LAYERS", 14))
    has_mergekit = mix.PEER_RUNS > 0 and subprocess.run(
        [sys.executable, "-c", "import mergekit.scripts.run_yaml"], stderr=subprocess.DEVNULL).returncode == 0
    if not has_mergekit:
        mix.say("skipped mergekit: it is not installed")
    mix.BENCH_DIR.mkdir(parents=True, exist_ok=True)
    mix.print_machine()
    with (tempfile.TemporaryDirectory(dir=mix.BENCH_DIR.resolve()) as folder,
          tempfile.TemporaryDirectory(dir=mix.BENCH_TMPFS) as tmpfs):
        folder, tmpfs = Path(folder), Path(tmpfs)
        base, *models = [mix.make_model(folder / name, "bf16", seed, 2048, 5632, n_layers, 32000, 1)
                         for seed, name in enumerate(("base", "a", "b"))]
        size = mix.size_of(mix.files_of([base])) / 1e9
        rows = [bench(program, method, base, models, folder, tmpfs, has_mergekit) for method in methods]
    heads = ["method", "reads", "seconds", "floor", "times floor", "peak MB"]
    if has_mergekit:
        heads += ["mergekit", "times cocktail", "its peak MB"]
    mix.print_table(f"**merging by recipe, models of {size:.2f} GB in bf16, result to memory**", heads, rows)


if __name__ == "__main__":
    main()
