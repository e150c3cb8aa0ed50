"""What totals() returns, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable

from orders import totals

from slabcore.gates import CountGate, GrowthGate, RatioGate

SIZES = (125, 250, 500, 1_000)


class Customer:
    """A customer who counts how often customers are compared."""

    compared = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        Customer.compared += 1
        return isinstance(other, Customer) and self.number == other.number


def comparisons(call: Callable[[], object]) -> int:
    """Make a call, and return how many comparisons it took."""
    before = Customer.compared
    call()
    return Customer.compared - before


def two_orders_each(n: int) -> list[tuple[Customer, int]]:
    """Return the orders of n customers, who come back in the same order."""
    return [(Customer(number), 1) for _ in range(2) for number in range(n)]


def test_totals() -> None:
    orders = [("Ada", 3), ("Bo", 2), ("Ada", 5)]
    assert totals(orders) == [("Ada", 8), ("Bo", 2)]


def test_a_second_order_takes_two_comparisons(count_gate: CountGate) -> None:
    orders = two_orders_each(100)
    count_gate(lambda: totals(orders), cost=comparisons, at_most=2 * 100)


def test_comparisons_grow_with_the_orders(growth_gate: GrowthGate) -> None:
    growth_gate(
        totals, SIZES, prepare=two_orders_each, cost=comparisons, at_most="linear"
    )


def test_time_grows_with_the_orders(growth_gate: GrowthGate) -> None:
    growth_gate(
        totals,
        SIZES,
        prepare=lambda n: [(number, 1) for number in range(n)],
        at_most="linear",
    )


def test_it_takes_a_few_times_what_a_plain_loop_does(ratio_gate: RatioGate) -> None:
    orders = [(number, 1) for number in range(1_000)]

    def loop() -> int:
        total = 0
        for _, amount in orders:
            total += amount
        return total

    ratio_gate(lambda: totals(orders), loop, at_most=20, label="totals")
