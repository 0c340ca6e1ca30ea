"""A case: the complete trials of a study before the judge, their predictions read when something asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.judge.bags import run_bags
from harness.judge.evidence import Evidence, Measure, Read, gather_evidence
from harness.judge.memory import Memory, name_bags, pack_bags, unpack_bags
from harness.judge.stats import BBC
from harness.judge.whole import Whole
from harness.plan import Study


class Case:
    """What bags say of a study's trials, by their places; mutable: what memory does not know is read once."""

    def __init__(
        self, whole: Sequence[Whole], study: Study, measure: Measure, read: Read, memory: Memory
    ) -> None:
        self._whole = whole
        self._upward = study.higher_is_better
        self._measure = measure
        self._read = read
        self._memory = memory
        self._evidence: Evidence | None = None

    @property
    def readable(self) -> bool:
        """Whether the predictions of every trial are there; until it is asked for, nothing else may be."""
        every = range(len(self._whole))
        return self._recall(every)[1] is not None or self._gather() is not None

    def bag(self, places: Sequence[int]) -> BBC:
        """Return what bags of examples say of some of the trials."""
        key, kept = self._recall(places)
        if kept is not None:
            return kept
        evidence = self._gather()
        assert evidence is not None, "asked only where the predictions are readable"
        predictions = [evidence.predictions[place] for place in places]
        bagged = run_bags(evidence, self._measure, predictions, higher_is_better=self._upward)
        if key:
            self._memory.keep(key, pack_bags(bagged))
        return bagged

    def show(self, place: int) -> Evidence:
        """Return the evidence of one trial."""
        if self._evidence is not None:
            return replace(self._evidence, predictions=(self._evidence.predictions[place],))
        found = self._open([self._whole[place]])
        assert found is not None, "asked only where the predictions are readable"
        return found

    def _recall(self, places: Sequence[int]) -> tuple[str, BBC | None]:
        """Return the key of what bags say of some trials, and what memory knows of it."""
        folds = [[fold for fold in self._whole[place].record.folds if fold.repeat == 0] for place in places]
        key = name_bags(self._measure, folds, higher_is_better=self._upward)
        kept = self._memory.recall(key, [fold for each in folds for fold in each]) if key else None
        return key, None if kept is None else unpack_bags(kept)

    def _gather(self) -> Evidence | None:
        if self._evidence is None:
            self._evidence = self._open(self._whole)
        return self._evidence

    def _open(self, whole: Sequence[Whole]) -> Evidence | None:
        records = [trial.record for trial in whole]
        return gather_evidence(records, repeat=0, read=self._read, target=self._measure.target)
