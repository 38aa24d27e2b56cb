"""check_loading.py - transformers, sentence-transformers and safetensors load what we write.

Without a missing or unexpected key, in the dtype that config.json names, with the parameters that
the base has; and what they compute from it is what the mix should compute.
"""

import json
import shutil

import torch
from harness import (DTYPES, TORCH_NAMES, case, case_for, cocktail_json, copy_model, edit_json, expect_same_tensors,
                     family, fixture, minilm, mix, run, scratch, tensors_of, weights_files)

import oracle

TEXTS = ["a pump that leaks water", "brass valve", "how do I get to the harbour at dawn"]
MODELS = ["decoder", "encoder", "reranker"]
OPTIONS = [(), ("--dtype", "f32"), ("--dtype", "f16"), ("--dtype", "bf16"), ("--shard-size", "500KB"),
           ("--compat", "lm-cocktail")]


def two_of(kind):
    """The base and the last specialist of a kind; of encoders that is the one with a folder."""
    models = family(kind)
    return models[0], models[-1]


def auto_class(kind):
    import transformers

    return {"decoder": transformers.AutoModelForCausalLM, "encoder": transformers.AutoModel,
            "reranker": transformers.AutoModelForSequenceClassification}[kind]


def load(kind, path):
    """Loads a model and asserts that every tensor found its place."""
    model, info = auto_class(kind).from_pretrained(path, output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        assert not info.get(key), f"{key}: {info[key]}"
    return model.eval()


def expect_values(model, tensors):
    """The model's parameters are the tensors of the files, bit for bit."""
    state = model.state_dict()
    expect_same_tensors({name: state[name] for name in tensors}, tensors)


@case_for([(kind, " ".join(options)) for kind in MODELS for options in OPTIONS])
def transformers_loads(kind, options):
    base, other = two_of(kind)
    output = mix([base, other], [0.6, 0.4], *options.split())
    model, original = load(kind, output), load(kind, base)
    dtype = json.loads((output / "config.json").read_text())["dtype"]
    stored = {str(t.dtype).removeprefix("torch.") for t in tensors_of(output).values()}
    assert {dtype} == stored == {str(model.dtype).removeprefix("torch.")}, (dtype, stored, model.dtype)
    if "--dtype" in options:
        assert dtype == TORCH_NAMES[options.split()[-1]]
    assert model.num_parameters() == original.num_parameters()
    assert cocktail_json("inspect", output)["parameters"] == cocktail_json("inspect", base)["parameters"]
    expect_values(model, tensors_of(output))
    if "shard" in options:
        assert len(weights_files(output)) > 1
    return f"{model.num_parameters()} parameters, {dtype}"


@case_for(["decoder-base", "decoder-sharded"])
def a_tied_head_stays_tied(base):
    base = fixture(base)
    output = mix([base, family("decoder")[-1]], [0.5, 0.5])
    model = load("decoder", output)
    assert model.config.tie_word_embeddings
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert "lm_head.weight" not in tensors_of(output)
    assert model.num_parameters() == load("decoder", base).num_parameters()


@case_for(MODELS)
def the_tokenizer_is_the_bases(kind):
    from transformers import AutoTokenizer

    base, other = two_of(kind)
    output = mix([base, other], [0.5, 0.5])
    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (output, base))
    assert ours.get_vocab() == theirs.get_vocab()
    assert [ours(text).input_ids for text in TEXTS] == [theirs(text).input_ids for text in TEXTS]
    for path in base.glob("*token*"):
        assert (output / path.name).read_bytes() == path.read_bytes(), path.name


@case_for(MODELS)
def the_loaded_model_computes_what_the_mix_should(kind):
    """A model whose parameters are set to the exact mix gives the same output, bit for bit."""
    from transformers import AutoTokenizer

    base, other = two_of(kind)
    weights = [0.6, 0.4]
    mixed, expected = load(kind, mix([base, other], weights)), load(kind, base)
    a, b = tensors_of(base), tensors_of(other)
    state = {name: oracle.linear([a[name], b[name]], weights) for name in a}
    expected.load_state_dict(state, strict=False)
    if kind == "decoder":
        expected.tie_weights()
    tokenizer = AutoTokenizer.from_pretrained(base)
    with torch.no_grad():
        for text in TEXTS:
            inputs = tokenizer(text, return_tensors="pt")
            inputs.pop("token_type_ids", None) if kind == "decoder" else None
            assert torch.equal(mixed(**inputs)[0], expected(**inputs)[0]), text


# ---- sentence-transformers


def encode_by_hand(path, texts, pooling, prefix=""):
    """The vectors, computed with transformers alone."""
    from transformers import AutoTokenizer

    model, tokenizer = load("encoder", path), AutoTokenizer.from_pretrained(path)
    vectors = []
    with torch.no_grad():
        for text in texts:
            hidden = model(**tokenizer(prefix + text, return_tensors="pt")).last_hidden_state[0]
            vectors.append(hidden[0] if pooling == "cls" else hidden.mean(0))
    return torch.nn.functional.normalize(torch.stack(vectors), dim=-1)


def load_sentence_transformer(path):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(path), device="cpu")


def expect_vectors(path, pooling):
    """encode() equals pooling by hand, to float32 rounding: batches are summed in another order
    (padded), which moves the last bits through the layers."""
    got = load_sentence_transformer(path).encode(TEXTS, convert_to_tensor=True)
    wanted = encode_by_hand(path, TEXTS, pooling)
    other = encode_by_hand(path, TEXTS, "mean" if pooling == "cls" else "cls")
    assert torch.allclose(got.float(), wanted.float(), atol=2e-6), (got - wanted).abs().max()
    assert not torch.allclose(got.float(), other.float(), atol=1e-3), "both poolings give the same"


@case
def the_mean_pooling_of_the_base_is_kept():
    output = mix([fixture("encoder-repairs"), fixture("encoder-base")], [0.5, 0.5])
    expect_vectors(output, "mean")
    assert cocktail_json("inspect", output)["pooling"] == "mean"
    ours, theirs = map(load_sentence_transformer, (output, fixture("encoder-repairs")))
    assert ours.prompts == theirs.prompts


@case
def all_minilm_keeps_its_mean_pooling():
    output = mix(minilm(), [0.6, 0.4])
    expect_vectors(output, "mean")
    assert load("encoder", output).num_parameters() == load("encoder", scratch() / "minilm").num_parameters()


@case_for([("cls", ()), ("cls", ("--pooling", "cls")), ("mean", ("--pooling", "mean"))])
def an_encoder_without_folder_gets_one(pooling, options):
    output = mix([fixture("encoder-base"), fixture("encoder-parts")], [0.5, 0.5], *options)
    expect_vectors(output, pooling)
    assert cocktail_json("inspect", output)["pooling"] == pooling
    model = load_sentence_transformer(output)
    assert model.max_seq_length == 128
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Normalize"]


@case_for([("f16", 5e-3), ("bf16", 3e-2)])
def encoders_in_half_precision_load(dtype, tolerance):
    """The tolerance is a few units in the last place of vectors near 1."""
    models = [fixture("encoder-repairs"), fixture("encoder-base")]
    output = mix(models, [0.5, 0.5], "--dtype", dtype)
    model = load_sentence_transformer(output)
    assert next(model.parameters()).dtype == DTYPES[dtype]
    full = load_sentence_transformer(mix(models, [0.5, 0.5], output=scratch() / "full"))
    got, wanted = (m.encode(TEXTS, convert_to_tensor=True).float() for m in (model, full))
    assert torch.allclose(got, wanted, atol=tolerance), (got - wanted).abs().max()


@case
def a_reranker_loads_as_cross_encoder():
    from sentence_transformers import CrossEncoder

    output = mix([fixture("reranker-base"), fixture("reranker-routes")], [0.4, 0.6])
    pairs = [(TEXTS[0], TEXTS[1]), (TEXTS[2], TEXTS[0])]
    scores = CrossEncoder(str(output), device="cpu").predict(pairs, activation_fn=torch.nn.Identity(), batch_size=1)
    from transformers import AutoTokenizer

    model, tokenizer = load("reranker", output), AutoTokenizer.from_pretrained(output)
    with torch.no_grad():
        for pair, score in zip(pairs, scores):
            wanted = model(**tokenizer(*pair, return_tensors="pt")).logits[0, 0].item()
            assert abs(wanted - float(score)) < 1e-5, (pair, wanted, score)


def make_sentence_transformer(name, seed, old_layout=False):
    """encoder-repairs with seeded noise and a seeded Dense module, in a folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(seed)
    source = copy_model(fixture("encoder-repairs"), f"source-{name}",
                        change=lambda _, t: t + 0.01 * torch.randn(t.shape))
    transformer = load_sentence_transformer(source)[0]
    dense = modules.Dense(96, 24, activation_function=torch.nn.Tanh())
    pooling = modules.Pooling(96, pooling_mode="mean")
    model = SentenceTransformer(modules=[transformer, pooling, dense], device="cpu")
    target = scratch() / name
    model.save(str(target))
    if old_layout:
        move_to_old_layout(target)
    return target


def move_to_old_layout(path):
    """Transformer files in 0_Transformer/, as sentence-transformers before 2021 wrote them."""
    keep = {"modules.json", "config_sentence_transformers.json", "README.md"}
    inner = path / "0_Transformer"
    inner.mkdir()
    for file in list(path.iterdir()):
        if file.is_file() and file.name not in keep:
            shutil.move(file, inner / file.name)
    entries = json.loads((path / "modules.json").read_text())
    entries[0]["path"] = "0_Transformer"
    (path / "modules.json").write_text(json.dumps(entries))


@case_for([("new layout", False), ("old layout", True)])
def dense_modules_are_mixed(_, old_layout):
    models = [make_sentence_transformer(f"dense-{seed}", seed, old_layout) for seed in (1, 2)]
    weights = [0.7, 0.3]
    output = mix(models, weights)
    inner = "0_Transformer" if old_layout else "."
    for part in (inner, "2_Dense"):
        a, b = (tensors_of(model / part) for model in models)
        expected = {name: oracle.linear([a[name], b[name]], weights) for name in a}
        expect_same_tensors(tensors_of(output / part), expected)
    mixed, wanted = load_sentence_transformer(output), load_sentence_transformer(models[0])
    state = {}
    other = load_sentence_transformer(models[1]).state_dict()
    for name, tensor in wanted.state_dict().items():
        state[name] = oracle.linear([tensor, other[name]], weights) if tensor.is_floating_point() else tensor
    wanted.load_state_dict(state)
    got, expected = (m.encode(TEXTS, convert_to_tensor=True) for m in (mixed, wanted))
    assert got.shape == (3, 24)
    assert torch.equal(got, expected)


@case
def dense_modules_are_sharded_and_converted():
    models = [make_sentence_transformer(f"dense-{seed}", seed) for seed in (1, 2)]
    output = mix(models, [0.5, 0.5], "--dtype", "bf16", "--shard-size", "300KB")
    assert all(t.dtype == torch.bfloat16 for part in (".", "2_Dense") for t in tensors_of(output / part).values())
    assert len(weights_files(output)) > 1
    vectors = load_sentence_transformer(output).encode(TEXTS, convert_to_tensor=True)
    assert vectors.shape == (3, 24) and vectors.isfinite().all()


@case
def the_old_layout_loads_as_an_encoder():
    """0_Transformer without a Dense module; and the result mixes with a new one."""
    old = copy_model(fixture("encoder-repairs"), "old")
    move_to_old_layout(old)
    output = mix([old, fixture("encoder-base")], [0.5, 0.5])
    plain = mix([fixture("encoder-repairs"), fixture("encoder-base")], [0.5, 0.5], output=scratch() / "plain")
    expect_same_tensors(tensors_of(output / "0_Transformer"), tensors_of(plain))
    models = map(load_sentence_transformer, (output, plain))
    got, wanted = (model.encode(TEXTS, convert_to_tensor=True) for model in models)
    assert torch.equal(got, wanted)


# ---- other layouts of the inputs


def as_layout(model, layout):
    """The model with its weights in another kind of file."""
    target = copy_model(model, f"{model.name}-{layout}")
    tensors = tensors_of(target)
    (target / "model.safetensors").unlink()
    if layout == "zip":
        torch.save(tensors, target / "pytorch_model.bin")
    elif layout == "legacy":
        torch.save(tensors, target / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    else:
        split_into_shards(target, tensors, layout)
    return target


def split_into_shards(target, tensors, layout):
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file

    kind = "safetensors" if layout == "sharded" else "bin"
    stem = "model" if kind == "safetensors" else "pytorch_model"
    split = split_torch_state_dict_into_shards(tensors, max_shard_size="400KB",
                                               filename_pattern=f"{stem}{{suffix}}.{kind}")
    assert split.is_sharded
    for file, names in split.filename_to_tensors.items():
        part = {name: tensors[name] for name in names}
        if kind == "safetensors":
            save_file(part, target / file, metadata={"format": "pt"})
        else:
            torch.save(part, target / file)
    index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
    (target / f"{stem}.{kind}.index.json").write_text(json.dumps(index))


@case_for([(kind, layout) for kind in MODELS for layout in ("zip", "legacy", "sharded", "sharded-bin")])
def other_layouts_give_the_same_bytes(kind, layout):
    models = two_of(kind)
    plain = mix(models, [0.3, 0.7], output=scratch() / "plain")
    output = mix([as_layout(model, layout) for model in models], [0.3, 0.7])
    assert (output / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    assert not list(output.glob("*.bin")) and not list(output.glob("*index.json"))
    load(kind, output)


@case_for([("decoder-sharded", "decoder-base"), ("encoder-bin", "encoder-base"),
           ("reranker-legacy", "reranker-base")])
def the_fixtures_of_other_layouts_mix(name, partner):
    model, partner = fixture(name), fixture(partner)
    kind = name.split("-")[0]
    output = mix([model, partner], [0.5, 0.5])
    load(kind, output)
    reordered = mix([partner, model], [0.5, 0.5], output=scratch() / "reordered")
    expect_same_tensors(tensors_of(output), tensors_of(reordered))  # halves are exact in any order


@case
def mixing_the_result_again_works():
    base, other = two_of("decoder")
    first = mix([base, other], [0.5, 0.5], "--shard-size", "500KB", output=scratch() / "first")
    load("decoder", mix([first, base], [0.5, 0.5]))


run()
