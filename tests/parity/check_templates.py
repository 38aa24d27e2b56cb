"""check_templates.py - the chat templates that recipes name, as `cocktail merge` writes them, rendered by
jinja as transformers does, against mergekit's.

The golden texts of COCKTAIL_TEST_DATA are compared with as well, where it is set.
"""

import importlib.resources
import json
import os
import random
from pathlib import Path

from harness import Skip, case, case_for, cocktail, fixture, need, run, scratch

NAMES = ["alpaca", "chatml", "exaone", "llama3", "mistral"]


def environment():
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message):
        raise TemplateError(message)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    made.globals["raise_exception"] = raise_exception
    return made


def render(template, messages, adds):
    """The text; None where the template refuses."""
    from jinja2 import TemplateError

    try:
        return environment().from_string(template).render(
            messages=messages, add_generation_prompt=adds, bos_token="<s>", eos_token="</s>")
    except TemplateError:
        return None


def ours(name):
    path = scratch() / "recipe.yml"
    path.write_text(f"merge_method: passthrough\nmodels: [{{model: {fixture('decoder-base')}}}]\n"
                    f"chat_template: {name}\n")
    cocktail("merge", path, "-q", "-o", scratch() / "out")
    return (scratch() / "out/chat_template.jinja").read_text()


def conversations(rng):
    """Any roles in any order, now and then the alternating ones that templates want."""
    for i in range(400):
        n = rng.randint(1, 6)
        roles = [rng.choice(["system", "user", "assistant", "tool"]) for _ in range(n)] if i % 2 else \
            ["system"] * rng.randint(0, 1) + [("user", "assistant")[k % 2] for k in range(n)]
        texts = ["Hello", "", " spaces \n", "a\n\nb", "\u00e9\u4e2d", "{{ x }}", "<s>"]
        yield [{"role": role, "content": rng.choice(texts)} for role in roles], rng.random() < 0.5


@case_for(NAMES)
def renders_as_mergekits(name):
    need("mergekit", "jinja2")
    import mergekit._data.chat_templates as data

    theirs, own = (importlib.resources.files(data) / (name + ".jinja")).read_text(), ours(name)
    n_refused = 0
    for messages, adds in conversations(random.Random(name)):
        expected, got = render(theirs, messages, adds), render(own, messages, adds)
        assert got == expected, f"{messages}, {adds}: {got!r}, not {expected!r}"
        n_refused += expected is None
    return f"400 conversations, {n_refused} refused"


@case
def renders_the_golden_texts():
    path = Path(os.environ.get("COCKTAIL_TEST_DATA", "")) / "golden/mergekit/tokenizer/builtin-templates.jsonl"
    if not path.exists():
        raise Skip("COCKTAIL_TEST_DATA has none")
    templates, n = {}, 0
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["template"] not in templates:
            for old in (scratch() / "out").glob("*"):
                old.unlink()
            templates[row["template"]] = ours(row["template"])
        text = render(templates[row["template"]], row["messages"], row["add_generation_prompt"])
        assert text == (None if row.get("error") else row["text"]), f"{row}: {text!r}"
        n += 1
    return f"{n} texts"


run()
