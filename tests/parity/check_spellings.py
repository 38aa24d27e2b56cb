"""check_spellings.py - one model under all the names that transformers reads, and under those of wrappers.

The models of fixtures/models, each mixed with itself, the first of the two in another spelling: what comes out
loads with nothing missing and nothing unexpected but what is so of the model itself, and has its parameters.
"""

import json
import re

from harness import FIXTURES, Skip, case_for, mix, run, scratch, same_bits, tensors_of, write_tensors

WRAPPERS = ["_orig_mod.", "module.", "base_model.model.", "module._orig_mod.", "_fsdp_wrapped_module.",
            "0.auto_model.", "auto_model."]
ONCE_MORE = ["saved by transformers", "saved with the layout in memory"]
# Not classes of transformers, or not loadable from there.
FOREIGN = {"openmoe", "molm", "consolidated", "sentence"}


def architecture(path):
    return json.loads((path / "config.json").read_text())["architectures"][0]


def models():
    return sorted(path.name for path in (FIXTURES / "models").iterdir()
                  if (path / "config.json").exists() and not any(word in path.name for word in FOREIGN))


def load(path):
    import transformers

    model, info = getattr(transformers, architecture(path)).from_pretrained(path, output_loading_info=True)
    return model, {key: {bare(str(name)) for name in info[key]}
                   for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}


def load_original(path):
    try:
        return load(path)
    except Exception as error:  # of a layout or a config that transformers 5 reads no more
        raise Skip(f"transformers cannot load the model itself: {type(error).__name__}")


def respelled(source, name, change):
    """The model with change(tensors) in its file."""
    import shutil

    target = scratch() / name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("golden*"))
    write_tensors(target, change(tensors_of(source)))
    return target


def saved_again(source, spelling):
    model, _ = load_original(source)
    target = scratch() / "again"
    model.save_pretrained(target, save_original_format=spelling == ONCE_MORE[0])
    write_tensors(target, {name: x for name, x in tensors_of(target).items()  # which the fixture has not
                           if "vision_tower" not in name and "multi_modal_projector" not in name})
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config))  # transformers 5 spells it anew: that is not asked here
    return target


def bare(name):
    """Without the prefix of a model below a head, as AutoModel saves it."""
    return re.sub(r"^(model|transformer|bert|roberta|distilbert|gpt_neox)\.(?!language_model)", "", name)


def spell(source, spelling):
    if spelling in ONCE_MORE:
        return saved_again(source, spelling)
    if spelling == "without prefix":
        changed = {bare(name) for name in tensors_of(source)}
        if changed == set(tensors_of(source)):
            raise Skip("has no prefix")
        return respelled(source, "bare", lambda t: {bare(name): x for name, x in t.items()})
    return respelled(source, "wrapped", lambda t: {spelling + name: x for name, x in t.items()})


def expect_loads(output, source):
    original, expected = load_original(source)
    model, info = load(output)
    # Layers that predict further tokens may have been left out.
    assert info["missing_keys"] == expected["missing_keys"], (info, expected)
    assert info["unexpected_keys"] <= expected["unexpected_keys"], (info, expected)
    assert info["mismatched_keys"] == expected["mismatched_keys"], (info, expected)
    wanted = original.state_dict()
    for name, tensor in model.state_dict().items():
        assert bare(name) in info["missing_keys"] or same_bits(tensor, wanted[name]), name
    return len(wanted)


@case_for([(name, spelling) for name in models() for spelling in [*ONCE_MORE, "without prefix", *WRAPPERS]])
def loads_with_nothing_missing_and_nothing_unexpected(name, spelling):
    source = FIXTURES / "models" / name
    other = spell(source, spelling)
    n = expect_loads(mix([other, source], [0.5, 0.5]), source)
    expect_loads(mix([source, other], [0.5, 0.5], output=scratch() / "second"), source)
    return f"{n} tensors"


run()
