"""What each customer has spent, in the order in which they first bought something."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


def totals(orders: Iterable[tuple[Hashable, int]]) -> list[tuple[Hashable, int]]:
    """Add up the orders of each customer."""
    sums: dict[Hashable, int] = {}
    for customer, amount in orders:
        sums[customer] = sums.get(customer, 0) + amount
    return list(sums.items())
