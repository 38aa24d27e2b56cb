"""bench_convert.py PROGRAM - how fast `cocktail convert` is, as a Markdown table.

A bf16 model of 1.7 GB, its file in the page cache, to a file system in memory: in the dtype that it
has, in others, and as GGUF. The floor is `dd` of the input to /dev/null and of as many zeros as the
output has bytes to the output, in blocks of 1 MiB. RUNS rounds in turn, medians count.

  BENCH_DIR    directory on the disk for the input (default build/bench), 1.7 GB
  BENCH_TMPFS  directory in memory for the output (default /dev/shm), 3.4 GB
  RUNS         default 5
"""

import shutil
import sys
from pathlib import Path

from bench_mix import BENCH_DIR, BENCH_TMPFS, RUNS, Run, Runs, clear, files_of, make_model, print_machine, print_table, say, warm

FORMS = [("as it is", "out", []), ("f16", "out", ["--dtype", "f16"]), ("f32", "out", ["--dtype", "f32"]),
         ("GGUF, bf16", "out.gguf", []), ("GGUF, f16", "out.gguf", ["--dtype", "f16"]), ("GGUF, q8_0", "out.gguf", ["--dtype", "q8_0"])]


def n_bytes(output):
    return output.stat().st_size if output.is_file() else sum(f.stat().st_size for f in output.iterdir())


def floor(model, size, output):
    clear(output)
    warm([model])
    reading = [Run(["dd", f"if={path}", "of=/dev/null", "bs=1M"]) for path in files_of([model])]
    return [*reading, Run(["dd", "if=/dev/zero", f"of={output}", "bs=1M", f"count={size >> 20}"])]


def measure(program, model, name, options, folder):
    output, zeros, ours, floors = folder / name, folder / "zeros", Runs(), Runs()
    for _ in range(RUNS):
        clear(output)
        warm([model])
        ours.add(Run([program, "convert", "-q", model, "-o", output, *options]))
        size = n_bytes(output)
        clear(output)
        floors.add(*floor(model, size, zeros))
        clear(zeros)
    return ours, floors, size


def main():
    program, model, folder = Path(sys.argv[1]).resolve(), BENCH_DIR / "convert", BENCH_TMPFS / "bench-convert"
    for path in (model, folder):
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        make_model(model, "bf16", 1, 2048, 5632, 14, 32000, 1)
        (model / "tokenizer.json").unlink()  # GGUF has none of that kind
        (model / "tokenizer_config.json").unlink()
        print_machine()
        rows = []
        for form, name, options in FORMS:
            say(form)
            ours, floors, size = measure(program, model, name, options, folder)
            rows.append([form, f"{size / 1e9:.2f}", f"{ours.seconds():.2f}", f"{floors.seconds():.2f}",
                         f"{ours.seconds() / floors.seconds():.2f}", f"{ours.peak_mb():.0f}"])
        print_table("Converting a bf16 model of 1.7 GB", ["to", "GB", "seconds", "floor", "times the floor", "peak MB"], rows)
    finally:
        for path in (model, folder):
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
