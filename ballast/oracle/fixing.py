"""The settlement of an expiry in integers, to the bit: `FixingWindow` of the contracts."""

from __future__ import annotations

from dataclasses import dataclass, replace

DAY = 86400
TIME_OF_DAY = 8 * 3600
WINDOW = 30 * 60
LEAD = 35 * 60
LATE_WINDOW = 60
SPACING = 15
LEAST_COUNT = 10
MAX_GAP = 5 * 60
PATIENCE = DAY
PRICE_UNIT = 10**6

BEFORE, SETTLED, AFTER, SETTLED_LATE = range(4)


@dataclass(frozen=True, slots=True)
class Fixing:
    """What is kept of the prices that settle an expiry; prices count 1e-12 of cash."""

    strike_tick: int
    price: int = 0
    time: int = 0
    sum: int = 0
    gap: int = 0
    count: int = 0
    phase: int = BEFORE

    def encode(self) -> int:
        """The word of the contract."""
        return (
            self.strike_tick << 208
            | self.price << 140
            | self.time << 108
            | self.sum << 29
            | self.gap << 17
            | self.count << 9
            | self.phase
        )

    @classmethod
    def decode(cls, word: int) -> Fixing:
        """Read the word of the contract."""
        return cls(
            strike_tick=word >> 208,
            price=(word >> 140) & ((1 << 68) - 1),
            time=(word >> 108) & 0xFFFFFFFF,
            sum=(word >> 29) & ((1 << 79) - 1),
            gap=(word >> 17) & 0xFFF,
            count=(word >> 9) & 0xFF,
            phase=word & 0x1FF,
        )

    def observe(self, expiry: int, price: int, time: int) -> Fixing:
        """Takes in an accepted price, later than all before."""
        state = self
        if state.phase == BEFORE:
            if time < expiry:
                return state._observe_before(expiry, price, time)
            state = state._extend(expiry - WINDOW, expiry)
            if state.time and state.count >= LEAST_COUNT and state.gap <= MAX_GAP:
                return replace(state, phase=SETTLED)
            state = replace(state, phase=AFTER, sum=0, time=expiry, price=price)
        return state._observe_after(expiry, price, time) if state.phase == AFTER else state

    def settlement(self) -> int:
        """The settlement price (WAD of cash) once its window is closed; else zero."""
        seconds = {SETTLED: WINDOW, SETTLED_LATE: LATE_WINDOW}.get(self.phase)
        return self.sum * PRICE_UNIT // seconds if seconds else 0

    def settlement_as_is(self, expiry: int) -> int:
        """The same if nothing more comes; zero if nothing was observed."""
        if self.phase == AFTER:
            return self._observe_after(expiry, self.price, expiry + LATE_WINDOW).settlement()
        if self.phase == BEFORE and self.time:
            state = self._extend(expiry - WINDOW, expiry)
            return replace(state, phase=SETTLED).settlement()
        return self.settlement()

    def mean_so_far(self, expiry: int, now: int) -> tuple[int, int]:
        """Elapsed seconds of the window before expiry, and the mean over them (WAD of cash)."""
        if self.phase == SETTLED:
            return WINDOW, self.settlement()
        start, end = expiry - WINDOW, min(now, expiry)
        if self.phase != BEFORE or not self.time or end <= start:
            return 0, 0
        state = self._extend(start, end)
        if state.gap > MAX_GAP:
            return 0, 0
        return end - start, state.sum * PRICE_UNIT // (end - start)

    def _observe_before(self, expiry: int, price: int, time: int) -> Fixing:
        start = expiry - WINDOW
        state = self
        if not state.time:
            state = replace(state, price=price, time=min(time, start))
        elif time < state.time + SPACING:
            return state
        state = state._extend(start, time)
        count = min(state.count + 1, 255) if time >= start else state.count
        return replace(state, count=count, price=price, time=time)

    def _observe_after(self, expiry: int, price: int, time: int) -> Fixing:
        end = min(time, expiry + LATE_WINDOW)
        phase = SETTLED_LATE if time >= expiry + LATE_WINDOW else AFTER
        total = self.sum + self.price * (end - self.time)
        return replace(self, sum=total, price=price, time=end, phase=phase)

    def _extend(self, start: int, end: int) -> Fixing:
        if not self.time or end <= start:
            return self
        gap = min(max(self.gap, end - self.time), 0xFFF)
        return replace(self, gap=gap, sum=self.sum + self.price * (end - max(self.time, start)))


def observed_expiries(before: int, time: int) -> list[int]:
    """The expiries for which a price accepted at `time`, after one of time `before`, may count."""
    following = ((time - TIME_OF_DAY - LATE_WINDOW) // DAY + 1) * DAY + TIME_OF_DAY
    found = [following - DAY] if before < following - DAY + LATE_WINDOW else []
    return [*found, following] if time + LEAD >= following else found
