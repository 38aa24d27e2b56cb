#!/usr/bin/env python3
"""make_subword_golden.py - what the PyPI package `tokenizers` makes of single words.

    python tests/parity/make_subword_golden.py            write fixtures/subword_golden.txt
    python tests/parity/make_subword_golden.py --check    compare with what is there

Small models of all four kinds with every option, by hand and at random (fixed seed), without
normalizer and pre-tokenizer: a word goes straight to the model. One line each:

    model JSON          a model that loads: "model" of a tokenizer.json
    bytes JSON          the same behind the ByteLevel pre-tokenizer: words are raw bytes
    refuse JSON         a model that the reference refuses to load
    word JSON ID ...    a word for the model above it, and its ids; "!" where it is an error

Written by tokenizers 0.23.3.
"""
import json
import random
import sys
from pathlib import Path

from tokenizers import Tokenizer, pre_tokenizers

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "subword_golden.txt"
SEED = 4
N_RANDOM = 50


def bpe(vocab, merges, **options):
    return {"type": "BPE", "vocab": numbered(vocab), "merges": merges, **options}


def wordpiece(vocab, **options):
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": numbered(vocab), **options}


def unigram(vocab, unk_id=0, **options):
    return {"type": "Unigram", "unk_id": unk_id, "vocab": vocab, **options}


def numbered(vocab):
    return vocab if isinstance(vocab, dict) else {token: i for i, token in enumerate(vocab)}


def byte_tokens(text):
    return [f"<0x{b:02X}>" for b in sorted(set(text.encode()))]


def by_hand():
    """(model, is_byte_level, words); a model as text where a dict cannot say it."""
    abc = ["a", "b", "c", "ab", "bc", "abc"]
    yield bpe(abc, ["a b", "b c", "a b"]), False, ["abc", "xabcx", "ab", "bc", "x"]
    yield bpe(abc, ["b c", "a b"]), False, ["abc", "aabcc"]
    yield bpe(abc, [["b", "c"], ["a", "b"]], ignore_merges=True), False, ["abc", "abcabc", "xabc"]
    yield bpe(abc, ["#version: 0.2", "a b"]), False, ["abc"]
    yield bpe(["a", " ", "a ", "\n", "\n\n"], [["a", " "], ["\n", "\n"]]), False, ["a \n\n\na", " a"]
    yield bpe(["a", "unk"], [], unk_token="unk"), False, ["a\u00e9\u00eaa", "\u00e9", "a"]
    yield bpe(["a", "unk"], [], unk_token="unk", fuse_unk=True), False, ["a\u00e9\u00eaa", "\u00e9\u00ea"]
    yield (bpe(["a", "unk", "<0xC3>", "<0xA9>"], [], unk_token="unk", fuse_unk=True, byte_fallback=True), False,
           ["a\u00e9\u00ea\u00eaa", "\u00ea\u00e9", "\u00ea\u00e9\u00ea"])
    yield (bpe(["a", "unk", "<0xC3>", "<0xA9>", "<0xC3><0xA9>"], ["<0xC3> <0xA9>"], unk_token="unk",
               byte_fallback=True), False, ["\u00e9\u00e9", "\u00ea\u00e9a"])
    yield bpe(["a"], [], unk_token="missing"), False, ["a", "ab"]
    yield bpe(["a", "\0", "a\0"], ["a \0"]), False, ["a\0", "\0a"]
    yield (bpe(["a", "##b", "ab", "##bb", "b"], ["a ##b", "##b ##b"], continuing_subword_prefix="##"), False,
           ["ab", "abb", "abbb", "ba"])
    yield (bpe(["a", "b", "a</w>", "b</w>", "ab</w>", "ab"], ["a b</w>", "a b"], end_of_word_suffix="</w>"), False,
           ["ab", "abab", "a", "ba"])
    yield bpe(["a", "b", "ab"], ["a b"], continuing_subword_prefix="", end_of_word_suffix=""), False, ["abab"]
    yield bpe({"a": 5, "b": 70000, "ab": 2147483647}, ["a b"]), False, ["abba"]
    yield ('{"type":"BPE","vocab":{"a":0,"a":5,"b":1},"merges":[]}', False, ["ab"])
    yield ('{"merges":["a b"],"vocab":{"a":0,"b":1,"ab":2}}', False, ["ab", "ba"])
    yield ('{"unknown":[{}],"merges":[["a","#b"]],"continuing_subword_prefix":"#","vocab":{"a":0,"#b":1,"ab":2}}', False,
           ["ab", "abb"])
    # Two pairs with one result: an old entry of the heap comes to life again.
    yield (bpe({"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 3}, ["b c", "a b", "a bc", "ab c"]), False,
           ["abc", "abcabc", "aabbcc"])
    yield bpe({"a": 0, "b": 1, "": 2}, [["a", ""]], unk_token=""), False, ["axxb", "xa"]
    yield wordpiece(["[UNK]", "a", "##b", "##bb", "ab", "##c"], max_input_chars_per_word=5), False, \
        ["abbc", "abcx", "abcbb", "abcbbb", "a", "b", "\u00e9\u00e9\u00e9\u00e9\u00e9"]
    yield wordpiece(["[UNK]", "a", "ab", "b", "##"], continuing_subword_prefix=""), False, ["abab", "ba", "##", "#"]
    yield wordpiece(["a", "##a"]), False, ["aaa", "ab"]
    yield wordpiece(["[UNK]", "\u65e5", "##\u672c", "##\u672c\u8a9e"]), False, ["\u65e5\u672c\u8a9e", "\u672c\u65e5"]
    yield ('{"vocab":{"u":0,"a":1,"##b":2},"unk_token":"u","continuing_subword_prefix":"##",'
           '"max_input_chars_per_word":3}', False, ["ab", "abbb"])
    yield {"type": "WordLevel", "vocab": numbered(["<unk>", "a", "ab"]), "unk_token": "<unk>"}, False, ["a", "ab", "b"]
    yield '{"vocab":{"u":0,"a":1},"unk_token":"u","continuing_subword_prefix":"##"}', False, ["a", "aa"]
    yield {"type": "WordLevel", "vocab": numbered(["a"]), "unk_token": "<unk>"}, False, ["a", "b"]
    yield unigram([["<unk>", 0], ["a", -1], ["b", -1], ["ab", -2]]), False, ["ab", "aXYb", "Xa<unk>Y", "<unk>"]
    yield unigram([["<unk>", 0], ["a", -1], ["a", -5], ["", 3], ["b", -1], ["ab", -2.0000001]]), False, ["ab", "aa", "xa"]
    yield unigram([["<unk>", 0], ["XY", -50], ["a", -1]]), False, ["aXYa", "XYX"]
    yield unigram([["a", -1]], unk_id=None), False, ["a", "ab"]
    yield '{"vocab":[["a",-1],["ab",-1.5]]}', False, ["aab", "b"]
    yield (unigram([["<unk>", 0], ["a", -1]] + [[t, 0] for t in byte_tokens("\u00e9<0xC3>\0")], byte_fallback=True), False,
           ["a\u00e9a", "<0xC3>", "\0"])
    yield unigram([["<unk>", 0], ["<0xC3>", 0], ["<0xA9>", 0]], byte_fallback=True), False, ["\u00e9", "\u00ea", "\u00e9\u00ea"]
    # Sums that are equal but for rounding: they show how the reference reads numbers.
    for single, double in (("-5.223881269927215", "-10.447762539854431"), ("-9.452503170537279", "-18.905006341074560"),
                           ("-4.728825993706969", "-9.457651987413937")):
        yield ('{"type":"Unigram","unk_id":null,"vocab":[["b",%s],["bb",%s]]}' % (single, double), False,
               ["b" * n for n in (3, 5, 7, 9)])
    display = ["a", "\u0120", "\u0120a", "\u00c3", "\u00a9", "\u00c3\u00a9", "\u010a", "\u2581", "\u00e9", "\u0100"]
    yield bpe(display, ["\u0120 a", "\u00c3 \u00a9"]), True, [" a", "\u00e9", "\n\na", "\u2581", "\u0120", "a\0b"]
    yield bpe(display + ["unk"], ["\u0120 a"], unk_token="unk", fuse_unk=True, ignore_merges=True), True, [" ab", "\u00e9", "xya"]
    yield bpe(display + ["<0xC4>", "<0xA1>"], [], byte_fallback=True), True, ["\x7f", "\x7fa", "\x80"]
    yield wordpiece(["[UNK]", "\u0120a", "##b", "##\u00c3\u00a9"]), True, [" ab\u00e9", "a"]
    yield unigram([["u", 0], ["\u0120a", -1], ["\u00c3\u00a9", -1]]), True, [" a\u00e9", "\u00e9x a"]
    yield {"type": "WordLevel", "vocab": numbered(["u", "\u0120a"]), "unk_token": "u"}, True, [" a", "a"]


REFUSED = [
    bpe(["a", "b", "cc"], ["a b"]), bpe(["a", "ab"], ["a b"]), bpe(["b", "ab"], ["a b"]), bpe(["a", "b", "ab"], ["a  b"]),
    bpe(["a", "b", "ab"], ["ab"]), bpe(["a", "b", "ab"], ["a b "]), bpe(["a", "b", "ab"], [["a", "b", "a"]]),
    bpe(["a", "b", "ab"], [["a"]]), bpe(["a", "b", "ab"], ["a b", ["a", "b"]]), bpe(["a"], [], dropout=1.5),
    bpe(["a"], None), bpe(["a"], [], type="Bigram"), bpe(["a"], [], type=None), bpe({"a": -1}, []), bpe({"a": 1.5}, []),
    bpe({"a": 4294967296}, []), {"type": "BPE", "vocab": {}}, {"type": "BPE", "merges": []}, {"vocab": {"a": 0}}, {},
    {"type": "WordPiece", "vocab": {}, "unk_token": "a"}, {"type": "WordLevel", "vocab": {}},
    {"type": "WordLevel", "vocab": [["a", 0]], "unk_token": "a"}, {"type": "Unigram", "vocab": {"a": 0}},
    unigram([["a", 0]], unk_id=1), unigram([], unk_id=0), unigram([["a", 0, 0]]), unigram([["a"]]), unigram([[]]),
    unigram([["a", None]]), unigram([["a", 0]], unk_id=-1),
    '{"type":"Unigram","vocab":[["a",1e999]]}',
]


class Random:
    """Small random models over small alphabets, so that everything collides."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def maybe(self, probability):
        return self.random.random() < probability

    def word(self, alphabet, longest):
        letters = alphabet + self.random.choice(["", "", "x\u00e9\u65e5 \U0001f600"])
        length = self.random.randint(1, self.random.choice([2, 5, 12, longest]))
        return "".join(self.random.choice(letters) for _ in range(length))

    def ids(self, tokens):
        step = self.random.choice([1, 1, 1, 3, 100003])
        if self.maybe(0.08):
            return {token: self.random.randrange(len(tokens)) for token in tokens}
        return {token: step * i for i, token in enumerate(tokens)}

    def bpe(self, alphabet):
        prefix, suffix = (self.random.choice([None, None, None, None, word]) for word in ("##", "</w>"))
        symbols = list(alphabet)
        symbols += [(prefix or "") + letter + end for letter in alphabet for end in {"", suffix or ""}]
        tokens, merges = ["<unk>"] + symbols, []
        for _ in range(self.random.choice([2, 6, 20])):
            left, right = self.random.choice(symbols), self.random.choice(symbols)
            if prefix and not right.startswith(prefix):
                continue
            merges.append([left, right])
            symbols.append(left + right[len(prefix or ""):])
        self.random.shuffle(merges)
        byte_fallback = self.maybe(0.3)
        tokens += symbols + (byte_tokens("x\u00e9\u65e5") if byte_fallback else [])
        options = {"unk_token": self.random.choice([None, "<unk>"]), "fuse_unk": self.maybe(0.5),
                   "ignore_merges": self.maybe(0.3), "byte_fallback": byte_fallback,
                   "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
        return bpe(self.ids(list(dict.fromkeys(tokens))), merges, **options)

    def wordpiece(self, alphabet):
        tokens = ["[UNK]", *alphabet, *("##" + letter for letter in alphabet)]
        tokens += [self.random.choice(["", "##"]) + self.word(alphabet, 5) for _ in range(10)]
        return wordpiece(self.ids(list(dict.fromkeys(tokens))), max_input_chars_per_word=self.random.choice([5, 100]))

    def unigram(self, alphabet):
        score = self.random.choice([lambda: -self.random.randint(1, 3), lambda: -self.random.random() * 9])
        tokens = ["<unk>", *alphabet[:-1]] + [self.word(alphabet, 6) for _ in range(10)]
        if byte_fallback := self.maybe(0.2):
            tokens += byte_tokens("x\u00e9\u65e5")
        return unigram([[token, score()] for token in tokens], byte_fallback=byte_fallback)

    def models(self, count):
        for i in range(count):
            make = [self.bpe, self.bpe, self.wordpiece, self.unigram][i % 4]
            alphabet = self.random.choice(["ab", "abc", "a\u2581", "a\u00e9\u65e5", "a\u0120\u00c3"])
            model = make(alphabet)
            yield model, self.maybe(0.25), [self.word(alphabet, 90) for _ in range(6)]


def load(model):
    return Tokenizer.from_str('{"version":"1.0","added_tokens":[],"model":%s}' % model)


def lines():
    for model, is_byte_level, words in [*by_hand(), *Random(SEED).models(N_RANDOM)]:
        text = model if isinstance(model, str) else json.dumps(model, separators=(",", ":"))
        tokenizer = load(text)
        if is_byte_level:
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        yield ("bytes " if is_byte_level else "model ") + text
        for word in words:
            try:
                ids = "".join(f" {i}" for i in tokenizer.encode(word, add_special_tokens=False).ids)
            except Exception:
                ids = " !"
            yield "word " + json.dumps(word) + ids
    for model in REFUSED:
        text = model if isinstance(model, str) else json.dumps(model, separators=(",", ":"))
        try:
            load(text)
        except Exception:
            yield "refuse " + text
        else:
            raise SystemExit(f"not refused: {text}")


def main():
    text = "".join(line + "\n" for line in lines())
    if "--check" in sys.argv[1:]:
        sys.exit(0 if OUT.read_text() == text else f"{OUT.name} differs")
    OUT.write_text(text)


if __name__ == "__main__":
    main()
