#!/usr/bin/env python3
"""Make fixtures/normalizers.json: what the Hugging Face tokenizers library makes of tricky texts.

    python3 tests/parity/make_normalizer_golden.py [--check]

Needs the package `tokenizers` 0.23. The file has the texts, and for every normalizer the results
[number of the text, new text, n_origin] where it changes something: n_origin is the number of bytes at
the start of the new text that the library aligns with the start of the old one. A text that is not
listed comes out as it is.
"""

import base64
import json
import struct
import sys
from pathlib import Path

import tokenizers
from tokenizers import PreTokenizedString, Regex, Tokenizer

GOLDEN = Path(__file__).resolve().parents[2] / "fixtures" / "normalizers.json"

TEXTS = [
    "", " ", "  \t\r\n ", "Hello World", " leading", "trailing ", "two  spaces   here", "a\r\nb\rc\n\nd",
    "\u0085a\u00a0b\u1680c\u180ed\u2000e\u200af\u2028g\u2029h\u202fi\u3000j\u200bk\ufeffl",
    "\ufefffirst", "\u200b\u00a0x\u3000", "a\x00b", "\x01\x02x\x7fy\x9fz\x8f", "soft\u00adhyphen \ufffdx",
    "H\u00e9llo\x00W\u200dorld\u00ad!", "\u0130stanbul \u03a3\u0391\u03a3", "\uff21\uff22\u4e2d\u56fd",
    "\ufffdx\u0085y\x0bz", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u65e5\u672c\u8a9e \u30c6\u30b9\u30c8\u30fc", "\uac00\uac01 \ud55c\uae00", "\u1100\u1161\u11a8\u1100\u1175",
    "\uff76\uff9e\uff8a\uff9f\u3350 \u32ff \u3331", "\U00020000\U0002a6df\U0002b820\U0002b920\U00030000\U0002ebf0",
    "\uf900\ufa0e\U0002f800 \u3400\u4dbf\u9fff", "cafe\u0301 caf\u00e9 CAF\u00c9",
    "a\u0301\u0323 a\u0323\u0301 \u1ead\u1ea5", "\u0344 \u212b \u2126 \u1e9b\u0323", "\u0301start",
    "\u0344\u0323x", "\u1ebf\u0323", "\ufb01\u0301z", "a\u1df6\u0301 \u0897\u0301", "\U0001d165\U0001d16e \U0001d15e",
    "\u1ec7 Vi\u1ec7t N\u1ead\u0301", "\u0e19\u0e49\u0e33 \u0e01\u0e33", "\u0915\u094d\u0937 \u0958 \u0915\u093c",
    "\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u0651 \ufdfa \ufefb", "\u05d1\u05bc\u05b0 \ufb1d \ufb4f", "\u0f73\u0f71\u0f72 \u0f75",
    "\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea\U0001f1eb 1\ufe0f\u20e3 \u2764\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\u1e9e \u00df \u01c5 \u02b0 \u00aa \u00ba \u2167 \u212a \u017f",
    "it'\u017f I'LL \u2019ll", "1\u00b2\u00bd\u2460 \u0661\u0662 \u2488", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "\uffe0\u00ab\u00bb\u2026\u2014\u201cq\u201d \u20ac+\u2122", "``quoted''", "\u2581x\u2581 \u2581",
    "\x0c\x0b\x1c\x1d\x85sep", "A\u0301B A\u0301\u0323\u0301\u0323", "e\u0301\u0323e\u0301", "\r\n\u0301\r\r\n",
    "\u00c5\u00c4\u00d6\u00dc \u00f8\u0141", "\u0600\u06011\u06dd2", "\U000e0001\U000f0000\ue000\u0378\U0010ffff",
    "\u0300\u0301\u0302\u0316\u0317\u0300", "a\u0327\u0301\u0327\u0301\u05b0\u0327", "a\ufe2b\U0001d165",
    "\u2f00 \u2460 \u3300 \uffed", "\u0958\u0301\u09dc\u0f43", "x\u20e3\u0338=\u0338",
]

PREPEND = {"type": "Prepend", "prepend": "\u2581"}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def sequence(*normalizers):
    return {"type": "Sequence", "normalizers": list(normalizers)}


def bert(**changes):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": True, **changes}


def strip(left, right):
    return {"type": "Strip", "strip_left": left, "strip_right": right}


def charsmap(entries):
    """A SentencePiece character map: a double-array trie, and the replacements behind it."""
    units, taken, bases, pool = {0: 0}, {0}, set(), b""
    trie = {}
    for key, value in entries.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node["leaf"] = len(pool)
        pool += value.encode() + b"\0"

    def place(node, position):
        labels = [label for label in node if label != "leaf"] + [0] * ("leaf" in node)
        base = next(base for base in range(1, 1 << 20) if base not in bases
                    and not any(base ^ label in taken for label in labels))
        bases.add(base)
        taken.update(base ^ label for label in labels)
        units[position] |= (position ^ base) << 10
        if "leaf" in node:
            units[position] |= 1 << 8
            units[base] = 1 << 31 | node["leaf"]
        for label in labels:
            if label:
                units[base ^ label] = label
                place(node[label], base ^ label)

    place(trie, 0)
    size = max(units) // 256 * 256 + 256
    blob = struct.pack(f"<{size + 1}I", 4 * size, *(units.get(i, 0) for i in range(size))) + pool
    return base64.b64encode(blob).decode()


PRECOMPILED = {"type": "Precompiled", "precompiled_charsmap": charsmap({
    "\ufb01": "fi", "\r": " ", "\n": " ", "e\u0301": "\u00e9", "A": "xx", "\x01": "", "\u00aa": "a",
    "\u0344": "", "\u3331": "\u30d3\u30eb", "\U0001f1e9": "D"})}

NORMALIZERS = [
    bert(), bert(lowercase=False), bert(clean_text=False), bert(strip_accents=False),
    bert(lowercase=False, strip_accents=True, handle_chinese_chars=False),
    *({"type": name} for name in ("Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Nmt",
                                  "ByteLevel")),
    strip(True, True), strip(True, False), strip(False, True), PREPEND, PRECOMPILED,
    replace({"String": " "}, "\u2581"), replace({"String": "\u0301"}, ""),
    replace({"String": "\r\n"}, "new line"), replace({"String": ""}, "-"),
    replace({"Regex": " {2,}"}, "\u2581"), replace({"Regex": "a*"}, "<$0>"),
    sequence(), sequence(PREPEND, replace({"String": " "}, "\u2581")),
    sequence(replace({"String": "``"}, '"'), replace({"String": "''"}, '"'), {"type": "NFKD"},
             {"type": "StripAccents"}, {"type": "Lowercase"}, PRECOMPILED),
    sequence(strip(True, False), sequence(PRECOMPILED, {"type": "NFC"}), PREPEND),
]


def n_origin(normalizer, text):
    pieces = PreTokenizedString(text)
    pieces.normalize(lambda whole: normalizer.normalize(whole))
    pieces.split(lambda _, whole: whole.split(Regex("(?m:.)"), "isolated"))
    n_bytes = 0
    for piece, (start, _), _ in pieces.get_splits("original", "byte"):
        if start > 0:
            break
        n_bytes += len(piece.encode())
    return n_bytes


def first_length(text):
    return len(text[:1].encode())


def case(description):
    config = {"version": "1.0", "normalizer": description,
              "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}
    normalizer = Tokenizer.from_str(json.dumps(config)).normalizer
    results = []
    for number, text in enumerate(TEXTS):
        result = normalizer.normalize_str(text)
        origin = n_origin(normalizer, text) if result else 0
        if (result, origin) != (text, first_length(text)):
            results.append([number, result, origin])
    return {"normalizer": json.dumps(description), "results": results}


def make():
    def lines(items):
        return ",\n".join(json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in items)

    cases = ",\n".join(
        '{"normalizer":' + json.dumps(one["normalizer"]) + ',\n"results":[' + lines(one["results"]) + "]}"
        for one in map(case, NORMALIZERS))
    return (f'{{"made_with":"tokenizers {tokenizers.__version__}",\n"texts":[\n{lines(TEXTS)}],\n'
            f'"cases":[\n{cases}]}}\n')


def main():
    text = make()
    if sys.argv[1:] == ["--check"]:
        if GOLDEN.read_text(encoding="ascii") != text:
            sys.exit(f"{GOLDEN.name} is not what the library says now")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        GOLDEN.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
