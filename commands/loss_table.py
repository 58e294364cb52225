"""The table of losses in Markdown, a row a drill: printed, or kept up to date in a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commands.drills import Drill
from commands.kept import Found
from commands.load import Outcome

COLUMNS = ("What was lost", "Returns by", "Seconds", "Requests failed", "Acknowledged and lost", "Again with")
RULE = "|---|---|--:|--:|--:|---|"
UNTOLD = "-"


@dataclass(frozen=True)
class Result:
    """What became of a drill."""

    drill: Drill
    outcomes: Sequence[Outcome]
    returned: float
    """Seconds from the loss until all worked again; 0 where it did not come."""
    found: Sequence[Found]
    """What became of what the lab had acknowledged."""

    @property
    def well(self) -> bool:
        """Whether all works again, and nothing is lost."""
        return bool(self.returned) and not any(each.lost for each in self.found)

    def cells(self) -> tuple[str, ...]:
        """Return the row, column by column."""
        failed, requests = (sum(getattr(each, name) for each in self.outcomes) for name in ("failed", "requests"))
        return (
            self.drill.says,
            self.drill.by,
            self._seconds(),
            f"{failed} of {requests}",
            self._lost(),
            f"`make drill NAME={self.drill.name}`",
        )

    def _seconds(self) -> str:
        longest = max((each for each in self.outcomes if each.failed), key=lambda each: each.away, default=None)
        all_of_it = f"all {self.returned:.0f}" if self.returned else "not all"
        if longest is None:
            return all_of_it
        away = "for good" if longest.away == float("inf") else f"{longest.away:.1f}"
        return f"{longest.target} {away}, {all_of_it}"

    def _lost(self) -> str:
        if not self.found:
            return UNTOLD
        lost = [f"{each.lost} of {each.acknowledged} {each.kind}" for each in self.found if each.lost]
        return ", ".join(lost) or f"0 of {sum(each.acknowledged for each in self.found)}"


def line(cells: Iterable[str]) -> str:
    """Return a row as Markdown has it."""
    return f"| {' | '.join(cells)} |"


def table(results: Iterable[Result]) -> list[str]:
    """Return the lines of the whole table."""
    return [line(COLUMNS), RULE, *(line(each.cells()) for each in results)]


def merged(text: str, result: Result) -> str:
    """Return a document with a row for a drill: in the place of that drill's last one, or as the table's last.

    A document without the table gets one at its end.
    """
    lines, row = text.splitlines(), line(result.cells())
    if line(COLUMNS) not in lines:
        return "\n".join([*lines, *([""] if lines else []), *table([result]), ""])
    first = lines.index(line(COLUMNS)) + 2
    end = next((at for at in range(first, len(lines)) if not lines[at].startswith("|")), len(lines))
    rows = lines[first:end]
    same = [at for at, each in enumerate(rows) if each.endswith(f" | {result.cells()[-1]} |")]
    if same:
        rows[same[0]] = row
    else:
        rows.append(row)
    return "\n".join([*lines[:first], *rows, *lines[end:], ""])
