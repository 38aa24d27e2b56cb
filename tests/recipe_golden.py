"""recipe_golden.py PROGRAM GOLDEN SCRATCH [NAME...] - recipes against what mergekit has made of them.

GOLDEN is a folder with models, cases/NAME.yml, cases/NAME.safetensors, invalid/NAME.yml and cases.json,
which says how each is compared, or what is said of it. Prints a line for each case that differs, then a
count.
"""
import json
import os
import subprocess
import sys

import golden_compare


def merge(program, recipe, out):
    return subprocess.run([program, "merge", recipe, "-o", out, "--force", "--quiet", "--seed", "7"],
                          capture_output=True, text=True, check=False)


def check_valid(program, case, out):
    done = merge(program, f"cases/{case['name']}.yml", out)
    if done.returncode:
        return done.stderr.strip() or f"exit {done.returncode}"
    if case["compare"] != "stat":
        return golden_compare.check_case(case, out)
    wrong = golden_compare.check_case(case, out)
    with open(os.path.join(out, "model.safetensors"), "rb") as file:
        first = file.read()
    merge(program, f"cases/{case['name']}.yml", out)
    with open(os.path.join(out, "model.safetensors"), "rb") as file:
        return wrong or (None if file.read() == first else "has other bytes with the same seed")


def check_invalid(program, case, out):
    done = merge(program, f"invalid/{case['name']}.yml", out)
    last = (done.stderr.strip().split("\n") or [""])[-1]
    if done.returncode not in (2, 3, 8):
        return f"exit {done.returncode}: {last}"
    if not last.startswith("cocktail: ") or not any(word in last for word in case["says"]):
        return f"says none of {case['says']}: {last}"
    return "something was written" if os.path.exists(out) else None


def main():
    program, golden, scratch, *names = sys.argv[1:]
    program, scratch = os.path.abspath(program), os.path.abspath(scratch)
    os.chdir(golden)
    os.makedirs(scratch, exist_ok=True)
    with open("cases.json", encoding="utf-8") as file:
        cases = json.load(file)
    n_run = n_wrong = 0
    for kind, check in (("cases", check_valid), ("invalid", check_invalid)):
        for case in cases[kind]:
            if names and case["name"] not in names:
                continue
            n_run += 1
            wrong = check(program, case, os.path.join(scratch, f"{kind}-{case['name']}"))
            if wrong:
                n_wrong += 1
                print(f"{kind}/{case['name']}: {wrong}")
    print(f"{n_run} cases, {n_wrong} differ")


main()
