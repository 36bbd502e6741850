"""From a recipe's data to Arrow files of token ids, with an audit of what was read, dropped and found."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq.data.alignment import parse, to_pieces
from seq2seq.data.cleaning import DROPPED_BY, Cleaner, Overlap, drop_by_length
from seq2seq.data.inspection import Inspection, dropped_lines, dropped_warning
from seq2seq.data.reading import dropped_of, read_evaluation, read_training
from seq2seq.data.tokenization import EOS, UNK, BackwardTokenizer, Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.errors import UserError
from seq2seq.files import write_json
from seq2seq.recipe import AnyTokenizer, DataConfig

ROWS = 2000
"""Pairs that are encoded and written at once."""
BIN, BINS = 5, 41
"""Histograms of lengths: sentences of 0 to 4 tokens, 5 to 9 ...; the last bin holds all from 200 on."""

IDS = pa.list_(pa.int32())
TRAIN = pa.schema([("src_ids", IDS), ("tgt_ids", IDS), ("source", pa.int16())])
ALIGNED = TRAIN.append(pa.field("links", IDS))
"""With word alignments: source and target places of the tokens that belong together, in turn."""
EVALUATION = pa.schema([("src", pa.string()), ("tgt", pa.string()), ("src_ids", IDS), ("tgt_ids", IDS)])

Ints = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Pair = tuple[str, str]
T = TypeVar("T")


def prepare(
    data: DataConfig, tokenizer: AnyTokenizer, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Read, clean, learn the vocabulary, encode. Memory stays flat, however much training data there is.

    Args:
        folder: an empty folder. It receives `tokenizer.json` (or `tokenizer.src.json` and `tokenizer.tgt.json`),
            `train.arrow`, `valid.arrow`, `test-NAME.arrow` and `audit.json`.
        progress: is told in a line what has been done.

    Returns:
        The audit. Lengths are in tokens without </s>:
        `train`: `sources` (a list: key, read, kept, dropped by each filter, samples, warnings, and samples of what was
        dropped), their sums, and statistics of what is kept;
        `valid`, `test.NAME`: pairs, empty sides, samples, warnings, statistics, and `overlap`: how many of the set's
        sources, targets and pairs stand in the training data, before and after filtering;
        `vocabulary`: joint, src, tgt (tokens).

    Raises:
        UserError: data cannot be read, or nothing is left to train on.
    """
    evaluation = read_evaluation(data, progress)
    all_evaluation = [pair for _, pairs in evaluation.values() for pair in pairs]
    after = Overlap(all_evaluation)
    with (
        TemporaryDirectory(prefix=".scratch-", dir=folder) as scratch,
        Cleaner(data.filter, Path(scratch), len(data.train), all_evaluation) as cleaner,
    ):
        inspections = read_training(data, cleaner, progress)
        if not cleaner.finish():
            raise _nothing_left(cleaner)
        tokenizers = train_tokenizers(tokenizer, lambda: cleaner.texts(0), lambda: cleaner.texts(1))
        joint = tokenizers[0] is tokenizers[1]
        _save(tokenizers, joint, folder)
        tokenizers = tokenizers[0], BackwardTokenizer(tokenizers[1]) if data.reverse_target else tokenizers[1]
        progress(f"tokenizer: {' + '.join(f'{len(t):,}' for t in tokenizers[: 1 if joint else 2])} tokens")
        train = _write_train(cleaner, data, tokenizers, after, folder / "train.arrow", inspections)
        for entry in train["sources"]:
            for line in dropped_lines(entry["key"], entry["read"], entry["dropped"]):
                progress(line)
        before = cleaner.overlap
    audits = {
        name: {
            **write_evaluation(pairs, tokenizers, folder / f"{name}.arrow"),
            "overlap": {"before": before.count(pairs), "after": after.count(pairs)},
            **inspection.audit(),
        }
        for name, (inspection, pairs) in evaluation.items()
    }
    audit = {
        "train": train,
        "valid": audits.pop("valid"),
        "test": {name.removeprefix("test-"): value for name, value in audits.items()},
        "vocabulary": {"joint": joint, "src": len(tokenizers[0]), "tgt": len(tokenizers[1])},
    }
    write_json(folder / "audit.json", audit)
    return audit


def _save(tokenizers: tuple[Tokenizer, Tokenizer], joint: bool, folder: Path) -> None:
    if joint:
        tokenizers[0].save(folder / "tokenizer.json")
    else:
        tokenizers[0].save(folder / "tokenizer.src.json")
        tokenizers[1].save(folder / "tokenizer.tgt.json")


def _write_train(
    cleaner: Cleaner,
    data: DataConfig,
    tokenizers: tuple[Tokenizer, Tokenizer],
    after: Overlap,
    path: Path,
    inspections: list[Inspection],
) -> dict[str, Any]:
    """Encode the cleaner's pairs, drop the too long ones, write the others; returns their part of the audit."""
    statistics, schema = Statistics(), ALIGNED if any(data.alignments) else TRAIN
    with pa.ipc.new_file(path, schema) as file:
        for rows in batches(cleaner, ROWS):
            sources = np.array([row[0] for row in rows], np.int16)
            src = tokenizers[0].encode_batch([row[1] for row in rows])
            tgt = tokenizers[1].encode_batch([row[2] for row in rows])
            too_long, uneven = drop_by_length(data.filter, _lengths(src), _lengths(tgt))
            cleaner.drop("too_long", sources[too_long])
            cleaner.drop("length_ratio", sources[uneven])
            for name, drops in (("too_long", too_long), ("length_ratio", uneven)):
                for i in np.flatnonzero(drops).tolist():
                    cleaner.sample(name, *rows[i][:3])
            kept = np.flatnonzero(~(too_long | uneven)).tolist()
            for i in kept:
                after.add(*rows[i][1:3])
            src, tgt = [src[i] for i in kept], [tgt[i] for i in kept]
            statistics.add(src, tgt)
            columns = [_column(src), _column(tgt), sources[kept]]
            if schema is ALIGNED:
                columns.append(_links([rows[i][1:] for i in kept], tokenizers))
            file.write_batch(pa.record_batch(columns, schema=schema))
    if not statistics.pairs:
        raise _nothing_left(cleaner)
    counts = [
        {**_audit_of(inspection, dropped), "dropped_samples": samples}
        for inspection, dropped, samples in zip(inspections, dropped_of(cleaner), cleaner.samples, strict=True)
    ]
    totals = {"read": int(cleaner.read.sum()), "kept": statistics.pairs, "dropped": _dropped(cleaner)}
    return {**totals, "sources": counts, **statistics.summary()}


def _audit_of(inspection: Inspection, dropped: dict[str, int]) -> dict[str, Any]:
    """A training source's part of the audit."""
    read, audit = inspection.pairs, inspection.audit()
    audit["warnings"] += filter(None, [dropped_warning(read, dropped)])
    return {
        "key": inspection.source.key,
        "read": read,
        "kept": read - sum(dropped.values()),
        "dropped": dropped,
        **audit,
    }


def write_evaluation(pairs: list[Pair], tokenizers: tuple[Tokenizer, Tokenizer], path: Path) -> dict[str, Any]:
    """Encode and write a validation or test set, each of its pairs; returns its part of the audit."""
    statistics = Statistics()
    with pa.ipc.new_file(path, EVALUATION) as file:
        for rows in batches(pairs, ROWS):
            texts = [[pair[side] for pair in rows] for side in (0, 1)]
            src, tgt = (tokenizer.encode_batch(side) for tokenizer, side in zip(tokenizers, texts, strict=True))
            statistics.add(src, tgt)
            columns = [*(pa.array(side, pa.string()) for side in texts), _column(src), _column(tgt)]
            file.write_batch(pa.record_batch(columns, schema=EVALUATION))
    empty = {name: sum(not pair[side].strip() for pair in pairs) for side, name in enumerate(("src", "tgt"))}
    return {"pairs": len(pairs), "empty": empty, **statistics.summary()}


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _lengths(sentences: list[list[int]]) -> Ints:
    return np.array([len(sentence) for sentence in sentences], np.int64)


def _column(sentences: list[list[int]]) -> Any:
    """Token ids as an Arrow column, </s> appended to each sentence."""
    return pa.array([[*sentence, EOS] for sentence in sentences], IDS)


def _links(rows: list[tuple[str, str, str]], tokenizers: tuple[Tokenizer, Tokenizer]) -> Any:
    """The column `links` of texts with their words' alignments."""
    src, tgt = (tokenizers[side].words([row[side] for row in rows]) for side in (0, 1))
    pieces = [to_pieces(parse(row[2]), *words) for row, *words in zip(rows, src, tgt, strict=True)]
    return pa.array([[*itertools.chain(*links)] for links in pieces], IDS)


def _dropped(cleaner: Cleaner) -> dict[str, int]:
    return {name: int(cleaner.dropped[name].sum()) for name in DROPPED_BY}


def _nothing_left(cleaner: Cleaner) -> UserError:
    counts = ", ".join(f"{count:,} {name}" for name, count in _dropped(cleaner).items() if count)
    return UserError(
        f"data.train: none of {cleaner.read.sum():,} pairs is left to train on (dropped: {counts}); "
        "fix the data, or loosen data.filter"
    )


class Statistics:
    """Lengths and unknown tokens of a set of pairs, in memory that does not grow with it."""

    def __init__(self) -> None:
        self.pairs = 0
        self._lengths: list[Ints] = [np.zeros(1, np.int64), np.zeros(1, np.int64)]  # [length]: sentences that long
        self._unknown = [0, 0]

    def add(self, src: list[list[int]], tgt: list[list[int]]) -> None:
        """More pairs, as token ids without </s>."""
        self.pairs += len(src)
        for side, sentences in enumerate((src, tgt)):
            counts = np.bincount(_lengths(sentences), minlength=len(self._lengths[side]))
            counts[: len(self._lengths[side])] += self._lengths[side]
            self._lengths[side] = counts
            self._unknown[side] += sum(sentence.count(UNK) for sentence in sentences)

    def summary(self) -> dict[str, Any]:
        """`src` and `tgt`: mean, median ..., `unknown` (share of <unk>); `ratio`: target tokens a source token."""
        src, tgt = self._side(0), self._side(1)
        return {"src": src, "tgt": tgt, "ratio": round(tgt["tokens"] / max(1, src["tokens"]), 4)}

    def _side(self, side: int) -> dict[str, Any]:
        counts = self._lengths[side]
        tokens = int(counts @ np.arange(len(counts)))
        median, p95 = np.searchsorted(counts.cumsum(), [0.5 * self.pairs, 0.95 * self.pairs])
        bins = np.bincount(np.minimum(np.arange(len(counts)) // BIN, BINS - 1), counts).astype(np.int64)
        return {
            "tokens": tokens,
            "mean": round(tokens / max(1, self.pairs), 2),
            "median": int(median),
            "p95": int(p95),
            "max": int(np.flatnonzero(counts).max(initial=0)),
            "unknown": round(self._unknown[side] / max(1, tokens), 6),
            "histogram": {"bin": BIN, "counts": bins.tolist()},
        }


class PreparedPairs:
    """An Arrow file of encoded pairs, mapped into memory: only what is looked at is read.

    Raises:
        UserError: there is no such file, or it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{path}: cannot be read: {error}; prepare the data again with --force") from None
        self._src, self._tgt = (_Lists(self._table[name]) for name in ("src_ids", "tgt_ids"))
        self._links = _Lists(self._table["links"]) if "links" in self._table.column_names else None

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def lengths(self) -> tuple[Ids, Ids]:
        """Tokens of each source and of each target [pairs], </s> included."""
        return self._src.lengths, self._tgt.lengths

    @property
    def source(self) -> npt.NDArray[np.int16]:
        """Of training data: which of the recipe's sources each pair is from [pairs]."""
        return np.asarray(self._table["source"], np.int16)

    def take(self, indices: Sequence[int] | npt.NDArray[Any]) -> tuple[list[Ids], list[Ids]]:
        """Token ids of these pairs' sources and targets, </s> included; views of the file, not to be written to."""
        return self._src.take(indices), self._tgt.take(indices)

    def links(self, indices: Sequence[int] | npt.NDArray[Any]) -> list[Ids]:
        """Of aligned training data: these pairs' places of tokens that belong together [links, 2], the source's first;
        views of the file."""
        assert self._links is not None
        return [links.reshape(-1, 2) for links in self._links.take(indices)]

    def src_texts(self) -> list[str]:
        """Of validation and test sets: the sources as they were read."""
        return list(self._table["src"].to_pylist())

    def tgt_texts(self) -> list[str]:
        """Of validation and test sets: the targets as they were read."""
        return list(self._table["tgt"].to_pylist())


class _Lists:
    """A column of lists of numbers."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
        self._offsets = [chunk.offsets.to_numpy() for chunk in column.chunks]
        self._values = [chunk.values.to_numpy() for chunk in column.chunks]

    @property
    def lengths(self) -> Ids:
        """Of each list [rows]."""
        lengths = [np.diff(offsets) for offsets in self._offsets]
        return np.concatenate(lengths or [np.zeros(0)]).astype(np.int32)

    def take(self, indices: Sequence[int] | npt.NDArray[Any]) -> list[Ids]:
        """These rows' lists: views, not to be written to."""
        rows = np.asarray(indices, np.int64)
        chunks = np.searchsorted(self._starts, rows, "right") - 1
        places = zip(chunks.tolist(), (rows - self._starts[chunks]).tolist(), strict=True)
        return [self._values[chunk][self._offsets[chunk][row] : self._offsets[chunk][row + 1]] for chunk, row in places]
