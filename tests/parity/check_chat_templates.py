"""check_chat_templates.py - prompts of `cocktail chat-template` against transformers' apply_chat_template.

Random small templates of template_texts.py, and, where COCKTAIL_TEST_DATA is set, the real templates below its
golden/chat-templates/ with random conversations. What fails there has to fail here.
"""

import gzip
import json
import os
import random
import re
import subprocess
import warnings
from pathlib import Path

import template_texts
from harness import COCKTAIL, Skip, case, case_for, need, run, scratch

warnings.simplefilter("ignore")
N_SMALL, N_REAL, N_UNSUPPORTED = 2000, 3, 0.05
MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
ADDRESS = re.compile(r" at 0x|object>|<function|<class|<built-in|<bound")
WORDS = ["Hello", "  two  words ", "", "né\n", "<b>&'\"", "{{ x }}", "1", "<think>\nhm\n</think>\n\nso", "😀", "a\\n"]


def expected(messages, template, **variables):
    """The prompt; None where transformers refuses."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        text = render_jinja_template([messages], chat_template=template, **json.loads(json.dumps(variables)))[0][0]
        text.encode()
        return text
    except Exception:  # whatever Python raises is an error of the template
        return None


def made(template, messages, variables, *options):
    folder = scratch() / "model"
    folder.mkdir(exist_ok=True)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8", newline="")
    (scratch() / "messages").write_text(json.dumps(messages))
    (scratch() / "variables").write_text(json.dumps(variables))
    return subprocess.run([COCKTAIL, "chat-template", str(folder), "--messages", str(scratch() / "messages"), "--kwargs",
                           "@" + str(scratch() / "variables"), *options], capture_output=True, timeout=60)


def compare(want, done, template):
    if want is None:
        assert done.returncode in (3, 10) and done.stdout == b"", f"{template!r}: made {done.stdout!r}"
    elif done.returncode != 10:
        assert done.returncode == 0, f"{template!r}: {done.stderr.decode()}"
        assert done.stdout == want.encode(), f"{template!r}: {done.stdout!r}, not {want.encode()!r}"
    return done.returncode == 10 and want is not None


@case_for([1, 2, 3])
def small_templates_make_the_same(seed):
    need("transformers", "jinja2")
    maker, n_unsupported = template_texts.Maker(seed), 0
    for _ in range(N_SMALL):
        template = maker.template()
        want = expected(MESSAGES, template, **template_texts.VARIABLES)
        if want is None or not ADDRESS.search(want):
            n_unsupported += compare(want, made(template, MESSAGES, template_texts.VARIABLES), template)
    assert n_unsupported <= N_SMALL * N_UNSUPPORTED
    return f"{n_unsupported} of {N_SMALL} not supported"


def conversation(chance):
    roles = [["system"], [], []][chance.randrange(3)] + ["user", "assistant"] * chance.randint(0, 3) + ["user"]
    messages = [{"role": role, "content": chance.choice(WORDS)} for role in roles]
    for message in messages:
        if message["role"] == "assistant" and chance.random() < 0.2:
            message["tool_calls"] = [{"type": "function", "id": "abcdefghi", "function": {"name": "f", "arguments": {"x": chance.choice(WORDS), "n": 1.5}}}]
        if chance.random() < 0.1:
            message["content"] = [{"type": "text", "text": chance.choice(WORDS)}]
    return messages


@case
def real_templates_make_the_same():
    need("transformers", "jinja2")
    if not os.environ.get("COCKTAIL_TEST_DATA"):
        raise Skip("COCKTAIL_TEST_DATA is not set")
    chance, n = random.Random(7), 0
    path = Path(os.environ["COCKTAIL_TEST_DATA"]) / "golden/chat-templates/more/templates.jsonl.gz"
    for line in gzip.open(path, "rt", encoding="utf-8"):
        template = json.loads(line)
        if "strftime_now" in template["text"]:
            continue
        for _ in range(N_REAL):
            messages, adds = conversation(chance), chance.random() < 0.5
            variables = dict(template["special"] or {}, enable_thinking=chance.random() < 0.5)
            want = expected(messages, template["text"], add_generation_prompt=adds, **variables)
            compare(want, made(template["text"], messages, variables, *["--add-generation-prompt"] * adds), template["id"])
            n += 1
    return f"{n} prompts"


run()
