"""What was measured, as tables in Markdown: each figure the median over the rounds."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bench.load import Burst
from bench.targets import Target

Rounds = Sequence[Burst]


def table(
    measured: Iterable[tuple[Target, Rounds]],
    bare: Rounds,
    statements: Iterable[tuple[float, float]],
) -> str:
    """Compare targets with the bare view, round by round: what slows the machine slows both."""
    head = ["page", "visitor", "requests/s", "p50 ms", "p95 ms", "CPU ms"]
    head += ["times slower", "times the CPU", "statements", "database ms"]
    rows = [
        [
            target.page,
            target.visitor,
            f"{_median(rounds, lambda burst: burst.per_second):.0f}",
            f"{_median(rounds, lambda burst: burst.p50_ms):.1f}",
            f"{_median(rounds, lambda burst: burst.p95_ms):.1f}",
            f"{_median(rounds, lambda burst: burst.cpu_ms):.2f}",
            f"{_ratio(bare, rounds, lambda burst: burst.per_second):.1f}",
            f"{_ratio(rounds, bare, lambda burst: burst.cpu_ms):.1f}",
            f"{count:.0f}",
            f"{spent_ms:.1f}",
        ]
        for (target, rounds), (count, spent_ms) in zip(measured, statements, strict=True)
    ]
    return _markdown(head, rows)


def comparison(measured: Iterable[tuple[Target, Rounds, Rounds]]) -> str:
    """Compare another checkout (the second rounds) with this one, round by round."""
    head = ["page", "visitor", "CPU ms there", "here", "there ÷ here"]
    head += ["requests/s there", "here", "here ÷ there"]
    rows = [
        [
            target.page,
            target.visitor,
            f"{_median(there, lambda burst: burst.cpu_ms):.2f}",
            f"{_median(here, lambda burst: burst.cpu_ms):.2f}",
            f"{_ratio(there, here, lambda burst: burst.cpu_ms):.2f}",
            f"{_median(there, lambda burst: burst.per_second):.0f}",
            f"{_median(here, lambda burst: burst.per_second):.0f}",
            f"{_ratio(here, there, lambda burst: burst.per_second):.2f}",
        ]
        for target, here, there in measured
    ]
    return _markdown(head, rows)


def _median(rounds: Rounds, figure: Callable[[Burst], float]) -> float:
    return median(figure(burst) for burst in rounds)


def _ratio(upper: Rounds, lower: Rounds, figure: Callable[[Burst], float]) -> float:
    pairs = zip(upper, lower, strict=True)
    return median(figure(first) / figure(second) for first, second in pairs)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", "---"] + ["---:"] * (len(head) - 2)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])
