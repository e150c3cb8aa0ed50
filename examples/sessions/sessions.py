"""A server's sessions: which is idle longest, pages of all, rows that wait."""

import random
from typing import Any

import numpy as np

from slabcore import IntrusiveList, RcuQueue, SeqFile

WORKERS, ROWS, STEPS = 4, 600, 20_000


class Sessions:
    """Keep each user's session in a row of a table."""

    def __init__(self, defer: bool) -> None:
        self.owner = np.zeros(ROWS, np.int64)
        self.free = list(range(ROWS))
        self.session: dict[
            int, int
        ] = {}  # of each user: a handle of the list, whose value is the row
        self.idle = IntrusiveList()  # the session that was used last is the last
        self.closed = RcuQueue(WORKERS) if defer else None

    def open(self, user: int) -> None:
        row = self.free.pop()
        self.owner[row] = user
        self.session[user] = self.idle.add_tail(row)

    def use(self, user: int) -> int:
        """Return the row of a session, which is not idle now."""
        self.idle.move_tail(self.session[user])
        return self.idle.value(self.session[user])

    def close(self, user: int, worker: int) -> None:
        row = self.use(user)
        self.idle.remove(self.session.pop(user))
        if self.closed is None:
            self.free.append(row)  # whoever works on it, works on the next one's
        else:
            self.closed.call(row, cpu=worker)

    def longest_idle(self, count: int) -> list[int]:
        """Return the users that have done nothing for longest."""
        rows = self.idle.to_array()[:count]
        return [int(user) for user in self.owner[rows]]

    def between_requests(self, worker: int) -> None:
        """Take back the rows that nobody can hold any more."""
        if self.closed is None:
            return
        self.closed.quiescent(worker)
        self.free += self.closed.invoke(worker).tolist()
        queue = self.closed
        if queue.requested > queue.gpnum == queue.completed:
            queue.start()

    def listing(self, cursor: bool) -> SeqFile:
        """Return a file of all users, a page at a time."""
        return SeqFile(self.session, show=self.show, cursor=cursor, page=1024)

    def show(self, m: Any, user: int) -> None:
        print(user, "row", self.idle.value(self.session[user]), file=m)


class Operator:
    """Read the listing, a page now and then; count what is wrong with it."""

    def __init__(self, sessions: Sessions, cursor: bool) -> None:
        self.sessions, self.cursor = sessions, cursor
        self.files = self.missing = self.twice = 0
        self.begin()

    def begin(self) -> None:
        self.pages = self.sessions.listing(self.cursor).pages()
        self.there = set(self.sessions.session)
        self.seen: list[int] = []

    def closed(self, user: int) -> None:
        self.there.discard(user)

    def read(self) -> None:
        page = next(self.pages, None)
        if page is not None:
            self.seen += [int(line.split()[0]) for line in page.splitlines()]
            return
        self.files += 1
        self.missing += len(self.there.difference(self.seen))
        self.twice += len(self.seen) - len(set(self.seen))
        self.begin()


def day(defer: bool, cursor: bool) -> tuple[int, ...]:
    """Let users come and go; return what went wrong."""
    dice = random.Random(2017)
    sessions = Sessions(defer)
    operator = Operator(sessions, cursor)
    # what each worker is at: a user, and the row
    work: list[tuple[int, int] | None] = [None] * WORKERS
    users = iter(dice.sample(range(1_000_000), STEPS))
    wrong = requests = 0
    for step in range(STEPS):
        worker, luck = dice.randrange(WORKERS), dice.random()
        recent = [*sessions.session][-20:]
        gone: list[int] = []
        if (at := work[worker]) is not None:
            user, row = at
            requests += 1
            wrong += int(sessions.owner[row] != user)
            work[worker] = None
            sessions.between_requests(worker)
        elif recent and luck < 0.5:
            user = dice.choice(recent)
            work[worker] = user, sessions.use(user)
        elif recent and luck < 0.6:
            gone = [dice.choice(recent)]  # somebody may be at work on it
        elif len(sessions.session) < 500:
            sessions.open(next(users))
        else:
            gone = sessions.longest_idle(40)
        for user in gone:
            sessions.close(user, worker)
            operator.closed(user)
        if step % 7 == 0:
            operator.read()
    sessions.idle.validate()
    return requests, wrong, operator.files, operator.missing, operator.twice


print("rows reused  place kept   requests  on another's row  listings  missing  twice")
for defer in (False, True):
    for cursor in (False, True):
        requests, wrong, files, missing, twice = day(defer, cursor)
        reused = "later" if defer else "at once"
        kept = "the key" if cursor else "a number"
        print(
            f"{reused:<12} {kept:<10} {requests:>10} {wrong:>17} {files:>9} "
            f"{missing:>8} {twice:>6}"
        )
