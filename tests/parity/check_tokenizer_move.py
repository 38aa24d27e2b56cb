"""check_tokenizer_move.py - `cocktail tokenizer move`, compared with mergekit-tokensurgeon.

Models are small and random, with tokenizers that are trained here on words of their own. Known
differences (docs/tokenizers.md, "Tokens of another vocabulary", "Rows for new tokens") are kept out of the way: what restricts matches to one matrix is
swapped, and texts are ASCII. Rows may be 1e-4 of the matrix's largest value apart, as sums of floats decide
which token is taken; where two are nearly as near, a row may differ: one in a hundred.
"""

import json
import random
import shutil

import torch
from harness import DTYPES, TORCH_NAMES, case, case_for, cocktail, need, run, scratch, tensors_of, write_tensors

SEED = 4711
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def words(rng, n):
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    return ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(n)]


def texts_of(rng, n_words):
    some = words(rng, n_words)
    return [" ".join(rng.choices(some, k=12)) + rng.choice([".", "!", " 42"]) for _ in range(400)]


def byte_level(rng, size):
    """As GPT-2's: bos is eos."""
    import tokenizers
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, special_tokens=["<|endoftext|>", "<|pad|>"], show_progress=False,
                                             initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(texts_of(rng, 300), trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|endoftext|>", eos_token="<|endoftext|>",
                                                pad_token="<|pad|>")


def byte_level_of_roles(rng, size):
    """Other names, and a token for each role."""
    import tokenizers
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    names = ["[P]", "<s>", "</s>", "<0x41>", "<0x62>"]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, special_tokens=names, show_progress=False,
                                             initial_alphabet=list("abcdefgiklmnoprstu\u0120"))
    made.train_from_iterator(texts_of(rng, 200), trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="[P]")


TOKENIZERS = {"byte-level": byte_level, "roles": byte_level_of_roles}


def model(name, rng, kind, hidden, tied, dtype, extra_rows=0):
    path = scratch() / name
    tokenizer = TOKENIZERS[kind](rng, rng.randint(420, 520))
    tokenizer.save_pretrained(path)
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    n, inner, at = len(tokenizer) + extra_rows, 24, "model.layers.0."

    def made(*shape):
        return (torch.randn(*shape, generator=generator) * 0.2).to(DTYPES[dtype])

    tensors = {EMBEDDING: made(n, hidden), "model.norm.weight": made(hidden), at + "mlp.gate_proj.weight": made(inner, hidden),
               at + "mlp.up_proj.weight": made(inner, hidden), at + "mlp.down_proj.weight": made(hidden, inner),
               at + "input_layernorm.weight": made(hidden), at + "post_attention_layernorm.weight": made(hidden)}
    tensors |= {f"{at}self_attn.{q}_proj.weight": made(hidden, hidden) for q in "qkvo"}
    if not tied:
        tensors[HEAD] = made(n, hidden)
    write_tensors(path, tensors)
    (path / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": n,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": tied,
        "torch_dtype": TORCH_NAMES[dtype], "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id}))
    return path


def by_mergekit(own, donor, *options):
    from click.testing import CliRunner
    from mergekit.io.tasks import LoaderCache
    from mergekit.scripts.tokensurgeon import main

    output = scratch() / "theirs"
    shutil.rmtree(output, ignore_errors=True)
    LoaderCache().loaders.clear()
    done = CliRunner().invoke(main, [str(own), str(donor), str(output), *map(str, options)])
    assert done.exit_code == 0, f"mergekit: {done.exception!r}"
    return output


def both(seed, options, theirs, dtype="f32", own_kind="byte-level", donor_kind="roles", tied=(False, False), hidden=(16, 24)):
    need("mergekit", "transformers", "tokenizers")
    rng = random.Random(SEED + seed)
    own = model("own", rng, own_kind, hidden[0], tied[0], dtype, extra_rows=3)
    donor = model("donor", rng, donor_kind, hidden[1], tied[1], dtype, extra_rows=5)
    ours = scratch() / "ours"
    shutil.rmtree(ours, ignore_errors=True)
    cocktail("tokenizer", "move", own, donor, "-q", "-o", ours, *options)
    return own, donor, ours, by_mergekit(own, donor, *theirs)


def expect_near(ours, theirs, step=0.0):
    """At most one row in a hundred further apart than the limit."""
    x, y = tensors_of(ours), tensors_of(theirs)
    assert x.keys() == y.keys(), sorted(x.keys() ^ y.keys())
    worst = n_far = 0
    for name, a in x.items():
        b = y[name]
        assert a.shape == b.shape and a.dtype == b.dtype, (name, a.shape, b.shape, a.dtype, b.dtype)
        if name not in (EMBEDDING, HEAD):
            assert torch.equal(a, b), name
            continue
        size = b.double().abs().amax(1).clamp(min=0.25)
        far = ((a.double() - b.double()).abs().amax(1) / size)
        limit = 1e-4 + step
        n_far += int((far > limit).sum())
        assert (far > limit).sum() <= len(far) // 100, f"{name}: {int((far > limit).sum())} of {len(far)} rows"
        worst = max(worst, far[far <= limit].max().item())
    return f"at most {worst:.1e}" + (f", {n_far} rows of other tokens" if n_far else "")


METHODS = {
    "omp": (["--k", "5"], ["-a", "omp", "-k", 5]),
    "omp, bytes and prefixes": (["--k", "4", "--byte-match", "both", "--prefix-match", "head"],
                                ["-a", "omp", "-k", 4, "-bm", "yes", "-pm", "embed"]),
    "nearest": (["--method", "common_interpolation", "--k", "6"], ["-a", "common_interpolation", "-k", 6]),
    "nearest, cosine": (["--method", "common_interpolation", "--k", "6", "--cosine-similarity"],
                        ["-a", "common_interpolation", "-k", 6, "-c"]),
    "nearest, barycentric": (["--method", "common_interpolation", "--k", "5", "--weight-scheme", "barycentric"],
                             ["-a", "common_interpolation", "-k", 5, "-w", "barycentric"]),
    "nearest, least squares": (["--method", "common_interpolation", "--k", "5", "--weight-scheme", "least_squares"],
                               ["-a", "common_interpolation", "-k", 5, "-w", "least_squares"]),
    "pieces, mean": (["--method", "subword"], ["-a", "subword"]),
    "pieces, sum": (["--method", "subword", "--subword-method", "sum"], ["-a", "subword", "-s", "sum"]),
    "pieces, one": (["--method", "subword", "--subword-method", "first_last"], ["-a", "subword", "-s", "first_last"]),
    "mean, prefixes": (["--method", "mean", "--prefix-match", "embedding"], ["-a", "mean", "-pm", "lm_head"]),
    "zero": (["--method", "zero"], ["-a", "zero"]),
}


@case_for([(name, seed) for seed, name in enumerate(METHODS)])
def rows_are_those_of_mergekit(name, seed):
    ours, theirs = METHODS[name]
    _, _, a, b = both(seed, ours, theirs)
    return expect_near(a, b)


@case_for([("bf16", (True, True)), ("f16", (True, False)), ("f32", (False, True))])
def dtypes_and_tied_heads(dtype, tied):
    _, _, a, b = both(31, ["--k", "4"], ["-a", "omp", "-k", 4], dtype=dtype, tied=tied)
    return expect_near(a, b, step={"bf16": 2 ** -7, "f16": 2 ** -10, "f32": 0}[dtype])


@case_for([("roles", "byte-level"), ("byte-level", "byte-level")])
def tokens_are_those_of_the_donor_in_transformers(own_kind, donor_kind):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _, donor, ours, theirs = both(41, ["--method", "mean"], ["-a", "mean"], own_kind=own_kind, donor_kind=donor_kind)
    expect_near(ours, theirs)
    made, wanted = AutoTokenizer.from_pretrained(ours), AutoTokenizer.from_pretrained(donor)
    assert made.special_tokens_map == wanted.special_tokens_map
    rng = random.Random(SEED)
    texts = texts_of(rng, 50) + ["<s>x</s>[P]<|endoftext|>", "  \n A B", "<0x41>A"]
    assert [made(t).input_ids for t in texts] == [wanted(t).input_ids for t in texts]
    loaded = AutoModelForCausalLM.from_pretrained(ours)
    assert loaded.get_input_embeddings().weight.shape[0] == loaded.config.vocab_size == len(wanted)
    a, b = (json.loads((path / "config.json").read_text()) for path in (ours, theirs))
    for key in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"):
        assert a[key] == b[key], (key, a[key], b[key])


@case
def a_draft_model_gets_the_vocabulary_of_its_target():
    """Its own tokenizer moved there and back is what it was, row for row."""
    need("transformers", "tokenizers")
    rng = random.Random(SEED + 77)
    own, donor = (model(name, rng, "byte-level", 16, False, "bf16") for name in ("own", "donor"))
    there, back = scratch() / "there", scratch() / "back"
    cocktail("tokenizer", "move", own, donor, "-q", "-o", there, "--k", "8")
    cocktail("tokenizer", "move", there, own, "-q", "-o", back, "--k", "8")
    from transformers import AutoTokenizer

    vocabularies = [AutoTokenizer.from_pretrained(path).get_vocab() for path in (own, donor)]
    shared = [i for token, i in vocabularies[0].items() if token in vocabularies[1]]
    assert len(shared) > 256
    for name in (EMBEDDING, HEAD):
        assert torch.equal(tensors_of(own)[name][shared], tensors_of(back)[name][shared]), name


run()
