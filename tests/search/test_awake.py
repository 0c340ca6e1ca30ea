from __future__ import annotations

from harness.search.awake import AwakeClock


def test_only_time_without_work_or_a_wish_to_wait_is_no_time() -> None:
    now = worked = 100.0
    clock = AwakeClock(clock=lambda: now, worked=lambda: worked)
    now += 20
    assert clock.read() == 120  # a busy machine
    now, worked = now + 60, worked + 50
    assert clock.read() == 180  # tables were written
    now += 60
    assert clock.read(waited_s=60) == 240
    now += 3600
    assert clock.read(waited_s=0.5) == 240.5  # stopped
    now += 5
    assert clock.read() == 245.5
