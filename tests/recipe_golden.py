#!/usr/bin/env python3
"""recipe_golden.py PROGRAM FOLDER SCRATCH [NAME...] - recipes against what mergekit made of them.

FOLDER holds cases.json, cases/NAME.yml and NAME.safetensors, invalid/NAME.yml (its README says how
each compares). Prints a line for each case that fails, then "N passed, N failed, N skipped".
"""
import array, json, math, os, struct, subprocess, sys

program, folder, scratch = (os.path.abspath(a) for a in sys.argv[1:4])
only = sys.argv[4:]
failures = []
counts = {'passed': 0, 'failed': 0, 'skipped': 0}


def read(path):
    """Name -> (dtype, shape, raw bytes)."""
    with open(path, 'rb') as file:
        n, = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(n))
        data = file.read()
    header.pop('__metadata__', None)
    return {name: (t['dtype'], t['shape'], data[t['data_offsets'][0]:t['data_offsets'][1]])
            for name, t in header.items()}


def read_folder(path):
    index = os.path.join(path, 'model.safetensors.index.json')
    names = ['model.safetensors']
    if os.path.exists(index):
        names = sorted(set(json.load(open(index))['weight_map'].values()))
    tensors = {}
    for name in names:
        tensors.update(read(os.path.join(path, name)))
    return tensors


def floats(tensor):
    dtype, _, raw = tensor
    if dtype == 'F32':
        return array.array('f', raw)
    if dtype == 'F64':
        return array.array('d', raw)
    if dtype == 'BF16':
        return array.array('f', b''.join(b'\0\0' + raw[i:i + 2] for i in range(0, len(raw), 2)))
    if dtype == 'F16':
        return [x[0] for x in struct.iter_unpack('<e', raw)]
    return list(array.array({'I64': 'q', 'I32': 'i', 'U8': 'B', 'BOOL': 'B'}[dtype], raw))


def ordered(raw):
    """16-bit floats as integers in the order of their values."""
    return [-(v & 0x7fff) if v & 0x8000 else v for v, in struct.iter_unpack('<H', raw)]


def compare(case, name, got, want):
    if got[1] != want[1]:
        return f'shape {got[1]}, not {want[1]}'
    how = case['compare'] if want[0] in ('F32', 'F64', 'F16', 'BF16') else 'exact'
    if got[0] != want[0]:
        return f'dtype {got[0]}, not {want[0]}'
    if how == 'exact':
        return None if got[2] == want[2] else 'bytes differ'
    if how == 'close':
        a, b = floats(got), floats(want)
        scale = max(0.25, max(map(abs, b), default=0))
        worst = max((abs(x - y) for x, y in zip(a, b)), default=0)
        return None if worst <= 1e-6 * scale else f'off by {worst / scale:.3g}'
    a, b = ordered(got[2]), ordered(want[2])
    free = set(case.get('tied', {}).get(name, []))
    steps = [abs(x - y) for i, (x, y) in enumerate(zip(a, b)) if i not in free]
    differing = sum(1 for s in steps if s)
    if max(steps, default=0) > 1:
        return f'off by {max(steps)} steps'
    case['differing'] = case.get('differing', 0) + differing
    case['items'] = case.get('items', 0) + len(steps)
    return None


def stack_experts(tensors):
    """Mixtral's experts one by one -> stacked, as mergekit writes them."""
    out, layers = {}, {}
    for name, tensor in tensors.items():
        if '.experts.' in name and '.block_sparse_moe.' in name:
            head, rest = name.split('.block_sparse_moe.experts.')
            number, matrix = rest.split('.')[:2]
            layers.setdefault(head, {}).setdefault(int(number), {})[matrix] = tensor
        else:
            out[name.replace('.block_sparse_moe.gate', '.mlp.gate')] = tensor
    for head, experts in layers.items():
        rows = [experts[i] for i in sorted(experts)]
        dtype, (n, m), _ = rows[0]['w1']
        out[head + '.mlp.experts.gate_up_proj'] = (
            dtype, [len(rows), 2 * n, m], b''.join(e['w1'][2] + e['w3'][2] for e in rows))
        out[head + '.mlp.experts.down_proj'] = (
            dtype, [len(rows), m, n], b''.join(e['w2'][2] for e in rows))
    return out


def check_tensors(case, out):
    path = os.path.join(folder, 'cases', case['name'])
    by_name = path + '.by-name.safetensors'
    want = read(by_name if os.path.exists(by_name) else path + '.safetensors')
    got = read_folder(out)
    if any('.experts.gate_up_proj' in n for n in want):
        got = stack_experts(got)
    if set(got) != set(want):
        return f'missing {sorted(set(want) - set(got))[:3]}, extra {sorted(set(got) - set(want))[:3]}'
    for name in sorted(want):
        problem = compare(case, name, got[name], want[name])
        if problem:
            return f'{name}: {problem}'
    if case.get('differing', 0) > case.get('items', 0) * 1e-3:
        return f"{case['differing']} of {case['items']} differ by a step"
    if 'layers' in case:
        config = json.load(open(os.path.join(out, 'config.json')))
        if config['num_hidden_layers'] != case['layers']:
            return f"num_hidden_layers {config['num_hidden_layers']}"
    return None


def check_statistics(case, out):
    """Dropped or kept at full size, scaled by the L1 norms, as many kept as the densities say."""
    stat = case['stat']
    base, got = read_folder(os.path.join(folder, stat['base'])), read_folder(out)
    models = [read_folder(os.path.join(folder, m['path'])) for m in stat['models']]
    if len(models) > 1:
        return None if set(got) == set(base) else 'other tensors'
    model, expected, variance, n_kept = stat['models'][0], 0.0, 0.0, 0
    for name in base:
        x, b, r = floats(models[0][name]), floats(base[name]), floats(got[name])
        delta = [p - q for p, q in zip(x, b)]
        made = [p - q for p, q in zip(r, b)]
        kept = [i for i, d in enumerate(made) if abs(d) > 1e-7]
        width = base[name][1][-1]
        order = {}
        if stat['kind'] == 'della':
            for row in range(0, len(delta), width):
                ranks = sorted(range(row, row + width), key=lambda i: abs(delta[i]))
                for rank, i in enumerate(ranks):
                    order[i] = rank / max(width - 1, 1)
        for i, d in enumerate(delta):
            if abs(d) < 1e-7:
                continue
            p = model['density']
            if stat['kind'] == 'della':
                p += model['epsilon'] * (2 * order[i] - 1)
            expected += p
            variance += p * (1 - p)
        n_kept += len(kept)
        whole = sum(map(abs, delta))
        part = sum(abs(delta[i]) for i in kept)
        scale = model['weight'] * (whole / part if stat['rescale'] and part > 1e-7 else 1)
        if stat['normalize']:
            scale /= model['weight']
        for i in kept:
            if abs(made[i] - scale * delta[i]) > 2e-6 * max(1, abs(b[i])) + 2e-5 * abs(made[i]):
                return f'{name}[{i}]: {made[i]:.6g}, not {scale:.6g} * {delta[i]:.6g}'
    if abs(n_kept - expected) > 5 * math.sqrt(variance) + 1:
        return f'{n_kept} kept, {expected:.1f} expected'
    return None


def run(case, recipe, out):
    return subprocess.run([program, 'merge', recipe, '-o', out, '--force', '-q', '--seed', '1'],
                          cwd=folder, capture_output=True, text=True)


def record(name, problem):
    counts['failed' if problem else 'passed'] += 1
    if problem:
        print(f'{name}: {problem}')


cases = json.load(open(os.path.join(folder, 'cases.json')))
os.makedirs(scratch, exist_ok=True)
for case in cases['cases']:
    if only and case['name'] not in only:
        continue
    out = os.path.join(scratch, case['name'])
    result = run(case, os.path.join('cases', case['name'] + '.yml'), out)
    if result.returncode:
        record(case['name'], f'exit {result.returncode}: {result.stderr.strip()[-300:]}')
    elif case['compare'] == 'stat':
        record(case['name'], check_statistics(case, out))
    else:
        record(case['name'], check_tensors(case, out))
for case in cases['invalid']:
    if only and case['name'] not in only:
        continue
    out = os.path.join(scratch, 'invalid-' + case['name'])
    result = run(case, os.path.join('invalid', case['name'] + '.yml'), out)
    last = (result.stderr.strip().split('\n') or [''])[-1]
    problem = None
    if result.returncode not in (2, 3, 8):
        problem = f'exit {result.returncode}: {last}'
    elif not last.startswith('cocktail: ') or not any(word in last for word in case['says']):
        problem = f"says none of {case['says']}: {last}"
    elif os.path.exists(out):
        problem = 'something was written'
    record('invalid/' + case['name'], problem)
print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
sys.exit(counts['failed'] > 0)
