"""make_corpus.py - writes what the fuzzers of tokenizers, safetensors and GGUF start from into corpus/.

Small tokenizers with every type of component, every kind of file that stands in for tokenizer.json,
and texts; headers of safetensors and of GGUF files. Files named find-… were found by the fuzzers: this script leaves
them alone.
"""

import io
import json
import struct
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "fixtures"))

import make_hostile_adapters  # noqa: E402
import make_hostile_moe  # noqa: E402
import make_hostile_recipes  # noqa: E402
import make_hostile_tokenizers as make  # noqa: E402
import make_megatron  # noqa: E402
import megatron_model  # noqa: E402
from make_hostile_tokenizers import MARK, sequence, split, tokenizer  # noqa: E402

GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"


def write(folder, name, content):
    path = HERE / "corpus" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def normalizers():
    yield from ({"type": name} for name in ("Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Nmt",
                                            "ByteLevel"))
    yield {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
           "lowercase": True}
    yield {"type": "Strip", "strip_left": True, "strip_right": True}
    yield {"type": "Prepend", "prepend": MARK}
    yield {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    yield {"type": "Replace", "pattern": {"Regex": "[a-c]{2,}|(?<=x)y"}, "content": "z"}
    yield make.precompiled(make.CHARSMAP)


def pretokenizers():
    yield {"type": "BertPreTokenizer"}
    yield {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    yield {"type": "CharDelimiterSplit", "delimiter": "c"}
    yield {"type": "Digits", "individual_digits": True}
    yield {"type": "FixedLength", "length": 3}
    for scheme in ("always", "first", "never"):
        yield {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": scheme != "first"}
    yield {"type": "Punctuation", "behavior": "Contiguous"}
    yield {"type": "UnicodeScripts"}
    yield {"type": "Whitespace"}
    yield {"type": "WhitespaceSplit"}
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield split({"Regex": "\\s*[^\\w\\s&&[^x]]|(?i:ab)++"}, behavior, behavior == "Removed")
        yield split({"String": " "}, behavior)
    yield split({"Regex": GPT2})


def decoders():
    yield {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    yield {"type": "WordPiece", "prefix": "##", "cleanup": True}
    yield {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True}
    yield {"type": "BPEDecoder", "suffix": "</w>"}
    yield {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}
    yield sequence("decoders", {"type": "Replace", "pattern": {"String": MARK}, "content": " "},
                   {"type": "ByteFallback"}, {"type": "Fuse"},
                   {"type": "Strip", "content": " ", "start": 1, "stop": 0})


def processors():
    yield make.template()
    yield {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}
    yield {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True,
           "add_prefix_space": True}
    yield {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    yield sequence("processors", {"type": "ByteLevel", "trim_offsets": True, "add_prefix_space": True},
                   make.template())


def models():
    yield make.bpe(fuse_unk=True)
    yield make.bpe(byte_fallback=True, continuing_subword_prefix="##", end_of_word_suffix="</w>", merges=[],
                   vocab={"a": 0, "##a": 1, "##a</w>": 2, "a</w>": 3, "<0x62>": 4, "<unk>": 5})
    yield make.bpe(ignore_merges=True, merges=[["a", "b"], ["b", "c"], ["ab", "c"]],
                   vocab={**make.bpe()["vocab"], "bc": 9})
    yield make.wordpiece()
    yield make.wordlevel()
    yield make.unigram()
    yield make.unigram(byte_fallback=True, vocab=[*make.unigram()["vocab"], ["<0x62>", 0], ["<0xE6>", 0]])
    yield {key: value for key, value in make.wordpiece().items() if key != "type"}


def tokenizers():
    for model in models():
        yield tokenizer(model)
    for stage, parts in (("normalizer", normalizers()), ("pre_tokenizer", pretokenizers()),
                         ("decoder", decoders()), ("post_processor", processors())):
        for part in parts:
            yield tokenizer(make.bpe(), **{stage: part})
    yield tokenizer(make.unigram(), normalizer=sequence("normalizers", *normalizers()),
                    pre_tokenizer=sequence("pretokenizers", {"type": "WhitespaceSplit"},
                                           {"type": "Metaspace", "replacement": MARK, "add_prefix_space": True}),
                    post_processor=make.template(), added_tokens=[make.added("</s>", lstrip=True, normalized=True)])
    yield tokenizer(make.wordpiece(), added_tokens=[make.added("<mask>", lstrip=True), make.added("<s>"),
                                                    make.added("ab", single_word=True, rstrip=True)],
                    truncation={"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
                    padding={"strategy": {"Fixed": 8}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0,
                             "pad_type_id": 0, "pad_token": "[PAD]"})


def configs():
    yield {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True, "bos_token": "a",
           "eos_token": {"content": "b", "lstrip": True}}
    yield {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False, "strip_accents": True,
           "added_tokens_decoder": {"9": {"content": "<x>", "special": True}}, "additional_special_tokens": ["<y>"]}


def model_files():
    """Number of the file, number of the configuration, content: as fuzz_tokenizer_model.c has them."""
    unigram = make.sentencepiece(make.PIECES, charsmap=make.CHARSMAP)
    bpe = make.sentencepiece(make.PIECES + [("<0x62>", 0.0, 6), ("bc", -7.0), ("abc", -8.0)], 2)
    for config in (0, 3, 4):
        yield "unigram", 0, config, unigram
    for config in (0, 1, 2):
        yield "bpe", 0, config, bpe
    yield "spiece", 1, 4, unigram
    yield "xlmr", 2, 0, unigram
    yield "tiktoken", 0, 0, make.tiktoken_lines()
    small = make.tekken()
    small["vocab"] = small["vocab"][90:110]
    small["config"].update(default_vocab_size=30, default_num_special_tokens=4)
    small["special_tokens"] = [{"rank": 0, "token_str": "<s>", "is_control": True}]
    yield "tekken", 3, 0, json.dumps(small).encode()
    yield "vocab_txt", 4, 0, b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\n"
    yield "vocab_txt_mpnet", 4, 7, b"<s>\n[UNK]\n</s>\n<mask>\na \n"
    for config in (0, 5, 6):
        yield "vocab_json", 5, config, b'{"a":0,"b":1,"ab":2,"c":3,"abc":4,"<s>":5,"</s>":6}'


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def headers():
    """Name, header, bytes of data: as fuzz_safetensors.c has them."""
    yield "empty", {}, 0
    yield "metadata", {"__metadata__": {"format": "pt", "\u00e9\"\\\n": ""}}, 0
    yield "two", {"b": entry("F32", [2], 0, 8), "a": entry("F16", [2, 1], 8, 12)}, 12
    yield "no-items", {"a": entry("BF16", [0, 7], 0, 0), "b": entry("U8", [], 0, 1), "c": entry("I64", [0], 1, 1)}, 1
    yield "packed", {"a": entry("F4", [3, 2], 0, 3), "b": entry("F6_E2M3", [4], 3, 6), "c": entry("F8_E8M0", [2], 6, 8),
                     "d": entry("BOOL", [1], 8, 9)}, 9
    yield "many-dimensions", {"model.layers.0.x.weight": entry("C64", [1] * 64, 0, 8)}, 8
    yield "large", {"a": entry("F64", [1 << 20, 100], 0, 800 << 20)}, 800 << 20
    yield "hole", {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}, 12
    yield "overlap", {"a": entry("F32", [2], 0, 8), "b": entry("F32", [1], 4, 8)}, 8
    yield "overflow", {"a": entry("F32", [1 << 40, 1 << 40], 0, 4)}, 4
    yield "unknown-key", {"a": {"other": [{"x": None}], **entry("U8", [3], 0, 3)}}, 3


def safetensors():
    for name, header, n in headers():
        yield name, b"\1" + n.to_bytes(4, "little") + json.dumps(header, separators=(",", ":")).encode()
    text = json.dumps({"a": entry("U8", [4], 0, 4)}).encode()
    yield "whole", b"\0" + len(text).to_bytes(8, "little") + text + b"abcd"
    yield "cut", b"\0" + (len(text) + 9).to_bytes(8, "little") + text


def gguf_text(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_value(key, kind, content):
    return gguf_text(key) + struct.pack("<I", kind) + content


def gguf_array(key, kind, items):
    return gguf_value(key, 9, struct.pack("<IQ", kind, len(items)) + b"".join(items))


GGUF_VALUES = [
    gguf_value("general.architecture", 8, gguf_text("llama")), gguf_value("general.alignment", 4, struct.pack("<I", 64)),
    gguf_value("a.i8", 1, b"\x80"), gguf_value("a.u16", 2, b"\xff\xff"), gguf_value("a.f32", 6, struct.pack("<f", 0.1)),
    gguf_value("a.bool", 7, b"\1"), gguf_value("a.u64", 10, b"\xff" * 8), gguf_value("a.f64", 12, struct.pack("<d", 0.1)),
    gguf_array("tokenizer.ggml.tokens", 8, [gguf_text(text) for text in ("", "a", "\u2581b", "<0x0A>")]),
    gguf_array("tokenizer.ggml.scores", 6, [struct.pack("<f", -i) for i in range(4)]),
    gguf_array("a.bools", 7, [b"\0", b"\1"]), gguf_array("a.none", 5, []),
]
# As in common/tensor/ggml_blocks.c: number, items, bytes.
GGUF_TYPES = [(2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34), (10, 256, 84), (11, 256, 110), (12, 256, 144),
              (13, 256, 176), (14, 256, 210), (16, 256, 66), (17, 256, 74), (18, 256, 98), (19, 256, 50), (20, 32, 18),
              (21, 256, 110), (22, 256, 82), (23, 256, 136), (29, 256, 56), (34, 256, 54), (35, 256, 66), (39, 32, 17),
              (40, 64, 36), (41, 128, 18), (42, 64, 18), (0, 1, 4), (1, 1, 2), (30, 1, 2), (28, 1, 8), (24, 1, 1), (25, 1, 2),
              (26, 1, 4), (27, 1, 8)]


def gguf(values, tensors, alignment=32, version=3):
    """The head of a file, padded, and how many bytes of data belong to it."""
    sizes, offset = {number: (items, size) for number, items, size in GGUF_TYPES}, 0
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values)) + b"".join(values)
    for name, kind, dims in tensors:
        items, size = sizes.get(kind, (32, 18))
        n_items = 1
        for dim in dims:
            n_items *= dim
        head += gguf_text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
        offset += -(-(n_items // items * size) // alignment) * alignment
    return head.ljust(-(-len(head) // alignment) * alignment, b"\0"), offset


def ggufs():
    every = [(f"blk.{number}.weight", number, [2 * items, 3]) for number, items, _ in GGUF_TYPES]
    cases = {
        "values": gguf(GGUF_VALUES, [("a.weight", 0, [2, 3])], 64), "types": gguf([], every),
        "dims": gguf([], [("a", 8, [32, 3, 2, 2]), ("b", 24, [5]), ("c", 0, [])], version=2),
        "nvfp4": gguf([], [("a.weight", 40, [64, 2, 3]), ("a.scale", 0, [3]), ("a.input_scale", 0, [1])]),
        "parts": gguf([gguf_value("split.no", 2, b"\0\0"), gguf_value("split.count", 2, b"\1\0"),
                       gguf_value("split.tensors.count", 5, struct.pack("<I", 1))], [("a", 12, [256, 2])]),
        "large": gguf([], [("a", 12, [1 << 20, 100])]), "removed": gguf([], [("a", 31, [32])]),
        "overflow": gguf([], [("a", 0, [1 << 40, 1 << 40])]),
    }
    for name, (head, n_data) in cases.items():
        yield name, b"\1" + (n_data & 0xFFFFFFFF).to_bytes(4, "little") + head
    head, n_data = gguf([], [("a", 16, [256]), ("b", 39, [32])])
    yield "whole", b"\0" + head + bytes(i * 37 & 255 for i in range(n_data))
    yield "cut", b"\0" + head[:-40]


TEXTS = [
    "Hello world", "  It's   12345 o'clock, I'LL go!\r\n\r\n\tdone \n ", "<|end|> a<|end|>b </s>  aaaaaaaaa the the",
    "e\u0301 \u00e9 \ufb01\u0301z \u0130stanbul \u017f it'\u017f '\u017f", "\u65e5\u672c\u8a9e \u30c6\u30b9\u30c8\u30fc \ud55c\uae00 \u3042\u3042",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea 1\ufe0f\u20e3", "\u00a0\u1680\u180e\u2003\u3000\u0085x\u2028y\u200b \ufeff",
    "\u00b2\u00bd\u2167 \u0661\u0662 1,000 3.14", "x" * 300 + " " * 40 + "\n" * 9, "def f(x):\n    return x//2 # no\n\n\n",
    "\u01c5\u02b0\u00aa ABCdefGHI \u0301\u0302 A\u0301bC", "\u0915\u094d\u0937 \u0e19\u0e49\u0e33 \u0639\u064e\u0631", "a\0b\ufffd\u2581 \u2581\u2581",
    "\U0001e030 \U000323b0 \U0002ebf0 \u1c89\u1c8a",
]


SMALL = dict(num_layers=1, hidden_size=4, num_attention_heads=2, num_query_groups=1, kv_channels=2, ffn_hidden_size=2,
             moe_ffn_hidden_size=2, num_experts=2, moe_router_topk=1, max_position_embeddings=4, vocab_size=2,
             padded_vocab_size=4)


def megatron():
    """Files of one rank, with what stands beside the tensors: Namespace, enums, BytesIO, numpy arrays."""
    kinds = {"plain": {}, "dense": dict(num_experts=None, qk_layernorm=True),
             "biases": dict(normalization="LayerNorm", add_bias_linear=True, swiglu=False,
                            position_embedding_type="learned_absolute", untie_embeddings_and_output_weights=False),
             "routers": dict(moe_router_score_function="sigmoid", moe_router_enable_expert_bias=True, moe_router_topk=2,
                             moe_router_num_groups=2, moe_router_group_topk=2, moe_shared_expert_intermediate_size=2,
                             moe_shared_expert_gate=True, moe_layer_freq=[1], rotary_percent=0.5, kv_channels=4)}
    with tempfile.TemporaryDirectory() as scratch:
        for name, settings in kinds.items():
            megatron_model.make(Path(scratch), SMALL | settings)
            (rank, content), = make_megatron.ranks(Path(scratch))
            content["model"]["decoder.layers.0.self_attention.linear_qkv._extra_state"] = io.BytesIO(b"state")
            a = content["args"]
            a.model_type = make_megatron.stand_in("megatron.core.enums", "ModelType")(1)
            a.exit_signal = make_megatron.stand_in("signal", "Signals")(15)
            array = make_megatron.stand_in("numpy._core.multiarray", "_reconstruct")(
                make_megatron.stand_in("numpy", "ndarray"), (0,), b"b")
            array.state = (1, (2,), make_megatron.stand_in("numpy", "dtype")("u4", False, True), False, b"abcdefgh")
            content["rng_state"] = [{"np_rng_state": array, "cpu_rng_state": make_megatron.t([4], "U8")}]
            make_megatron.write(Path(scratch), rank, content)
            yield name + ".pt", (Path(scratch) / "iter_0000001" / rank / make_megatron.FILE).read_bytes()


def recipes():
    """Valid ones, and of those with a defect what is about values and YAML itself."""
    for name in ("LINEAR", "TIES", "SLERP", "STACK", "PAIRS", "STAGES"):
        yield name.lower(), getattr(make_hostile_recipes, name).encode()
    for path in sorted(make_hostile_recipes.HERE.glob("*.yml")):
        if path.name.split("-")[0] in ("ok", "bytes", "tag", "alias", "value", "filter", "two") and path.stat().st_size < 1000:
            yield path.stem, path.read_bytes()


def mixtures():
    yield "plain", make_hostile_moe.PLAIN.encode()
    for path in sorted(make_hostile_moe.HERE.glob("*.yml")):
        if path.name.split("-")[0] in ("ok", "shared", "noise", "prompts", "per", "tag") and path.stat().st_size < 1000:
            yield path.stem, path.read_bytes()


def adapters():
    """Configuration and header, as fuzz_adapter.c has them: adapters that PEFT made, and some with a defect."""
    made = HERE.parents[1] / "fixtures/adapters"
    for folder in [*sorted(made.iterdir()), *sorted(make_hostile_adapters.HERE.iterdir())]:
        weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
        if not weights.exists() or not config.exists() or weights.stat().st_size < 8:
            continue
        data = weights.read_bytes()
        header = data[8:8 + int.from_bytes(data[:8], "little")]
        settings = {k: v for k, v in json.loads(config.read_text()).items() if v not in (None, False, [], {})} \
            if folder.parent == made else None
        if len(header) < 3000 and (settings or folder.name.split("-")[0] in ("ok", "pattern", "key", "layers")):
            text = json.dumps(settings).encode() if settings else config.read_bytes()
            if len(text) < 2000:
                yield folder.name, text + b"\0" + header


def main():
    for name, content in adapters():
        write("adapter", name, content)
    for name, content in recipes():
        write("recipe", name, content)
    for name, content in mixtures():
        write("moe", name, content)
    for name, content in megatron():
        write("megatron", name, content)
        write("torchbin", name, content)
    for i, content in enumerate(tokenizers()):
        write("tokenizer_json", f"{i:02}.json", json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())
    for i, config in enumerate(configs()):
        text = json.dumps(tokenizer(make.bpe(), post_processor=make.template())) + "\0" + json.dumps(config)
        write("tokenizer_json", f"config-{i}", text.encode())
    for name, file, config, content in model_files():
        write("tokenizer_model", f"{name}-{config}", bytes([file + 6 * config]) + content)
    for name, content in safetensors():
        write("safetensors", name, content)
    for name, content in ggufs():
        write("gguf", name, content)
    for i, text in enumerate(TEXTS):
        write("text", f"{i:02}", b"\xff" + text.encode())
    write("text", "ill-formed", b"\xff\xff\xc0\xaf \xed\xa0\x80 \xf5\x80 \xe3\x81 a\xcc \xf0\x9f\x91")


if __name__ == "__main__":
    main()
