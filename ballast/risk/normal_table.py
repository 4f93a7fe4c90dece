"""The table of the normal distribution that options are priced with, from first principles.

Φ on [−6.5, 6.5] in cells of 1/32: in each the cubic through the four Chebyshev nodes, whose error
is under 2e-10. A word of 256 bits holds a cell's coefficients, highest first: the constant term and
the factors of u, u², u³, each 64 bits in counts of 2^-63, where u in [0, 1) is the place in the
cell. Factors are signed, so each field is read together with all lower ones, as one signed number.
`tools/normal_table.py` writes the words into `contracts/math/NormalTable.sol`.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

CELLS = 416
CELLS_PER_UNIT = 32
FIELD = 64
DIGITS = 60

_ONE = 1 << FIELD
_WORD = 1 << 4 * FIELD


def normal_cdf(x: Decimal) -> Decimal:
    """Φ(x) to some 50 digits: ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …); |x| at most 12."""
    with localcontext() as context:
        context.prec = DIGITS + 40
        term = total = x
        odd = 1
        while abs(term) > Decimal(10) ** -(DIGITS + 30):
            odd += 2
            term = term * x * x / odd
            total += term
        return Decimal("0.5") + total * normal_density(x)


def normal_density(x: Decimal) -> Decimal:
    """φ(x)."""
    with localcontext() as context:
        context.prec = DIGITS + 40
        return (-x * x / 2).exp() / (2 * _pi()).sqrt()


@cache
def _pi() -> Decimal:
    """π by Machin: 16·arctan(1/5) − 4·arctan(1/239)."""
    with localcontext() as context:
        context.prec = DIGITS + 50
        return 16 * _arctan_of_inverse(5) - 4 * _arctan_of_inverse(239)


def _arctan_of_inverse(n: int) -> Decimal:
    total, power, k = Decimal(0), Decimal(1) / n, 0
    while power > Decimal(10) ** -(DIGITS + 48):
        total += (-1) ** k * power / (2 * k + 1)
        power /= n * n
        k += 1
    return total


@cache
def words() -> tuple[int, ...]:
    """The table, a word for each cell."""
    with localcontext() as context:
        context.prec = DIGITS
        return tuple(_pack(_cubic(cell)) for cell in range(CELLS))


def table_bytes() -> bytes:
    """The table as the contract's code holds it."""
    return b"".join(word.to_bytes(32, "big") for word in words())


def _cubic(cell: int) -> list[Decimal]:
    """Coefficients of 1, u, u², u³ of the cubic through Φ at the Chebyshev nodes of a cell."""
    left = Decimal(cell - CELLS // 2) / CELLS_PER_UNIT
    root = Decimal(2).sqrt()
    far, near = (2 + root).sqrt() / 2, (2 - root).sqrt() / 2  # cos π/8, cos 3π/8
    nodes = [(1 + at) / 2 for at in (-far, -near, near, far)]
    divided = [normal_cdf(left + u / CELLS_PER_UNIT) for u in nodes]
    for order in range(1, 4):
        for i in range(3, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - order])
    coefficients = [Decimal(0)] * 4
    for i in range(3, -1, -1):  # Newton's form, multiplied out
        coefficients = [
            lower - nodes[i] * here
            for here, lower in zip(coefficients, [Decimal(0), *coefficients[:3]], strict=True)
        ]
        coefficients[0] += divided[i]
    return coefficients


def _pack(coefficients: list[Decimal]) -> int:
    word = 0
    for coefficient in coefficients:
        word = word << FIELD | int((coefficient * 2**63).to_integral_value()) % _ONE
    return word


def cdf(t: int) -> int:
    """Φ in counts of 2^-255 at t cells of 2^64 from −6.5; t lies in the table."""
    word, u = words()[t >> FIELD], t % _ONE
    value = _signed(word, 1)
    for fields in (2, 3, 4):
        value = (value * u + _signed(word, fields)) % _WORD
    return value


def _signed(word: int, fields: int) -> int:
    """The lowest fields as one signed number; all four are unsigned."""
    bits = fields * FIELD
    value = word % (1 << bits)
    return value - (1 << bits) if fields < 4 and value >> (bits - 1) else value
