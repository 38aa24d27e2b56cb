#!/usr/bin/env python3
"""gguf_golden.py GOLDEN: what the program in PATH makes of GOLDEN/*.gguf, against the .json beside each: every tensor as F32, bit
for bit, in the names of transformers; logits or vectors up to 5e-5 of the largest; ids of texts. Standard library only."""
import glob
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys


def run(*words, text=""):
    return subprocess.run(["cocktail", *words], input=text, capture_output=True, text=True, check=True).stdout


def lines(*words, text):
    return [json.loads(line) for line in run(*words, text=text).splitlines()]


def tensors(path):
    shutil.rmtree("out", ignore_errors=True)
    run("convert", path, "--dtype", "f32", "-o", "out")
    with open("out/model.safetensors", "rb") as file:
        data = file.read()
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {k: {"shape": v["shape"], "sha256": hashlib.sha256(data[8 + size:][slice(*v["data_offsets"])]).hexdigest()} for k, v in header.items()}


def far(ours, expected):
    largest = max(abs(x) for row in expected for x in row)
    return max(abs(x - y) for a, b in zip(ours, expected) for x, y in zip(a, b)) / largest


def check(path, golden):
    found = tensors(path)
    for name in sorted(set(found) | set(golden["tensors"])):
        if found.get(name) != golden["tensors"].get(name):
            yield f"{name}: {found.get(name)}, not {golden['tensors'].get(name)}"
    if "logits" in golden:
        ours, expected = lines("logits", "--from-ids", path, text=" ".join(map(str, golden["ids"])) + "\n"), golden["logits"]
    else:
        expected = [x["vector"] for x in golden["embed"]]
        ours = lines("embed", "-q", "--jsonl", path, text="".join(json.dumps(x["text"]) + "\n" for x in golden["embed"]))
    if len(ours) != len(expected) or far(ours, expected) > 5e-5:
        yield f"{len(ours)} lines, {far(ours, expected):.2g} of the largest off"
    ids = run("tokenize", "--jsonl", path, text="".join(json.dumps(x["text"]) + "\n" for x in golden["tokenize"])).splitlines()
    for x, line in zip(golden["tokenize"], ids, strict=True):
        if line != " ".join(map(str, x["ids"])):
            yield f"{x['text']!r}: {line}, not {x['ids']}"


def main():
    n = 0
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.gguf"))):
        with open(path.replace(".gguf", ".json"), encoding="utf-8") as file:
            golden = json.load(file)
        if "architecture" in golden:
            n += 1
            for text in check(path, golden):
                print(f"{os.path.basename(path)}: {text}")
    print(f"{n} models")


if __name__ == "__main__":
    main()
