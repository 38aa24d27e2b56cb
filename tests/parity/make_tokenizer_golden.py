#!/usr/bin/env python3
"""make_tokenizer_golden.py - small tokenizers, texts, and what the PyPI package `tokenizers` makes of them.

    python tests/parity/make_tokenizer_golden.py            write fixtures/tokenizers/
    python tests/parity/make_tokenizer_golden.py --check    compare with what is there

fixtures/tokenizers/NAME/ holds the files of a tokenizer of tokenizer_zoo.py (for names of fixtures/: none, the
tokenizer lies there) and

    expected       for each line of texts.jsonl: ids, ids without special tokens, ids cut to 6; three lines a text
    decoded.jsonl  {"text"} of each first line, then of each first line without special tokens

texts.jsonl, one for all, holds strings and pairs. Written by tokenizers 0.23.3.
"""

import json
import sys
from pathlib import Path

import tokenizer_oracle as oracle
import tokenizer_texts as texts
import tokenizer_zoo as zoo

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
OUT = FIXTURES / "tokenizers"
SEED = 99
MAX_LENGTH = 6
ADDED = ["<s>", "</s>", "<|endoftext|>", "<|im_start|>", "[MASK]", "<mask>", "<extra_id_1>", "<extra_id_10>", "Hello"]
BY_HAND = ["", " ", "\n\n", "Hello world", " hello  world ", "the quick brown fox", "don't IT'S we'LL", "1 12 123 1234 3.14", "a\0b", "caf\u00e9 cafe\u0301",
           "\ufb01ne \u2167 \u00bd", "\u65e5\u672c\u8a9e \u4f60\u597d", "\ud55c\uad6d\uc5b4", "\u0130stanbul \u03a3", "x\u00adz\u200dy", "\U0001f600\U0001f44d", "ab abab _ab ab-ab",
           "<s>hi</s>", "x  <mask>  y", "[MASK]s", "<|endoftext|>\t\t<|endoftext|", "<extra_id_1>0", "\u2581\u2581the", "\r\n\r\n", "\u3000the\u00a0"]


def items():
    words = BY_HAND + texts.at_random(SEED, 10, ADDED, 2)
    short = [w for w in words if len(w) < 60]
    return short + [{"text": a, "pair": b} for a, b in zip(short[3:27:3], short[5:29:3])]


def arguments(item):
    return (item["text"], item["pair"]) if isinstance(item, dict) else (item,)


def golden(tokenizer, lines):
    """The two files of a tokenizer."""
    expected, whole = [], []
    for item in lines:
        whole.append(tokenizer.encode(*arguments(item)).ids)
        raw = tokenizer.encode(*arguments(item), add_special_tokens=False).ids
        tokenizer.enable_truncation(MAX_LENGTH)
        cut = tokenizer.encode(*arguments(item)).ids
        tokenizer.no_truncation()
        expected += [whole[-1], raw, cut]
    decoded = [tokenizer.decode(ids, skip_special_tokens=skip) for skip in (False, True) for ids in whole]
    return {"expected": "".join(" ".join(map(str, ids)) + "\n" for ids in expected),
            "decoded.jsonl": "".join(json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")) + "\n" for text in decoded)}


def files():
    """{path below fixtures/tokenizers/: content}"""
    lines = items()
    res = {"texts.jsonl": "".join(json.dumps(item) + "\n" for item in lines)}
    for name in ("decoder-base", "encoder-base"):
        for file, text in golden(oracle.load(FIXTURES / name), lines).items():
            res[f"{name}/{file}"] = text
    for name, make in zoo.TOKENIZERS.items():
        value = make()["tokenizer__json"]
        tokenizer = oracle.Tokenizer.from_str(json.dumps(value))
        res[f"{name}/tokenizer.json"] = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
        for file, text in golden(tokenizer, lines).items():
            res[f"{name}/{file}"] = text
    return res


def main():
    made = files()
    if "--check" in sys.argv[1:]:
        differing = [name for name, text in made.items() if not (OUT / name).exists() or (OUT / name).read_bytes() != text.encode()]
        sys.exit(f"fixtures/tokenizers: {', '.join(differing)} differ" if differing else 0)
    for name, text in made.items():
        (OUT / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
