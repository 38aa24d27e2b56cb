"""moe_golden.py COCKTAIL GOLDEN OUT - makes the mixtures of experts of GOLDEN/moe and compares them with what mergekit made.

Everything but the routers exactly, these within the tolerance of the case, or by statistics. Python's own library only.
"""

import array
import json
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path

COCKTAIL, GOLDEN, OUT = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])


def load(path):
    """name -> (dtype, shape, bytes)"""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[8 + length:][slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def floats(tensor):
    values = array.array("f")
    values.frombytes(tensor[2])
    return values


def compare_router(case, name, got, expected):
    if got[:2] != expected[:2]:
        return f"{name}: {got[:2]}, not {expected[:2]}"
    values = floats(got)
    if case["tolerance"]:
        worst = max(abs(a - b) for a, b in zip(values, floats(expected)))
        return f"{name}: off by {worst}" if not worst <= case["tolerance"] else None
    n = got[1][1]
    rows = {bytes(values[i:i + n]) for i in range(0, len(values), n)}
    variance = sum(x * x for x in values) / len(values)
    if len(rows) != got[1][0] or abs(variance - 1) > 5 * math.sqrt(2 / len(values)):
        return f"{name}: not standard normal: variance {variance}, {len(rows)} different rows"
    return None


def compare(case, out):
    expected, got = load(GOLDEN / "moe" / f"{case['name']}.safetensors"), load(out / "model.safetensors")
    if expected.keys() != got.keys():
        yield f"tensors: {sorted(expected.keys() ^ got.keys())}"
        return
    for name in expected:
        if name.endswith("mlp.gate.weight"):
            problem = compare_router(case, name, got[name], expected[name])
            if problem:
                yield problem
        elif got[name] != expected[name]:
            yield f"{name} differs"
    config = json.loads((out / "config.json").read_text())
    for key, value in case["config"].items():
        if config.get(key) != value:
            yield f"config.json: {key} is {config.get(key)}, not {value}"
    if (out / "mergekit_moe_config.yml").read_bytes() != (GOLDEN / "moe" / f"{case['name']}.yml").read_bytes():
        yield "mergekit_moe_config.yml differs"


for case in json.loads((GOLDEN / "moe" / "cases.json").read_text())["cases"]:
    shutil.rmtree(OUT, ignore_errors=True)
    run = subprocess.run([COCKTAIL, "moe", "-q", f"moe/{case['name']}.yml", "-o", OUT], cwd=GOLDEN, text=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    problems = [f"exit {run.returncode}: {run.stderr}"] if run.returncode else list(compare(case, OUT))
    print(case["name"], "; ".join(problems) or "as mergekit has it")
