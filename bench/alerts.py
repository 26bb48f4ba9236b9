"""False alarms against their budget, and events found, in hours of streams that were not heard.

    python bench/alerts.py --data DIR [--hours 3] [--work DIR] [--out alerts.png]
        [--modalities audio,imu,vision] [--model starter] [--frozen] [--same-sources]
        [--json FILE]

Seven seeded streams of microphones, worn motion sensors and cameras, each in two halves of --hours:
in the first the product hears the stream, then 33 queries in words are put with three budgets each,
and the second is the test. Its recordings are those held out of the starter's training (DIR as for
that), its rendered houses, voices and bodies are of other seeds; with --same-sources they are
those of the first half, at other times. Levels go on adapting in the test half, as they do live;
--frozen keeps those that the first half gave, which is several times as quick.

An alert is right if it overlaps, give or take a window, something that the query or a related
concept means; hours are those without any such thing. A line is a query on one stream. --work keeps
the vectors.

median, pooled: false alarms an hour. <= 2x: lines with at most twice their budget; exact: what
that share would be if every line had exactly its budget, by Poisson. over: lines with significantly
more than their budget (p < 0.05). promised: lines to which the budget was promised. recall: events
of exactly what was asked for that an alert met.

At equal false alarms: the product beside four other scores. cosine: as it is. z-score: of the
cosine by a running mean and deviation, as in Frigate. softmax: of 100 times the cosines, over the
background phrases, as in hailo-CLIP. average: exponential moving average of the cosine, then 10 s
of silence. All have the product's events: hysteresis of 1.5 robust deviations, a cooldown of 5 s.

one level: theirs is one for all lines of a modality, the best there is, found on the test half
itself so that all lines together have as many false alarms as the product had; the product's are
those that it drew. In brackets: lines with at most twice their budget. each: all have the best
level for each line, the product's score too, found on the test half so that each line has so many
false alarms an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import judging
import numpy as np
import torch
from alerts_report import (
    BUDGETS,
    FIXED,
    WAYS,
    Total,
    draw,
    show_budgets,
    show_causes,
    show_recall,
)
from arguments import some_of
from judging import Scores, Spans, Truth, Way
from played import Heard, heard
from rooms import Happening
from streams import ASKED, STREAMS, Stream, parts

from bindstream import lines
from bindstream.config import QueryConfig
from bindstream.levels import shape_of
from bindstream.matcher import SAME_MEANING, Query
from bindstream.modalities import MODALITIES
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.queries import encode_query
from bindstream.records import Alert, Embedding
from bindstream.training.starter.recordings import Entry, read_recordings
from bindstream.watch import Watch

MODALITIES_ASKED = ("audio", "imu", "vision")
BEGIN_NS = 1_790_000_000_000_000_000  # capture time of each stream's beginning
LEAST_SHARE = 0.25  # of the test without what answers a query, or its false alarms say nothing


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=3.0, help="of each half")
    parser.add_argument("--work", type=Path, help="keep vectors in this folder")
    parser.add_argument("--out", type=Path, help="write a picture, PNG")
    parser.add_argument("--json", type=Path, help="write the figures too")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--modalities", type=some_of(MODALITIES_ASKED), default=MODALITIES_ASKED)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--same-sources", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = load_model(options.model, modalities=[*options.modalities, "text"])
    entries = read_recordings(options.data)
    print(f"{model.name} {model.fingerprint}, {options.hours:g} h and {options.hours:g} h")
    rows: list[dict[str, Any]] = []
    lines_of: dict[str, list[Line]] = defaultdict(list)
    with as_drawn(options.frozen):
        for stream in STREAMS:
            if stream.modality in options.modalities:
                lines_of[stream.modality] += measured(model, stream, entries, options)
    for some in lines_of.values():
        rows += [row for line in some for row in line.rows]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    show_budgets(rows)
    show_causes(rows)
    together = {modality: with_one_level(some) for modality, some in lines_of.items()}
    show_recall(rows, together)
    if options.out:
        draw(options.out, rows)


@contextlib.contextmanager
def as_drawn(frozen: bool) -> Iterator[None]:
    """Levels stay as the first half gave them, if they are to."""
    before = lines.RESTS
    lines.RESTS = 0 if frozen else before  # the rest between two levels never ends
    try:
        yield
    finally:
        lines.RESTS = before


@dataclass(frozen=True)
class Line:
    """A query on a stream: its rows, one a budget, its scores, and what answers it."""

    rows: list[dict[str, Any]]
    ways: dict[str, Way]
    known: Truth


def with_one_level(some: Sequence[Line]) -> list[dict[str, Total]]:
    """All lines of a modality at each budget's false alarms, the others with one level for all."""
    found = []
    hours = [line.known.hours for line in some]
    for k, budget in enumerate(BUDGETS):
        mine = [(line.rows[k]["false"], line.rows[k]["found"]) for line in some]
        most, truths = sum(false for false, _ in mine), [line.known for line in some]
        totals = {"product": total(mine, hours, budget)}
        for name in WAYS[1:]:
            levelled = judging.one_level([line.ways[name] for line in some], truths, most)
            totals[name] = total([(j.false, j.found) for j in levelled], hours, budget)
        found.append(totals)
    return found


def total(lines: Sequence[tuple[int, int]], hours: Sequence[float], budget: float) -> Total:
    """Of (false alarms, events found) of each line."""
    kept = sum(false <= 2 * budget * h for (false, _), h in zip(lines, hours, strict=True))
    return Total(sum(found for _, found in lines), kept, len(lines))


def measured(
    model: Model, stream: Stream, entries: Sequence[Entry], options: argparse.Namespace
) -> list[Line]:
    """All lines of a stream."""
    halves = parts(options.hours, options.seed, same_sources=options.same_sources)
    first, test = (heard(model, stream, part, entries, options.work) for part in halves)
    began = perf_counter()
    wanted = list(queries(model, stream))
    run = watched(model, stream, (first, test), wanted)
    found: list[Line] = []
    for index, concept in enumerate(ASKED[stream.modality]):
        known = judging.truth(
            test.happenings, concept, len(test.vectors), MODALITIES[stream.modality].window_s
        )
        if known.hours < LEAST_SHARE * options.hours:
            continue
        same = [wanted[index + k * len(ASKED[stream.modality])] for k in range(len(BUDGETS))]
        ways = scored(model, stream, same[0], run, index, (first, test))
        rows = [row(stream, query, run, known, test.happenings, ways) for query in same]
        found.append(Line(rows, ways, known))
    seconds = perf_counter() - began
    print(f"{stream.name} judged in {seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def queries(model: Model, stream: Stream) -> Iterator[Query]:
    """Each query with each budget: all with the first, all with the second, all with the third."""
    for budget in BUDGETS:
        for concept, words in ASKED[stream.modality].items():
            name = f"{concept}-{round(budget * 1000)}"
            config = QueryConfig(
                id=name, text=(words,), modalities=(stream.modality,), budget=budget
            )
            yield encode_query(config, model.encode_text, model.fingerprint)


@dataclass(frozen=True)
class Run:
    """What the product made of a stream: alerts by query, levels as the test began, and of each
    line of the first budget its z and cosines in the test half, (n, q)."""

    alerts: dict[str, list[Alert]]
    levels: dict[str, tuple[float, str]]
    z: Scores
    cosines: Scores


def watched(
    model: Model, stream: Stream, halves: tuple[Heard, Heard], wanted: Sequence[Query]
) -> Run:
    """The product hears the first half, is asked, and watches the second."""
    phrases = list(model.background(stream.modality))
    watch = Watch({stream.modality: model.encode_text(phrases)})
    count = len(ASKED[stream.modality])
    first, test = halves
    for embedding in embeddings(model, stream, first.vectors, 0):
        watch.push(embedding)
    for query in wanted:
        watch.put(query)
    last: dict[str, Alert] = {}
    levels: dict[str, tuple[float, str]] = {}
    z, cosines = (np.empty((len(test.vectors), count)) for _ in range(2))
    for k, embedding in enumerate(embeddings(model, stream, test.vectors, len(first.vectors))):
        scores, alerts = watch.push(embedding)
        last |= {alert.id: alert for alert in alerts}
        z[k], cosines[k] = scores.z[:count], scores.cosines[:count]  # type: ignore[attr-defined]
        if k == 0:
            levels = {name: (level.on, level.promise) for name, _, level in watch.levels()}
    last |= {alert.id: alert for alert in watch.flush()}
    by_query: dict[str, list[Alert]] = {query.config.id: [] for query in wanted}
    for alert in last.values():
        by_query[alert.query].append(alert)
    return Run(by_query, levels, z, cosines)


def embeddings(model: Model, stream: Stream, vectors: Any, first: int) -> Iterator[Embedding]:
    window_ns = round(MODALITIES[stream.modality].window_s * 1e9)
    for seq, vector in enumerate(vectors, first):
        at_ns = BEGIN_NS + seq * 1_000_000_000
        yield Embedding(
            stream.name, stream.modality, seq, at_ns, at_ns + window_ns, vector, model.fingerprint
        )


def scored(
    model: Model,
    stream: Stream,
    query: Query,
    run: Run,
    index: int,
    halves: tuple[Heard, Heard],
) -> dict[str, Way]:
    """The product's score of one line, and the four others."""
    first, test = halves
    phrases = model.encode_text(list(model.background(stream.modality)))
    phrases = phrases[phrases @ query.positive < SAME_MEANING]
    before = (first.vectors @ query.positive).astype(np.float64)
    cosines, shape = run.cosines[:, index], shape_of(query.config)
    starts_ns = np.arange(len(cosines), dtype=np.int64) * 1_000_000_000
    window_ns = round(MODALITIES[stream.modality].window_s * 1e9)
    silent = dataclasses.replace(shape, cooldown_ns=round(judging.REFRACTORY_S * 1e9))
    values = {
        "cosine": cosines,
        "z-score": judging.running_z(np.concatenate([before, cosines]))[len(before) :],
        "softmax": judging.softmax_logit(cosines, test.vectors @ phrases.T),
        "average": judging.moving_average(cosines),
    }
    ways = {
        name: judging.way(found, starts_ns, window_ns, silent if name == "average" else shape)
        for name, found in values.items()
    }
    product = judging.way(run.z[:, index], starts_ns, window_ns, shape)
    return {"product": Way(product.series, shape), **ways}


def row(
    stream: Stream,
    query: Query,
    run: Run,
    known: Truth,
    found: Sequence[Happening],
    ways: dict[str, Way],
) -> dict[str, Any]:
    """All figures of one line with one budget."""
    name, budget = query.config.id, query.config.budget
    spans = np.array([(a.start_ns, a.end_ns) for a in run.alerts[name]], np.float64)
    begin_ns = BEGIN_NS + len(run.z) * 1_000_000_000
    spans = (spans.reshape(-1, 2) - begin_ns) / 1e9
    mine = judging.judged(spans, known)
    most = [round(rate * known.hours) for rate in FIXED]
    others = {name: judging.at_most(one, known, most) for name, one in ways.items()}
    level, promise = run.levels[name]
    return {
        "stream": stream.name,
        "modality": stream.modality,
        "query": query.config.text[0],
        "budget": budget,
        "hours": known.hours,
        "false": mine.false,
        "events": len(known.own),
        "found": mine.found,
        "level": level,
        "promise": promise,
        "is_promised": promise.startswith("at most"),
        "causes": causes(spans[mine.wrong], found, known.slack_s),
        "fixed": [{w: others[w][k].found for w in WAYS} for k in range(len(FIXED))],
        "fixed_false": [{w: others[w][k].false for w in WAYS} for k in range(len(FIXED))],
    }


def causes(wrong: Spans, found: Sequence[Happening], slack_s: float) -> list[list[str]]:
    """What happened at each false alarm, its concept and its source: the shortest thing of all."""
    said = []
    for start_s, end_s in wrong.tolist():
        there = [h for h in found if h.start_s - slack_s <= end_s and h.end_s + slack_s >= start_s]
        there.sort(key=lambda h: h.end_s - h.start_s)
        said.append([there[0].concepts[0], there[0].source] if there else ["nothing", ""])
    return said


if __name__ == "__main__":
    main()
