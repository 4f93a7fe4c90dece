"""Prints the constants of contracts/math/Logarithm.sol and ballast/risk/logarithm.py.

python tools/logarithm.py

atanh z = z·P(z²), where P is the polynomial of degree five through the Chebyshev nodes of
[0, ((√2 − 1)/(√2 + 1))²]. Written from the series, with the decimals of the standard library.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import cos, pi

DIGITS = 60
TERMS = 80
DEGREE = 5
SCALE = 10**18 << 128  # counts of 2^-128 · 1e-18


def constants() -> dict[str, int]:
    """By their names in the contract."""
    with localcontext() as context:
        context.prec = DIGITS
        root = Decimal(2).sqrt()
        half_log = Decimal(2).ln() / 2
        found = {
            "LEAST_NEAR": int(2**64 / root) + 1,
            "GREATEST_NEAR": int(2**64 * root),
            "ROOT_2": int(root * 2**127),
            "LN_2": int((2 * half_log * SCALE).to_integral_value()),
            "OFFSET": int((127 * half_log * SCALE).to_integral_value()),
        }
        greatest = ((root - 1) / (root + 1)) ** 2
        for power, value in enumerate(_polynomial(greatest)):
            found[f"P{power}"] = int((2 * value * SCALE / 2**96).to_integral_value())
        return found


def _series(w: Decimal) -> Decimal:
    """atanh(√w)/√w."""
    total, power = Decimal(0), Decimal(1)
    for n in range(TERMS):
        total += power / (2 * n + 1)
        power *= w
    return total


def _polynomial(greatest: Decimal) -> list[Decimal]:
    """Coefficients, that of 1 first."""
    count = DEGREE + 1
    nodes = [(1 + Decimal(cos((2 * i + 1) * pi / 2 / count))) / 2 * greatest for i in range(count)]
    divided = [_series(node) for node in nodes]
    for order in range(1, count):
        for i in range(DEGREE, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - order])
    coefficients = [Decimal(0)] * count
    for i in range(DEGREE, -1, -1):  # Newton's form, multiplied out
        coefficients = [
            lower - nodes[i] * here
            for here, lower in zip(coefficients, [Decimal(0), *coefficients[:-1]], strict=True)
        ]
        coefficients[0] += divided[i]
    return coefficients


if __name__ == "__main__":
    for name, value in constants().items():
        print(f"{name} = {value}")
