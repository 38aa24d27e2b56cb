"""check_spellings.py - one model under all the names that transformers reads, and under those of wrappers.

The models of fixtures/models, each mixed with itself, the first of the two in another spelling: what comes out
loads with nothing missing and nothing unexpected but what is so of the model itself, and has its parameters.
"""

import json
import re

import torch
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
    return model, {key: set(map(str, info[key])) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}


def respelled(source, name, change):
    """The model with change(tensors) in its file."""
    import shutil

    target = scratch() / name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("golden*"))
    write_tensors(target, change(tensors_of(source)))
    return target


def saved_again(source, spelling):
    model, _ = load(source)
    target = scratch() / "again"
    model.save_pretrained(target, save_original_format=spelling == ONCE_MORE[0])
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config))  # transformers 5 spells it anew: that is not asked here
    return target


def without_prefix(name):
    """Of the model below a head: what AutoModel saves."""
    return re.sub(r"^(model|transformer|bert|roberta|distilbert|gpt_neox)\.(?!language_model)", "", name)


def spell(source, spelling):
    if spelling in ONCE_MORE:
        return saved_again(source, spelling)
    if spelling == "without prefix":
        changed = {without_prefix(name) for name in tensors_of(source)}
        if changed == set(tensors_of(source)):
            raise Skip("has no prefix")
        return respelled(source, "bare", lambda t: {without_prefix(name): x for name, x in t.items()})
    return respelled(source, "wrapped", lambda t: {spelling + name: x for name, x in t.items()})


def expect_loads(output, source):
    model, info = load(output)
    original, expected = load(source)
    assert info == expected, (info, expected)
    wanted = original.state_dict()
    for name, tensor in model.state_dict().items():
        assert same_bits(tensor, wanted[name]), name
    return len(wanted)


@case_for([(name, spelling) for name in models() for spelling in [*ONCE_MORE, "without prefix", *WRAPPERS]])
def loads_with_nothing_missing_and_nothing_unexpected(name, spelling):
    source = FIXTURES / "models" / name
    other = spell(source, spelling)
    n = expect_loads(mix([other, source], [0.5, 0.5]), source)
    expect_loads(mix([source, other], [0.5, 0.5], output=scratch() / "second"), source)
    with torch.no_grad():
        return f"{n} tensors"


run()
