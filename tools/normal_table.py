"""Writes the table of the normal distribution into contracts/math/NormalTable.sol.

    python tools/normal_table.py

A test compares what stands there with what this would write.
"""

from __future__ import annotations

from pathlib import Path

from ballast.risk.normal_table import CELLS, words

TARGET = Path(__file__).resolve().parents[1] / "contracts" / "math" / "NormalTable.sol"

SOURCE = """\
// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The normal distribution as data (specification §13.3)
/// @notice The code of this contract is no program but a table: a word for each of {cells} cells
/// of 1/32 from −6.5 on, with the coefficients of a cubic. Written by `tools/normal_table.py`; the
/// first byte is STOP.
contract NormalTable {{
    // solhint-disable-next-line function-max-lines
    constructor() {{
        bytes memory table = {lines};
        assembly ("memory-safe") {{
            return(add(table, 32), mload(table))
        }}
    }}
}}
"""


def source() -> str:
    """The contract as it must stand in the repository."""
    lines = "\n            ".join(f'hex"{word:064x}"' for word in words())
    return SOURCE.format(cells=CELLS, lines=lines)


if __name__ == "__main__":
    TARGET.write_text(source())
