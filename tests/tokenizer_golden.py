"""tokenizer_golden.py PROGRAM GOLDEN SCRATCH - recipes that move tokens against what mergekit has made of them.

GOLDEN is a folder with models and tokenizer/cases.json, which says which token has which id where that is
certain, which tensors have a row for each token (in the sorted order of the tokens in the file), and what
rows without a token hold. Prints a line for each case that differs, then a count.
"""
import json
import os
import subprocess
import sys

import golden_compare


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def row(tensor, number):
    dtype, data, shape = tensor
    size = len(data) // shape[0]
    return golden_compare.values((dtype, data[number * size:(number + 1) * size], None))


def far(expected, found):
    return golden_compare.distance(expected, found, ()) > 1e-6


def check_tokens(case, out):
    tokenizer = read_json(os.path.join(out, "tokenizer.json"))
    ids = dict(tokenizer["model"]["vocab"])
    ids.update((token["content"], token["id"]) for token in tokenizer["added_tokens"])
    if set(ids) != set(case["tokens"]) or len(set(ids.values())) != len(ids):
        return None, f"has other tokens: {sorted(set(ids) ^ set(case['tokens']))}"
    if any(number not in (None, ids[token]) for token, number in case["tokens"].items()):
        return None, "has other ids"
    special = sorted(t["content"] for t in tokenizer["added_tokens"] if t["special"])
    if special != sorted(case["special"]):
        return None, f"has other special tokens: {special}"
    if read_json(os.path.join(out, "config.json"))["vocab_size"] != case["rows"]:
        return None, "has another vocab_size"
    return ids, None


def check_rows(case, name, expected, found, ids):
    if found[2][0] != case["rows"]:
        return f"'{name}' has {found[2][0]} rows"
    for number, token in enumerate(sorted(ids)):
        if far(row(expected, number), row(found, ids[token])):
            return f"'{name}': the row of '{token}' differs"
    for number in set(range(case["rows"])) - set(ids.values()):
        if far(case["padding"][name], row(found, number)):
            return f"'{name}': row {number}, which no token has, differs"
    return None


def check_tensors(case, out, ids):
    expected = golden_compare.read_tensors(f"tokenizer/{case['name']}.safetensors")
    found = golden_compare.read_model(out)
    if set(expected) != set(found):
        return "has other tensors"
    for name, tensor in expected.items():
        if name in case["by_token"]:
            wrong = check_rows(case, name, tensor, found[name], ids)
        else:
            wrong = golden_compare.compare("close", tensor, found[name], ())
            wrong = wrong and f"'{name}' {wrong}"
        if wrong:
            return wrong
    return None


def check(program, case, out):
    done = subprocess.run([program, "merge", f"tokenizer/{case['name']}.yml", "-o", out, "--quiet"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip() or f"exit {done.returncode}"
    if "template" in case:
        with open(os.path.join(out, "chat_template.jinja"), encoding="utf-8") as file:
            if file.read() != case["template"]:
                return "has another chat template"
    if "tokens" not in case:
        return None
    ids, wrong = check_tokens(case, out)
    return wrong or check_tensors(case, out, ids)


def main():
    program, golden, scratch = sys.argv[1:]
    program, scratch = os.path.abspath(program), os.path.abspath(scratch)
    os.chdir(golden)
    os.makedirs(scratch)
    cases = read_json("tokenizer/cases.json")["cases"]
    n_wrong = 0
    for case in cases:
        wrong = check(program, case, os.path.join(scratch, case["name"]))
        if wrong:
            n_wrong += 1
            print(f"{case['name']}: {wrong}")
    print(f"{len(cases)} cases, {n_wrong} differ")


main()
