"""check_names.py - tensors that are named, stored or tied differently in models of one kind.

Tiny random models of several families are saved by transformers in the ways that are met on the
Hub, mixed, and the result compared with the exact mix and loaded.
"""

import torch
import transformers
from harness import (case, case_for, cocktail, edit_json, expect_same_tensors, mix, refused, run, scratch,
                     tensors_of, write_tensors)

import oracle

WEIGHTS = [0.75, 0.25]


def tiny(family, seed, **settings):
    """A tiny random model of a class of transformers."""
    import transformers as hf

    torch.manual_seed(seed)
    bert = dict(vocab_size=70, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                max_position_embeddings=40)
    llama = dict(vocab_size=70, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    gpt2 = dict(vocab_size=70, n_embd=16, n_layer=2, n_head=2, n_positions=32)
    t5 = dict(vocab_size=70, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    model_class, config = {
        "BertModel": (hf.BertModel, hf.BertConfig(**{**bert, **settings})),
        "BertForMaskedLM": (hf.BertForMaskedLM, hf.BertConfig(**{**bert, **settings})),
        "RobertaModel": (hf.RobertaModel, hf.RobertaConfig(**{**bert, **settings})),
        "RobertaForMaskedLM": (hf.RobertaForMaskedLM, hf.RobertaConfig(**{**bert, **settings})),
        "LlamaModel": (hf.LlamaModel, hf.LlamaConfig(**{**llama, **settings})),
        "LlamaForCausalLM": (hf.LlamaForCausalLM, hf.LlamaConfig(**{**llama, **settings})),
        "GPT2LMHeadModel": (hf.GPT2LMHeadModel, hf.GPT2Config(**{**gpt2, **settings})),
        "T5ForConditionalGeneration": (hf.T5ForConditionalGeneration, hf.T5Config(**{**t5, **settings})),
    }[family]
    model = model_class(config)
    with torch.no_grad():  # so that biases and norms differ, too
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model.eval()


def saved(model, name, change=None):
    """The model's folder; change(tensors) gives other tensors to store."""
    path = scratch() / name
    model.save_pretrained(path)
    if change:
        write_tensors(path, change(tensors_of(path)))
    return path


def expected_mix(a, b, weights=WEIGHTS):
    return {name: oracle.linear([a[name], b[name]], weights) for name in a}


def load(model_class, path):
    model, info = model_class.from_pretrained(path, output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info.get(key), f"{key}: {info[key]}"
    return model


def said_of_mix(models):
    """Mixes into "mixed" and returns what was said on stderr."""
    text = ",".join(map(repr, WEIGHTS))
    return cocktail("mix", f"--weights={text}", *models, "-o", scratch() / "mixed")[1]


def stripped(tensors, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def prefixed(tensors, prefix):
    return {prefix + name: tensor for name, tensor in tensors.items()}


# ---- prefixes


@case
def bert_model_takes_a_masked_lm_and_leaves_its_head_out():
    import transformers as hf

    a, b = saved(tiny("BertModel", 1), "a"), saved(tiny("BertForMaskedLM", 2), "b")
    ta = {n: t for n, t in tensors_of(a).items() if not n.startswith("pooler.")}  # BertForMaskedLM has no pooler
    write_tensors(a, ta)
    said = said_of_mix([a, b])
    assert "head is left out" in said and "cls.predictions" in said, said
    mixed = tensors_of(scratch() / "mixed")
    expect_same_tensors(mixed, expected_mix(ta, stripped(tensors_of(b), "bert.")))
    model, info = hf.AutoModel.from_pretrained(scratch() / "mixed", output_loading_info=True)
    assert all(name.startswith("pooler.") for name in info["missing_keys"]), info


@case
def a_pooler_that_only_the_base_has_is_left_out():
    a, b = saved(tiny("BertModel", 1), "a"), saved(tiny("BertForMaskedLM", 2), "b")
    said = said_of_mix([a, b])
    assert "pooler.dense" in said, said
    assert not any("pooler" in name for name in tensors_of(scratch() / "mixed"))


@case
def a_masked_lm_as_base_takes_a_bare_model_without_its_head():
    import transformers as hf

    b = saved(tiny("BertModel", 1), "b")
    tb = {n: t for n, t in tensors_of(b).items() if not n.startswith("pooler.")}
    write_tensors(b, tb)
    a = saved(tiny("BertForMaskedLM", 2), "a")
    said = said_of_mix([a, b])
    assert "head is left out" in said, said
    ta = {n: t for n, t in tensors_of(a).items() if n.startswith("bert.")}
    expect_same_tensors(tensors_of(scratch() / "mixed"), expected_mix(ta, prefixed(tb, "bert.")))
    _, info = hf.BertModel.from_pretrained(scratch() / "mixed", output_loading_info=True)
    assert all(name.startswith("pooler.") for name in info["missing_keys"]), info


@case
def two_masked_lms_keep_their_head():
    import transformers as hf

    a, b = (saved(tiny("BertForMaskedLM", seed), f"m{seed}") for seed in (1, 2))
    said = said_of_mix([a, b])
    assert "left out" not in said, said
    expect_same_tensors(tensors_of(scratch() / "mixed"), expected_mix(tensors_of(a), tensors_of(b)))
    model = load(hf.BertForMaskedLM, scratch() / "mixed")
    assert model.num_parameters() == load(hf.BertForMaskedLM, a).num_parameters()


@case_for(["model.", "transformer.", "bert.", "0.auto_model.", "auto_model.", "module.", "_orig_mod.",
           "base_model.model.", "module._orig_mod."])
def known_prefixes_are_stripped(prefix):
    a = saved(tiny("BertModel", 1), "a")
    b = saved(tiny("BertModel", 2), "b", change=lambda t: prefixed(t, prefix))
    output = mix([a, b], WEIGHTS)
    expect_same_tensors(tensors_of(output), expected_mix(tensors_of(a), stripped(tensors_of(b), prefix)))
    backwards = mix([b, a], WEIGHTS, output=scratch() / "backwards")  # with the names that transformers looks for
    wanted = b if prefix == "bert." else a
    assert tensors_of(backwards).keys() == tensors_of(wanted).keys()
    load(transformers.BertModel, backwards)


@case
def unknown_prefixes_are_refused():
    a = saved(tiny("BertModel", 1), "a")
    b = saved(tiny("BertModel", 2), "b", change=lambda t: prefixed(t, "something."))
    said = refused([a, b], WEIGHTS, status=3)
    assert "something." in said, said


@case
def old_layer_norm_names_are_known():
    def old(tensors):
        return {n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
                for n, t in tensors.items()}

    a, b = saved(tiny("BertModel", 1), "a"), saved(tiny("BertModel", 2), "b")
    expected = expected_mix(tensors_of(a), tensors_of(b))
    write_tensors(b, old(tensors_of(b)))
    expect_same_tensors(tensors_of(mix([a, b], WEIGHTS)), expected)


@case_for(["zip", "legacy"])
def a_bin_saved_from_data_parallel_training(form):
    a, b = saved(tiny("LlamaForCausalLM", 1), "a"), saved(tiny("LlamaForCausalLM", 2), "b")
    expected = expected_mix(tensors_of(a), tensors_of(b))
    torch.save(prefixed(tensors_of(b), "module."), b / "pytorch_model.bin",
               _use_new_zipfile_serialization=form == "zip")
    (b / "model.safetensors").unlink()
    expect_same_tensors(tensors_of(mix([a, b], WEIGHTS)), expected)


# ---- tied heads of decoders


def llama_parts():
    """The folders of a tied and an untied Llama, the tensors of both."""
    tied = saved(tiny("LlamaForCausalLM", 1, tie_word_embeddings=True), "tied")
    untied = saved(tiny("LlamaForCausalLM", 2, tie_word_embeddings=False), "untied")
    assert "lm_head.weight" not in tensors_of(tied) and "lm_head.weight" in tensors_of(untied)
    return tied, untied


def with_head(tensors, head=None):
    tensors = dict(tensors)
    tensors["lm_head.weight"] = (tensors["model.embed_tokens.weight"] if head is None else head).clone()
    return tensors


@case
def an_untied_base_takes_a_tied_models_embedding_as_head():
    import transformers as hf

    tied, untied = llama_parts()
    output = mix([untied, tied], WEIGHTS)
    expect_same_tensors(tensors_of(output), expected_mix(tensors_of(untied), with_head(tensors_of(tied))))
    model = load(hf.LlamaForCausalLM, output)
    assert not model.config.tie_word_embeddings
    assert model.num_parameters() == load(hf.LlamaForCausalLM, untied).num_parameters()


@case
def a_tied_base_refuses_a_model_with_a_head_of_its_own():
    tied, untied = llama_parts()
    said = refused([tied, untied], WEIGHTS)
    assert "lm_head.weight" in said and "tied" in said, said


@case_for([True, False])
def a_tied_base_accepts_a_stored_head_that_equals_the_embedding(says_tied):
    import transformers as hf

    tied, other = (saved(tiny("LlamaForCausalLM", seed, tie_word_embeddings=True), f"m{seed}") for seed in (1, 3))
    expected = expected_mix(tensors_of(tied), tensors_of(other))
    write_tensors(other, with_head(tensors_of(other)))
    edit_json(other / "config.json", tie_word_embeddings=says_tied)
    output = mix([tied, other], WEIGHTS)
    expect_same_tensors(tensors_of(output), expected)
    model = load(hf.LlamaForCausalLM, output)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


@case
def a_tied_base_that_stores_its_head_all_the_same_stays_tied():
    import transformers as hf

    base, other = (saved(tiny("LlamaForCausalLM", seed, tie_word_embeddings=True), f"m{seed}") for seed in (1, 3))
    n_parameters = load(hf.LlamaForCausalLM, base).num_parameters()
    expected = expected_mix(tensors_of(base), tensors_of(other))
    write_tensors(base, with_head(tensors_of(base)))
    output = mix([base, other], WEIGHTS)
    expect_same_tensors(tensors_of(output), expected)
    assert load(hf.LlamaForCausalLM, output).num_parameters() == n_parameters


@case
def a_base_that_says_tied_but_stores_another_head_becomes_untied():
    """What transformers 5 does when it loads such a file: it keeps both."""
    import transformers as hf

    tied, untied = llama_parts()
    other = saved(tiny("LlamaForCausalLM", 5, tie_word_embeddings=False), "other")
    edit_json(untied / "config.json", tie_word_embeddings=True)
    said = said_of_mix([untied, other])
    assert "tie_word_embeddings" in said, said
    output = scratch() / "mixed"
    expect_same_tensors(tensors_of(output), expected_mix(tensors_of(untied), tensors_of(other)))
    model = load(hf.LlamaForCausalLM, output)
    assert not model.config.tie_word_embeddings
    assert torch.equal(model.lm_head.weight, tensors_of(output)["lm_head.weight"])


@case
def an_untied_base_whose_head_happens_to_equal_keeps_two_tensors():
    import transformers as hf

    _, untied = llama_parts()
    write_tensors(untied, with_head(tensors_of(untied)))
    other = saved(tiny("LlamaForCausalLM", 6, tie_word_embeddings=False), "other")
    output = mix([untied, other], WEIGHTS)
    assert "lm_head.weight" in tensors_of(output)
    assert load(hf.LlamaForCausalLM, output).num_parameters() == load(hf.LlamaForCausalLM, untied).num_parameters()


@case
def untied_models_mix_head_and_embedding_apart():
    import transformers as hf

    models = [saved(tiny("LlamaForCausalLM", seed, tie_word_embeddings=False), f"m{seed}") for seed in (1, 2)]
    output = mix(models, WEIGHTS)
    expect_same_tensors(tensors_of(output), expected_mix(*map(tensors_of, models)))
    load(hf.LlamaForCausalLM, output)


# ---- GPT-2: prefix and masks


def gpt2_masks(prefix):
    masks = {}
    for layer in range(2):
        masks[f"{prefix}h.{layer}.attn.bias"] = torch.ones(32, 32, dtype=torch.bool).tril().view(1, 1, 32, 32)
        masks[f"{prefix}h.{layer}.attn.masked_bias"] = torch.tensor(-10000.0)
    return masks


@case_for([(base_prefix, other_prefix, base_masks, other_masks)
           for base_prefix in ("transformer.", "") for other_prefix in ("transformer.", "")
           for base_masks in (False, True) for other_masks in (False, True)])
def gpt2_with_and_without_prefix_and_masks(base_prefix, other_prefix, base_masks, other_masks):
    import transformers as hf

    def stored(tensors, prefix, masks):
        tensors = prefixed(stripped(tensors, "transformer."), prefix)
        return {**tensors, **(gpt2_masks(prefix) if masks else {})}

    models = [saved(tiny("GPT2LMHeadModel", seed), f"m{seed}") for seed in (1, 2)]
    a, b = (stripped(tensors_of(model), "transformer.") for model in models)
    write_tensors(models[0], stored(a, base_prefix, base_masks))
    write_tensors(models[1], stored(b, other_prefix, other_masks))
    output = mix(models, WEIGHTS)
    expected = prefixed(expected_mix(a, b), base_prefix)
    if base_masks:
        expected.update(gpt2_masks(base_prefix))
    expect_same_tensors(tensors_of(output), expected)
    model, info = hf.GPT2LMHeadModel.from_pretrained(output, output_loading_info=True)
    assert not info["missing_keys"], info
    assert torch.equal(model.transformer.h[1].attn.c_attn.bias, expected[f"{base_prefix}h.1.attn.c_attn.bias"])


# ---- RoBERTa: position_ids


@case_for([(True, False), (False, True), (True, True)])
def roberta_position_ids_are_the_bases(base_has, other_has):
    import transformers as hf

    ids = torch.arange(40).view(1, 40)
    models = [saved(tiny("RobertaModel", seed), f"m{seed}") for seed in (1, 2)]
    a, b = map(tensors_of, models)
    if base_has:
        write_tensors(models[0], {**a, "embeddings.position_ids": ids})
    if other_has:
        write_tensors(models[1], {**b, "embeddings.position_ids": ids + 1})
    output = mix(models, WEIGHTS)
    expected = expected_mix(a, b)
    if base_has:
        expected["embeddings.position_ids"] = ids
    expect_same_tensors(tensors_of(output), expected)
    _, info = hf.RobertaModel.from_pretrained(output, output_loading_info=True)
    assert not info["missing_keys"], info


@case
def roberta_masked_lms_keep_the_biases_that_are_one():
    """lm_head.bias and lm_head.decoder.bias are one parameter under two names."""
    import transformers as hf

    models = [saved(tiny("RobertaForMaskedLM", seed), f"m{seed}") for seed in (1, 2)]
    expected = expected_mix(*map(tensors_of, models))
    b = tensors_of(models[1])
    b["lm_head.decoder.bias"] = b["lm_head.bias"].clone()
    b["lm_head.decoder.weight"] = b["roberta.embeddings.word_embeddings.weight"].clone()
    write_tensors(models[1], b)
    output = mix(models, WEIGHTS)
    expect_same_tensors(tensors_of(output), expected)
    load(hf.RobertaForMaskedLM, output)


# ---- T5


def saved_t5(name, seed, tied):
    """transformers 5 makes tied ones only; it loads untied ones (T5 1.1) by what the files say."""
    path = saved(tiny("T5ForConditionalGeneration", seed), name)
    if not tied:
        write_tensors(path, {**tensors_of(path), "lm_head.weight": torch.randn(70, 16)})
        edit_json(path / "config.json", tie_word_embeddings=False, scale_decoder_outputs=None)
    return path


def t5_aliases(tensors):
    aliases = [f"{side}.embed_tokens.weight" for side in ("encoder", "decoder")]
    return {**tensors, **{name: tensors["shared.weight"].clone() for name in aliases}}


@case_for([(tied, base_aliases, other_aliases) for tied in (True, False) for base_aliases in (False, True)
           for other_aliases in (False, True)])
def t5_with_and_without_aliases(tied, base_aliases, other_aliases):
    import transformers as hf

    models = [saved_t5(f"m{seed}", seed, tied) for seed in (1, 2)]
    a, b = map(tensors_of, models)
    expected = expected_mix(a, b)
    assert not [name for name in expected if "embed_tokens" in name]
    n_parameters = load(hf.T5ForConditionalGeneration, models[0]).num_parameters()
    if base_aliases:
        write_tensors(models[0], t5_aliases(a))
    if other_aliases:
        write_tensors(models[1], t5_aliases(b))
    output = mix(models, WEIGHTS)
    expect_same_tensors(tensors_of(output), expected)
    model = load(hf.T5ForConditionalGeneration, output)
    assert model.num_parameters() == n_parameters
    assert torch.equal(model.lm_head.weight, expected["shared.weight" if tied else "lm_head.weight"])
    assert model.config.scale_decoder_outputs == tied


@case
def t5_with_an_untied_base_and_a_tied_model():
    import transformers as hf

    tied, untied = saved_t5("tied", 1, True), saved_t5("untied", 2, False)
    a, b = tensors_of(untied), tensors_of(tied)
    b["lm_head.weight"] = b["shared.weight"].clone()
    output = mix([untied, tied], WEIGHTS)
    expect_same_tensors(tensors_of(output), expected_mix(a, b))
    load(hf.T5ForConditionalGeneration, output)
    said = refused([tied, untied], WEIGHTS)
    assert "lm_head.weight" in said, said


# ---- what does not fit


@case_for([("hidden_size", dict(hidden_size=32)), ("vocab_size", dict(vocab_size=71)),
           ("layers", dict(num_hidden_layers=3)), ("positions", dict(max_position_embeddings=41))])
def other_sizes_are_refused(_, settings):
    a, b = saved(tiny("BertModel", 1), "a"), saved(tiny("BertModel", 2, **settings), "b")
    refused([a, b], WEIGHTS)
    refused([b, a], WEIGHTS)


@case
def a_float_and_an_integer_tensor_are_refused():
    a = saved(tiny("BertModel", 1), "a")
    b = saved(tiny("BertModel", 2), "b", change=lambda t: {**t, "pooler.dense.bias": t["pooler.dense.bias"].long()})
    assert "pooler.dense.bias" in refused([a, b], WEIGHTS)


@case
def integers_are_copied_from_the_base():
    extra = {"steps": torch.arange(5), "flags": torch.tensor([True, False])}
    other = {"steps": torch.arange(5) * 7, "flags": torch.tensor([False, False])}
    models = [saved(tiny("BertModel", seed), f"m{seed}") for seed in (1, 2)]
    a, b = map(tensors_of, models)
    write_tensors(models[0], {**a, **extra})
    write_tensors(models[1], {**b, **other})
    expect_same_tensors(tensors_of(mix(models, WEIGHTS, "--dtype", "f32")), {**expected_mix(a, b), **extra})


run()
