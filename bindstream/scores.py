"""What all queries made of one window, as `Score` records that are made when they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from bindstream.budget.tail import Tail
from bindstream.matcher import Query, Values
from bindstream.records import Embedding, Score


@dataclass(frozen=True)
class Scores(Sequence[Score]):
    """Scores of one window: (q,) of each kind, and the tails of those whose levels were drawn."""

    embedding: Embedding
    queries: tuple[Query, ...]
    cosines: Values
    values: Values
    z: Values
    shares: Values
    tails: Mapping[str, Tail]

    def __len__(self) -> int:
        return len(self.queries)

    @overload
    def __getitem__(self, line: int) -> Score: ...
    @overload
    def __getitem__(self, line: slice) -> list[Score]: ...
    def __getitem__(self, line: int | slice) -> Score | list[Score]:
        if isinstance(line, slice):
            return [self[one] for one in range(*line.indices(len(self)))]
        of, name = self.embedding, self.queries[line].config.id
        tail, z = self.tails.get(name), float(self.z[line])
        return Score(
            query=name,
            stream=of.stream,
            modality=of.modality,
            seq=of.seq,
            start_ns=of.start_ns,
            end_ns=of.end_ns,
            cosine=float(self.cosines[line]),
            value=float(self.values[line]),
            z=z,
            share=float(self.shares[line]),
            per_hour=math.nan if tail is None or math.isnan(z) else tail.rate(z),
            readings=of.readings,
            stages=of.stages,
        )
