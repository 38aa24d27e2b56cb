#!/usr/bin/env python3
"""same_numbers.py A B TOLERANCE: whether the lines of JSON arrays in both files hold the same numbers, up to that part of the
largest. Says in what they differ."""
import json
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main():
    a, b = read(sys.argv[1]), read(sys.argv[2])
    if [len(x) for x in a] != [len(x) for x in b] or not a:
        sys.exit(f"{[len(x) for x in a]} numbers, {[len(x) for x in b]} numbers")
    largest = max(abs(x) for line in b for x in line)
    off = max(abs(x - y) for s, t in zip(a, b) for x, y in zip(s, t))
    if not off <= float(sys.argv[3]) * largest:
        sys.exit(f"{off / largest:.3g} of the largest off")


if __name__ == "__main__":
    main()
