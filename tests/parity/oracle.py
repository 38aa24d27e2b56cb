"""oracle.py - the definition of `cocktail mix`, computed exactly with numpy.

    weights[i] /= sum(weights)                   in double, the sum in order
    sum = weights[0] * x[0]                      rounded to double
    sum = fma(weights[i], x[i], sum)             rounded to double once
    out = sum rounded to nearest even, once, to the output dtype

numpy has no fma. It is put together from error-free steps: the product and the sum as unevaluated
pairs of doubles, their low parts added with rounding to odd, so that the last addition rounds as if
it were the only one (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved
algorithms using rounding to odd", 2008). Valid while nothing overflows or underflows in double:
always so for weights near 1 and values that came from F32, F16 or BF16.
"""

import numpy as np
import torch


def _two_sum(a, b):
    """a + b = s + e exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _split(a):
    """a = high + low, each with at most 26 bits."""
    t = a * 134217729.0  # 2^27 + 1
    high = t - (t - a)
    return high, a - high


def _two_product(a, b):
    """a * b = p + e exactly."""
    p = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def _to_odd(s, e):
    """s + e rounded to odd, where s is s + e rounded to nearest: when it is not exact, the
    neighbour of the two that has an odd last bit."""
    is_even = (s.view(np.int64) & 1) == 0
    toward = np.where(e > 0, np.inf, -np.inf)
    return np.where((e != 0) & is_even, np.nextafter(s, toward), s)


def fma(a, b, c):
    """a * b + c rounded once to double."""
    product, product_low = _two_product(a, b)
    u, u_low = _two_sum(c, product_low)
    s, s_low = _two_sum(product, u)
    return s + _to_odd(*_two_sum(s_low, u_low))


def _round(values, dtype):
    """float64 values as a tensor of `dtype`, rounded once to nearest even."""
    if dtype == torch.float64:
        return torch.from_numpy(values)
    if dtype == torch.float32:
        return torch.from_numpy(values.astype(np.float32))
    if dtype == torch.float16:
        return torch.from_numpy(values.astype(np.float16))  # numpy goes there directly
    # BF16 by way of F32 rounded to odd: with 16 bits to spare the second rounding sees whether the
    # first was exact.
    near = values.astype(np.float32)
    rest = values - near.astype(np.float64)
    is_even = (near.view(np.int32) & 1) == 0
    toward = np.where(rest > 0, np.inf, -np.inf).astype(np.float32)
    odd = np.where((rest != 0) & is_even, np.nextafter(near, toward), near)
    bits = odd.view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return torch.from_numpy(bits.astype(np.uint16).view(np.int16)).view(torch.bfloat16)


def to_double(tensor):
    return tensor.to(torch.float64).numpy()  # exact


def scaled(weights):
    total = 0.0
    for weight in weights:
        total += weight
    return [weight / total for weight in weights]


def linear(tensors, weights, dtype=None):
    """The mix of one tensor of each model; the values must be finite."""
    dtype = dtype or tensors[0].dtype
    pairs = [(w, t) for w, t in zip(scaled(weights), tensors) if w != 0]
    values = [to_double(t).reshape(-1) for _, t in pairs]
    total = pairs[0][0] * values[0]
    for (weight, _), x in zip(pairs[1:], values[1:]):
        total = fma(np.float64(weight), x, total)
    return _round(total, dtype).reshape(tensors[0].shape)
