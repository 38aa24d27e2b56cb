"""merge_golden.py PROGRAM GOLDEN SCRATCH [NAME...] - `mix --method` against what mergekit has made.

GOLDEN is a folder with models, cases/NAME.yml, cases/NAME.safetensors and cases.json, which says how
each is compared. Run are those configs that are a list of models with plain values; of the others,
which only `merge` can run, nothing is said. Prints a line for each case that differs, then a count.
"""
import json
import math
import os
import struct
import subprocess
import sys

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8}
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


def read_tensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], data[entry["data_offsets"][0]:entry["data_offsets"][1]],
                   entry["shape"]) for name, entry in header.items()}


def read_model(path):
    tensors = {}
    for name in sorted(os.listdir(path)):
        if name.endswith(".safetensors"):
            tensors.update(read_tensors(os.path.join(path, name)))
    return tensors


def stacked(tensors, name):
    """The experts of a layer as mergekit stacks them: [E, 2 I, H] and [E, H, I]."""
    prefix, what = name.rsplit(".", 1)
    parts = {"gate_up_proj": ("w1", "w3"), "down_proj": ("w2",)}[what]
    prefix = prefix.replace(".mlp.experts", ".block_sparse_moe.experts")
    data, dtype, shape, n = b"", None, None, 0
    while f"{prefix}.{n}.{parts[0]}.weight" in tensors:
        for part in parts:
            dtype, own, shape = tensors[f"{prefix}.{n}.{part}.weight"]
            data += own
        n += 1
    return n and (dtype, data, [n, len(parts) * shape[0], shape[1]])


def values(tensor):
    dtype, data, _ = tensor
    n = len(data) // SIZES[dtype]
    if dtype == "BF16":
        return struct.unpack(f"<{n}f", b"".join(b"\0\0" + data[i:i + 2]
                                                for i in range(0, len(data), 2)))
    return struct.unpack(f"<{n}{ {'F32': 'f', 'F64': 'd', 'F16': 'e', 'I64': 'q'}[dtype]}", data)


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


def distance(expected, found, tied):
    """Of floats: the largest difference over the largest value, or over 0.25."""
    if len(expected) != len(found):
        return math.inf
    largest = max([abs(x) for x in expected if x == x] + [0.25])
    return max([abs(x - y) for i, (x, y) in enumerate(zip(expected, found)) if i not in tied],
               default=0) / largest


def ordered(dtype, data):
    """Items of two bytes as numbers in their order."""
    bits = struct.unpack(f"<{len(data) // 2}H", data)
    return [b if b < 0x8000 else 0x8000 - b for b in bits]


def compare(kind, expected, found, tied):
    if found is None or expected[0] != found[0] or expected[2] != found[2]:
        return "is not there, or has another dtype or shape"
    if kind == "exact" or expected[0] == "I64":
        return None if expected[1] == found[1] else "has other bytes"
    if expected[0] in ("F32", "F64"):
        far = distance(values(expected), values(found), tied)
        return None if far <= 1e-6 else f"is off by {far:.3g}"
    pairs = [(x, y) for i, (x, y) in enumerate(zip(ordered(*expected[:2]), ordered(*found[:2])))
             if i not in tied]
    off = [abs(x - y) for x, y in pairs if x != y]
    if not off:
        return None
    if max(off) > 1:
        return f"is off by {max(off)} units"
    return None if len(off) <= max(1, 0.001 * len(pairs)) else f"has {len(off)} others"


def outcomes(stat, base, deltas, scales):
    """What an element may become: (result, which models are kept)."""
    n = len(deltas)
    for mask in range(1 << n):
        terms = [stat["models"][i]["weight"] * deltas[i] * scales[i] if mask >> i & 1 else 0.0
                 for i in range(n)]
        if stat["consensus"]:
            sign = 1 if sum(terms) >= 0 else -1
            counts = [i for i, term in enumerate(terms) if term * sign > 0]
            total = sum(terms[i] for i in counts)
            weight = sum(stat["models"][i]["weight"] for i in counts) or 1
        else:
            total, weight = sum(terms), sum(model["weight"] for model in stat["models"])
        yield base + (total / weight if stat["normalize"] else total), mask


def check_stat(stat, found):
    base = read_model(stat["base"])
    models = [read_model(model["path"]) for model in stat["models"]]
    expected_sum = variance = kept = 0.0
    for name, tensor in base.items():
        start, result = values(tensor), values(found[name])
        deltas = [[x - b for x, b in zip(values(model[name]), start)] for model in models]
        row = tensor[2][-1] if tensor[2] else 1
        scales = [1.0] * len(models)
        if stat["rescale"] and len(models) == 1:
            left = [d for d, b, r in zip(deltas[0], start, result) if r != b]
            if left:
                scales[0] = sum(map(abs, deltas[0])) / sum(map(abs, left))
        for first in range(0, len(start), row):
            ranks = [{i: r for r, i in enumerate(sorted(range(first, first + row),
                                                        key=lambda i: abs(delta[i])))}
                     for delta in deltas]
            for i in range(first, first + row):
                own = [delta[i] for delta in deltas]
                fits = [mask for value, mask in outcomes(stat, start[i], own, scales)
                        if abs(value - result[i]) <= 1e-6 * max(1, abs(value))]
                if not fits:
                    return f"{name}[{i}]: {result[i]} is none of what it may be"
                if len(models) > 1 or own[0] == 0:
                    continue
                model = stat["models"][0]
                p = model["density"]
                if stat["kind"] == "della":
                    p += model["epsilon"] * (2 * ranks[0][i] / (row - 1) - 1)
                expected_sum += p
                variance += p * (1 - p)
                kept += fits == [1]
    if len(models) == 1 and abs(kept - expected_sum) > 5 * math.sqrt(variance):
        return f"{kept} are kept, not about {expected_sum:.0f}"
    return None


def run_case(program, scratch, case):
    name = case["name"]
    config = read_config(f"cases/{name}.yml")
    if name in REVERSED:
        config["models"].reverse()
    expected = {}
    path = f"cases/{name}.by-name.safetensors"
    if case["compare"] != "stat":
        expected = read_tensors(path if os.path.exists(path) else f"cases/{name}.safetensors")
    stored = [tensor[0] for tensor in expected.values() if tensor[0] != "I64"] or ["F32"]
    wanted = config.get("dtype", "").replace("torch.", "")
    if wanted not in ("", "float32", "bfloat16") or stored[0] == "F64":
        raise NotPlain
    if wanted == "bfloat16" and config["merge_method"] != "passthrough" and \
            "-bf16" not in config["models"][0]["model"]:
        raise NotPlain  # every input is rounded first
    options = command(config, stored[0])
    if config["merge_method"] in RANDOM:
        options += ["--seed", "7"]
    done = subprocess.run([program, "mix", "--quiet", "--force", *options, "-o", scratch],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip() or f"exit {done.returncode}"
    found = read_model(scratch)
    if case["compare"] == "stat":
        return check_stat(case["stat"], found)
    for tensor in expected:
        tied = set(case.get("tied", {}).get(tensor, ()))
        own = found.get(tensor)
        if own is None and ".mlp.experts." in tensor:
            own = stacked(found, tensor)
        if own is None and tensor.endswith(".mlp.gate.weight"):
            own = found.get(tensor.replace(".mlp.gate.", ".block_sparse_moe.gate."))
        wrong = compare(case["compare"], expected[tensor], own, tied)
        if wrong:
            return f"'{tensor}' {wrong}"
    return None


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
