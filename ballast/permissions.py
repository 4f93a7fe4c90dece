"""What the owner of an account can let somebody else do (`Permission.sol`)."""

from __future__ import annotations

from enum import IntFlag


class Permission(IntFlag):
    """Permissions of a delegate; their sum is what the contract takes."""

    NONE = 0
    TRADE = 1
    """Sign orders and cancel them."""
    DEPOSIT = 2
    """Make the account hold an asset that it did not hold."""
    TRANSFER = 4
    """Transfer to another account of the same owner."""
    WITHDRAW = 8
    """Withdraw to the owner's own address."""
    MANAGE = 16
    """Select the risk engine."""
    ALL = 31
