"""merge_golden.py PROGRAM GOLDEN SCRATCH [NAME...] - `mix --method` against what mergekit has made.

GOLDEN is a folder with models, cases/NAME.yml, cases/NAME.safetensors and cases.json, which says how
each is compared. Run are those configs that are a list of models with plain values; of the others,
which only `merge` can run, nothing is said. Prints a line for each case that differs, then a count.
"""
import json
import os
import subprocess
import sys

import golden_compare

DTYPES = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
EACH = ("density", "gamma", "epsilon", "scale")
WEIGHTLESS = ("slerp", "karcher", "model_stock", "sce", "ram", "ramplus_tl", "nearswap",
              "arcee_fusion", "passthrough")
RANDOM = ("dare_linear", "dare_ties", "della", "della_linear")
BASE_IS_INPUT = ("linear", "karcher", "passthrough")
REVERSED = ("linear-tied",)  # `mix` wants the model with a head of its own first
OWN = {
    "slerp": ("t",), "nearswap": ("t",), "linear": ("normalize",), "karcher": ("max_iter", "tol"),
    "nuslerp": ("nuslerp_flatten", "nuslerp_row_wise"), "multislerp": ("normalize_weights", "eps"),
    "sce": ("select_topk", "int8_mask"), "model_stock": ("filter_wise",), "ram": ("epsilon",),
    "ramplus_tl": ("epsilon", "r", "alpha"), "arcee_fusion": (), "passthrough": ("scale",),
}
TASK = ("density", "gamma", "epsilon", "normalize", "rescale", "lambda", "int8_mask")


class NotPlain(Exception):
    pass


def scalar(text):
    if text[:1] in "[{&*!|>" or text == "":
        raise NotPlain
    return text.strip("'\"")


def read_config(path):
    """The few forms of YAML that a list of models with plain values takes."""
    config = {"models": [], "parameters": {}}
    target = None
    for line in open(path, encoding="utf-8"):
        line = line.split(" #")[0].rstrip()
        if not line or line.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        text = line.strip()
        if text.startswith("- "):
            if not text.startswith("- model:"):
                raise NotPlain
            model = {"model": scalar(text[8:].strip()), "parameters": {}}
            config["models"].append(model)
            target = model["parameters"]
            continue
        key, colon, value = text.partition(":")
        if not colon:
            raise NotPlain
        value = value.strip()
        if indent == 0:
            target = config["parameters"]
            if key in ("models", "parameters"):
                continue
            if key not in ("merge_method", "base_model", "dtype", "out_dtype"):
                raise NotPlain
            config[key] = scalar(value)
        elif key == "parameters" and not value:
            continue
        else:
            target[key] = scalar(value)
    if not config["models"]:
        raise NotPlain
    return config


def command(config, dtype):
    """The options of `mix` that say the same."""
    method, models, common = config["merge_method"], config["models"], config["parameters"]
    base = config.get("base_model")
    result = ["--method", method]
    if base and method in BASE_IS_INPUT:
        if base not in [model["model"] for model in models]:
            models = models + [{"model": base, "parameters": {}}]
    elif base:
        result += ["--base", base]
        models = [model for model in models if model["model"] != base]
    if method not in WEIGHTLESS:
        result += ["--weights", ",".join(model["parameters"].get("weight", common.get("weight", "?"))
                                         for model in models)]
    known = OWN.get(method, TASK)
    if method == "linear" and "normalize" not in common:
        result += ["--param", "normalize=true"]
    for name in known:
        own = [model["parameters"].get(name, common.get(name)) for model in models]
        if name in EACH and not method.startswith("ram"):
            if any(value is not None for value in own):
                default = {"density": "1", "gamma": "0.01", "epsilon": "0.15", "scale": "1"}[name]
                result += ["--param", name + "=" + ",".join(value or default for value in own)]
        elif name in common:
            result += ["--param", f"{name}={common[name]}"]
    return result + ["--dtype", DTYPES[dtype]] + [model["model"] for model in models]


def run_case(program, scratch, case):
    name = case["name"]
    config = read_config(f"cases/{name}.yml")
    if name in REVERSED:
        config["models"].reverse()
    stored = golden_compare.stored_dtype(case)
    wanted = config.get("dtype", "").replace("torch.", "")
    if wanted not in ("", "float32", "bfloat16") or stored == "F64":
        raise NotPlain
    if wanted == "bfloat16" and config["merge_method"] != "passthrough" and \
            "-bf16" not in config["models"][0]["model"]:
        raise NotPlain  # every input is rounded first
    options = command(config, stored)
    if config["merge_method"] in RANDOM:
        options += ["--seed", "7"]
    done = subprocess.run([program, "mix", "--quiet", "--force", *options, "-o", scratch],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip() or f"exit {done.returncode}"
    return golden_compare.check_case(case, scratch)


def main():
    program, golden, scratch, *names = sys.argv[1:]
    os.chdir(golden)
    with open("cases.json", encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    n_run = n_wrong = 0
    skipped = []
    for case in cases:
        if names and case["name"] not in names:
            continue
        try:
            wrong = run_case(program, scratch, case)
        except NotPlain:
            skipped.append(case["name"])
            continue
        n_run += 1
        if wrong:
            n_wrong += 1
            print(f"{case['name']}: {wrong}")
    if os.environ.get("VERBOSE"):
        print("not plain:", *skipped)
    print(f"{n_run} cases, {n_wrong} differ")


main()
