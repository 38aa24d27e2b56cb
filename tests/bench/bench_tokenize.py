"""bench_tokenize.py PROGRAM [NAME ...] - how fast `cocktail tokenize` is, as Markdown tables.

Each tokenizer in $COCKTAIL_TEST_DATA/tokenizers/ (files may end in .gz; those NAMEd, when names are
given), three texts, one thread; beside it Hugging Face tokenizers on one thread, and tiktoken for
GPT-2, where this Python has them. Two ways: the whole text at once, and every line a text.

  prose    English: paragraphs of words from the documentation and licences that Python and its
           packages bring along, each once
  source   Python's standard library
  chinese  made from common words by a generator with a fixed seed, because nothing else is there:
           fewer different words than real text has, which favours whoever caches words

Cocktail is timed from outside: a whole process that reads the text from a file and prints the ids to
/dev/null, minus the same with an empty text, which is also its load time. The peers are timed inside:
`encode` alone, and from_file for loading. Times are processor seconds, so that what else runs on the
machine hardly counts; all use one thread. The best of ROUNDS counts, of 5 * ROUNDS for cocktail, where
one time is taken from another. The ids are compared, too.

  ROUNDS     default 3
  BENCH_MB   of each text, default 3
  BENCH_DIR  where texts are written (default build/bench)
"""

import ast
import gzip
import importlib.util
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

ROUNDS = int(os.environ.get("ROUNDS", 3))
TEXT_BYTES = int(float(os.environ.get("BENCH_MB", 3)) * 1e6)
BENCH_DIR = Path(os.environ.get("BENCH_DIR", "build/bench"))
GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CHINESE = """的 是 在 了 和 有 我 他 不 人 这 我们 中国 大 来 上 国家 个 到 说 们 为 子 地 出 也 你 时 年 得 就 那 要 下 以 生 会
自己 着 去 之 过 家 学 对 可以 她 里 后 小 么 心 多 天 而 能 好 都 然 没有 日 于 起 还 发展 成 事 只 作 当 想 看 文化 无 开 手 十 用
主 行 方 又 如 前 所 本 见 经济 头 面 公司 同 三 已经 老 从 动 两 长 知道 民 样 现在 分 将 外 但是 身 些 与 高 意 进 把 法律 此 实
回 二 理 美 点 月 明 其 种 声 全国 工作 己 话 儿 者 向 情 部分 正 名 定 女 问题 力量 机会 给 等 几 很 业 最 间 新 什么 打 便 位 因
为 重要 被 走 电脑 四 第一 门 相 次 东 政府 海 口 使 教育 西 再 平 真 听 世界 气 信息 北京 少 关系 并 内 加 化 由 却 代 军队 产
品 入 先 山 五 太 水 万 市场 眼 体 别 处 总 才 场 师 书 比 住 员 九 笑 性 通过 目 华 报 立 马 命 张 活动 难 神 数据 件 安全 表
原 车 白 应 路 期 叫 死 常 提 感 金 何 更 反 合 放 做 系统 计算 或者 司 利 受 光 王 果 亲 界 及 今天 京 务 制度 解决 各 任 至 清
物 台 象 记 边 共 风 战争 干 接 它 许 八 特别 觉得 望 直 服务 毛 林 题 建设 南 度 统 色 字 请 交通 爱 让 认识 算 论 百 吃 义
科学 技术 研究 语言 模型 训练 方法 结果 时间 地方 人民 社会 历史 城市 学生 老师 医院 朋友 银行 飞机 火车 天气 春天 音乐 电影""".split()


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- texts


def library_files(pattern, folder):
    paths = sorted(Path(folder).rglob(pattern))
    return [path for path in paths if "site-packages" not in path.relative_to(folder).parts]


def read(path):
    return path.read_text(encoding="utf-8", errors="ignore")


def documents():
    """Documentation as it lies around: README, licences, and the docstrings of modules."""
    folders = sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")})
    for folder in folders:
        for pattern in ("*.rst", "*.md", "*.txt", "METADATA", "LICENSE*", "COPYING*", "NOTICE*"):
            for path in sorted(Path(folder).rglob(pattern)):
                if path.is_file() and path.stat().st_size < 1e6:
                    yield read(path)
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.py")):
            try:
                tree = ast.parse(read(path))
            except (SyntaxError, ValueError, RecursionError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    yield ast.get_docstring(node) or ""


def make_prose():
    seen, parts, size = set(), [], 0
    for document in documents():
        for paragraph in re.split(r"\n\s*\n", document):
            paragraph = paragraph.strip()
            n_plain = sum(c.isalpha() or c in " \n,." for c in paragraph)
            if len(paragraph) < 150 or n_plain < 0.95 * len(paragraph) or paragraph in seen:
                continue
            seen.add(paragraph)
            parts.append(paragraph)
            size += len(paragraph) + 2
        if size > TEXT_BYTES:
            break
    return "\n\n".join(parts)


def make_source():
    parts, size = [], 0
    for path in library_files("*.py", sysconfig.get_path("stdlib")):
        parts.append(read(path))
        size += len(parts[-1])
        if size > TEXT_BYTES:
            break
    return "\n".join(parts)


def make_chinese():
    rng, out, size = random.Random(5), [], 0
    weights = [1 / (i + 8) for i in range(len(CHINESE))]
    while size < TEXT_BYTES:
        sentence = "".join(rng.choices(CHINESE, weights, k=rng.randint(4, 18))) + rng.choice("，，，。。！？")
        if rng.random() < 0.15:
            sentence += rng.choice([str(rng.randint(1, 2030)) + "年", "\n", "\n", "“", "”", "、", " GPT "])
        out.append(sentence)
        size += len(sentence.encode())
    return "".join(out)


def make_texts(folder):
    for name, make in (("prose", make_prose), ("source", make_source), ("chinese", make_chinese)):
        text = make().encode()[:TEXT_BYTES].decode(errors="ignore").replace("\r", "").replace("\0", "")
        path = folder / f"{name}.txt"
        path.write_text(text + "\n", encoding="utf-8")
        yield name, path, text + "\n"


# ---- the three


def best(function, n_rounds=ROUNDS):
    """Processor seconds of this process, or of the child that the function runs."""
    times = []
    for _ in range(n_rounds):
        start, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
        is_child = function()
        if is_child:
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(end.ru_utime - children.ru_utime + end.ru_stime - children.ru_stime)
        else:
            times.append(time.process_time() - start)
    return min(times)


def cocktail(program, model, path, *options):
    return subprocess.run([program, "tokenize", "--no-special", *options, model, path], check=True,
                          stdout=subprocess.PIPE).stdout


def time_cocktail(program, model, path, *options):
    command = [program, "tokenize", "--no-special", *options, model, path]
    return best(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL).returncode == 0,
                5 * ROUNDS)


def load_hf(model):
    from tokenizers import Tokenizer, models, pre_tokenizers

    if (model / "tokenizer.json").exists():
        return Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer = Tokenizer(models.BPE.from_file(str(model / "vocab.json"), str(model / "merges.txt")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def load_tiktoken(model):
    import tiktoken

    display = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in display]
    byte_of = {chr(byte): byte for byte in display} | {chr(256 + i): byte for i, byte in enumerate(others)}
    vocabulary = json.loads((model / "vocab.json").read_text(encoding="utf-8"))
    ranks = {bytes(byte_of[c] for c in token): i for token, i in vocabulary.items() if token != "<|endoftext|>"}
    return tiktoken.Encoding("gpt2", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256})


def unpack(source, folder):
    folder.mkdir()
    for path in sorted(source.iterdir()):
        if path.suffix == ".gz":
            with gzip.open(path) as packed, open(folder / path.stem, "wb") as out:
                shutil.copyfileobj(packed, out)
        else:
            shutil.copy(path, folder)
    return folder


# ---- tables


def rate(n_bytes, seconds):
    return f"{n_bytes / 1e6 / seconds:.1f}"


def print_table(title, heads, rows):
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n| --- | --- |{' ---: |' * (len(heads) - 2)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()


def bench(program, model, texts, empty, has, speeds, loads):
    peer = {}
    load_s = time_cocktail(program, model, empty)
    load_row = [model.name, f"{load_s * 1e3:.0f}", "", ""]
    if has["tokenizers"]:
        seconds = best(lambda: load_hf(model) and False)
        load_row[2:] = [f"{seconds * 1e3:.0f}", f"{seconds / load_s:.1f}"]
        tokenizer = load_hf(model)
        peer["tokenizers"] = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    if has["tiktoken"] and (model / "vocab.json").exists():
        peer["tiktoken"] = load_tiktoken(model).encode_ordinary
    loads.append(load_row)
    for name, path, text in texts:
        say(f"{model.name}, {name}")
        lines, n_bytes = text.splitlines(keepends=False), len(text.encode())
        whole_s = time_cocktail(program, model, path) - load_s
        lines_s = time_cocktail(program, model, path, "--lines") - load_s
        row = [model.name, name, rate(n_bytes, whole_s), rate(n_bytes, lines_s)]
        ids = [int(x) for x in cocktail(program, model, path).split()]
        for module in ("tokenizers", "tiktoken"):
            if module not in peer:
                row += ["", ""]
                continue
            encode = peer[module]
            if encode(text) != ids:
                print(f"\n{module} gives other ids for {model.name}, {name}")
            seconds = best(lambda: encode(text) and False)
            line_seconds = best(lambda: [encode(line) for line in lines] and False)
            row += [f"{rate(n_bytes, seconds)} ({seconds / whole_s:.1f})",
                    f"{rate(n_bytes, line_seconds)} ({line_seconds / lines_s:.1f})"]
        say(" | ".join(row))
        speeds.append(row)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: bench_tokenize.py PROGRAM [NAME ...]")
    program, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    data = os.environ.get("COCKTAIL_TEST_DATA")
    if not data:
        print("skipped: COCKTAIL_TEST_DATA does not name the folder that holds tokenizers/")
        return
    has = {module: importlib.util.find_spec(module) is not None for module in ("tokenizers", "tiktoken")}
    for module in has:
        if not has[module]:
            say(f"skipped {module}: it is not installed in {Path(sys.executable).name}")
    speeds, loads = [], []
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BENCH_DIR.resolve()) as folder:
        folder = Path(folder)
        texts = list(make_texts(folder))
        empty = folder / "empty.txt"
        empty.touch()
        print(f"Load before: {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores. "
              + ", ".join(f"{name}: {len(text.encode()) / 1e6:.1f} MB, {len(set(text.split()))} different words"
                          for name, _, text in texts))
        for source in sorted((Path(data) / "tokenizers").iterdir()):
            if source.is_dir() and (not names or source.name in names):
                bench(program, unpack(source, folder / source.name), texts, empty, has, speeds, loads)
    print_table("**MB/s on one thread** (in brackets: times as fast is cocktail)",
                ["tokenizer", "text", "cocktail, whole", "cocktail, lines", "HF tokenizers, whole",
                 "HF tokenizers, lines", "tiktoken, whole", "tiktoken, lines"], speeds)
    print("\n**Loading, ms** (cocktail: a whole process)\n\n| tokenizer | cocktail | HF tokenizers | ratio |\n"
          "| --- | ---: | ---: | ---: |")
    for row in loads:
        print(f"| {' | '.join(row)} |")


main()
