#!/usr/bin/env python3
"""Make fixtures/pretokenizers.json: how the Hugging Face tokenizers library cuts tricky texts.

    python3 tests/parity/make_pretokenizer_golden.py [--check]

Needs the package `tokenizers` 0.23. The file has the texts; for every pre-tokenizer the results for
the first `n` of them; and regular expressions, each with a text that it is to split. A result is the
pieces, each with SEPARATOR behind it; null where the text comes out as one piece.
"""

import json
import sys
from pathlib import Path

import tokenizers
from tokenizers import Regex, Tokenizer, pre_tokenizers

GOLDEN = Path(__file__).resolve().parents[2] / "fixtures" / "pretokenizers.json"
SEPARATOR = "\u01c0"

# The first ones show what split behaviours do.
TEXTS = [
    "the-final--x", "--a- b--", "aXbXXc  X", "X", "a", "A aa  b", "", " ", "   ", "\n\n", " a", "a ",
    "Hello world's  it'ſ I'LL 'Re\r\n\r\n x \n", "\t\ttab and  \r\n  lines\n\n\n", "two  spaces ",
    "x\u0085y\u00a0z\u1680u\u180ev\u2000w\u2028q\u202fr\u3000s\u200bt\ufeff\u205f", "\u3000 a\u2009\u2009b",
    "12345678 3.14 1,000 ١٢٣٤ ²½Ⅷ① a1b2", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "don't--stop...!?\n//\n/\r\n",
    "￠«»…—'“q” €+<=>^|~ \u166d\u2e43\u2e5d", "日本語 テストー、ひらがな。漢字12", "한국어 \u1112\u1161\u11ab",
    "привет МИР Ὀδυσσεύς ΣΊΣΥΦΟΣ", "नमस्ते क्षि ไทยำ عَرَبِي שָׁלוֹם", "e\u0301A\u0301b \u0301c \u0301\u0323",
    "👩\u200d👩\u200d👧 👍🏽 🇩🇪 1\ufe0f\u20e3", "aBcDEfGHi ǅa ʰA Aʰ ªa", "CamelCase HTMLParser x86_64 foo_bar",
    "▁a▁▁ b", " ▁ ▁", "ĠworldĊĊ âĢĻ", "\x01a\x7f\x80\xad\u0378\ue000\U0010ffff", "\U00031350一\U00010d4a\u1c89",
    "x=1;  y\t= 2; //z", "  indented\n    more\n", "a,b,,c", "\u4dff一龥龦\u303f\u3040ゟ゠ヿ\u3100",
    "naïve façade ß ẞ İı Kſ", "𝟎𝟏 Ａ１ ﷺ", "..a'b.c!D?\n'd' x'll", "5%\u0661%$9 a\u20e3\u0345",
]

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
RISING, FALLING = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SKIP = r"[^\r\n\p{L}\p{N}]?"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS = SKIP + r"\p{L}+"
OTHER = r" ?[^\s\p{L}\p{N}]+"
PATTERNS = {
    "gpt2": rf"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}+| ?\p{{N}}+|{OTHER}|\s+(?!\S)|\s+",
    "llama3": rf"{CONTRACTIONS}|{WORDS}|\p{{N}}{{1,3}}|{OTHER}[\r\n]*|{SPACES}",
    "qwen2": rf"{CONTRACTIONS}|{WORDS}|\p{{N}}|{OTHER}[\r\n]*|{SPACES}",
    "o200k": rf"{SKIP}{RISING}*{FALLING}+{CONTRACTIONS}?|{SKIP}{RISING}+{FALLING}*{CONTRACTIONS}?|"
             rf"\p{{N}}{{1,3}}|{OTHER}[\r\n/]*|{SPACES}",
    "tekken": rf"{SKIP}{RISING}*{FALLING}+|{SKIP}{RISING}+{FALLING}*|\p{{N}}|{OTHER}[\r\n/]*|{SPACES}",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
              r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "deepseek numbers": r"\p{N}{1,3}",
    "deepseek kanji": "[一-龥぀-ゟ゠-ヿ]+",
    "deepseek words": r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
                      r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + SPACES,
    "spaces": " {2,}",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "clip": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "kimi": r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
            r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
            + OTHER + r"[\r\n]*|" + SPACES,
}

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, use_regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": use_regex}


def metaspace(**members):
    return {"type": "Metaspace", "replacement": "▁", **members}


def sequence(*pre_tokenizers_):
    return {"type": "Sequence", "pretokenizers": list(pre_tokenizers_)}


def components():
    """(how many of the texts, pre-tokenizer)"""
    few, some, every = 12, 24, len(TEXTS)
    for behavior in BEHAVIORS:
        for invert in (False, True):
            yield few, split("X", behavior, invert, "String")
            yield few, split("", behavior, invert, "String")
            yield few, split("-+|a*", behavior, invert)
            yield few, split(PATTERNS["gpt2"], behavior, invert)
        yield few, {"type": "Punctuation", "behavior": behavior}
    for name, pattern in PATTERNS.items():
        yield every if name not in ("spaces", "bloom", "clip") else some, split(pattern)
    for name in ("BertPreTokenizer", "Punctuation", "WhitespaceSplit", "Whitespace", "UnicodeScripts"):
        yield every, {"type": name}
    for individual in (False, True):
        yield some, {"type": "Digits", "individual_digits": individual}
    yield some, {"type": "CharDelimiterSplit", "delimiter": "a"}
    yield few, {"type": "CharDelimiterSplit", "delimiter": "▁"}
    yield some, {"type": "FixedLength"}
    yield few, {"type": "FixedLength", "length": 2}
    yield every, byte_level()
    yield few, byte_level(True)
    yield few, byte_level(True, False)
    yield few, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    yield every, metaspace()
    for scheme in ("always", "first", "never"):
        for splits in (True, False):
            yield few, metaspace(prepend_scheme=scheme, split=splits)
    yield few, metaspace(str_rep="▁", add_prefix_space=True)
    yield few, metaspace(replacement="_", add_prefix_space=False, prepend_scheme="never")
    yield some, sequence({"type": "WhitespaceSplit"}, metaspace())
    yield some, sequence(split(PATTERNS["deepseek numbers"]), split(PATTERNS["deepseek kanji"]),
                         split(PATTERNS["deepseek words"]), byte_level(False, False))
    yield some, sequence({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(),
                         {"type": "Digits", "individual_digits": False}, split("[0-9][0-9][0-9]"))
    yield few, sequence(sequence(), byte_level(True), sequence(byte_level(True)))
    yield few, sequence(byte_level(True, False), split("", kind="String"), metaspace(prepend_scheme="first"))
    yield few, sequence()


REGEXES = [
    (r"\p{N}{1,3}+", "1234567a"), ("a{2}?b", "b ab aab"), ("a{,2}", "aaaaa"), ("a{2}{3}", "a" * 13), ("a{2,3}?", "a" * 7),
    ("a{2,}+b", "aaaaab"), ("a*+a", "aaa"), ("a?+a", "aab"), ("(?>a+)b", "aab"), ("x{0}", "axb"), ("a{x}", "a{x}"), ("a{,}", "a{,}"),
    ("a??b", "aab"), ("(?:a|ab)(?:c|bcd)", "abcd abc"), ("x*", "axxb"), ("|a", "ba"), ("", "ab"), ("a||b", "ab"),
    ("a(?i)b|c", "aB C c ab"), ("(a(?i)b)c", "aBc aBC"), ("(?i:a)b", "AbAB"), ("(?i)[^s]", "ſsSa"), ("(?i)k[s]", "KſkS"),
    ("(?mi-x:a.)", "A\n"), ("a.b", "a\nb axb"), ("(?m)a.b", "a\nb"), ("(?#c)a", "a"),
    ("[]a]", "a]b"), ("[^]a]", "a]b"), ("[a-]", "a-b"), ("[a\\-z]", "a-bz"), ("[a-c-e]", "abcde-"), ("]", "a]"),
    ("[a-d&&b-f]", "abcdef"), ("[^a-d&&b-f]", "abcdef"), ("[a-d&&[b-f]g]", "abcdefg"), ("[a[^bc]]", "abcde"), ("[&&a]", "ab"),
    (r"[\w&&[^a]]", "ab"), (r"[\p{L}&&[^\p{Han}]]", "一a"), ("[[:alpha:]_]", "a_1"), ("[[:^alpha:]_]", "a_1"), ("[:alpha:]", "alz:"),
    ("[[:punct:]]", "a+,€"), (r"\p{Punct}", "a+,€"), (r"\w+", "a²_\u0301\u200c9"), (r"[\w]+", "a²_\u0301\u200c9"), (r"\h+", "fg 0"),
    (r"\d", "1²٣"), (r"\s", "a\u180eb\u0085c"), (r"\p{^L}", "a1"), (r"\P{^L}", "a1"), (r"\p{hIr-a gAna}", "あア"),
    (r"\p{Greek}\p{Lowercase_Letter}", "ΑΒγδ"), (r"[\x41-\x43\u4e00-\x{9fff}]", "AD一"), (r"[\b]", "a\bb"),
    (r"\R", "\r\n\n\r\u2028"), (r"\N|\O", "a\n"), (r"\t\n\v\f\r\a\e\0\012", "\t\n\v\f\r\a\x1b"), (r"\i\_\-", "i_-"),
    (r"\b", "ab cd²"), (r"\B", "ab cd"), ("^", "a\nb\n"), ("$", "a\nb\n"), (r"^.|.$", "abc\ndef"), (r".\z", "ab\n"), (r".\Z", "ab\n"),
    (r"\A.", "ab"), (r"\Ga", "aab a"), (r"a\Kb", "abab"), ("(?<=a|bc)d", "adbcd"), ("(?<!a)b", "abb"), (r"(?<=\d)(?=(?:\d{3})+(?!\d))", "1234567"),
    (r"\p{L}+", "x\U00031350\U00010d4a\u1c8a\ua7da"), (r"\p{Sc}|\p{Mn}|\p{Pd}|\p{Cn}", "$\u0301-\u0378a"), (r"[[:upper:]][[:lower:]]*", "AbcªDⅧ"),
]


def joined(cut, text):
    pieces = [piece for piece, _ in cut.pre_tokenize_str(text) if piece]
    assert not any(SEPARATOR in piece for piece in pieces)
    return None if pieces == [text] else "".join(piece + SEPARATOR for piece in pieces)


def load(component):
    """The pre-tokenizer as tokenizer.json has it."""
    return Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": component, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}})).pre_tokenizer


def rows(items):
    return ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)


def make():
    results = []
    for n, component in components():
        cut = load(component)
        results.append({"pre_tokenizer": component, "n": n, "results": [joined(cut, text) for text in TEXTS[:n]]})
    regexes = [[pattern, text, joined(pre_tokenizers.Split(Regex(pattern), "isolated"), text)]
               for pattern, text in REGEXES]
    return (f'{{"made_with":"tokenizers {tokenizers.__version__}",\n"texts":[\n{rows(TEXTS)}\n],\n'
            f'"components":[\n{rows(results)}\n],\n"regexes":[\n{rows(regexes)}\n]}}\n')


def main():
    text = make()
    if sys.argv[1:] == ["--check"]:
        if not GOLDEN.exists() or GOLDEN.read_text(encoding="utf-8") != text:
            sys.exit(f"{GOLDEN.name} is not what the library gives now")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        GOLDEN.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
