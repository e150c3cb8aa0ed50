"""The same, after a change that every test of its results passes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


def totals(orders: Iterable[tuple[Hashable, int]]) -> list[tuple[Hashable, int]]:
    """Add up the orders of each customer."""
    customers: list[Hashable] = []
    sums: list[int] = []
    for customer, amount in orders:
        if customer in customers:
            sums[customers.index(customer)] += amount
        else:
            customers.append(customer)
            sums.append(amount)
    return list(zip(customers, sums, strict=True))
