"""From parallel text to tokenized, memory-mapped Arrow files and an audit of what was read and dropped."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq import recipe
from seq2seq.data.cleaning import Overlap, find_repeated, unfit_length, unfit_text
from seq2seq.data.corpus import Pairs, Role, read_pairs
from seq2seq.data.tokenization import EOS, UNK, Tokenizer, train_tokenizers
from seq2seq.errors import UserError
from seq2seq.run_folder import write_json

CHUNK = 2000
"""Pairs that are tokenized and written together."""

IDS = pa.list_(pa.int32())
TRAIN = pa.schema([("src_ids", IDS), ("tgt_ids", IDS), ("source", pa.int16())])
HELD_OUT = pa.schema([("src_ids", IDS), ("tgt_ids", IDS), ("src", pa.large_string()), ("tgt", pa.large_string())])


class PreparedPairs:
    """The pairs of one Arrow file; read from disk as they are needed."""

    def __init__(self, path: Path) -> None:
        self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self._src, self._tgt = _Lists(self._table["src_ids"]), _Lists(self._table["tgt_ids"])

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def lengths(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Tokens of each source and of each target, </s> included [pairs]."""
        return self._src.lengths, self._tgt.lengths

    @property
    def source(self) -> npt.NDArray[np.int16]:
        """Which of the recipe's training sources each pair is from [pairs]."""
        return np.asarray(self._table["source"].to_numpy())

    def take(
        self, indices: Sequence[int] | npt.NDArray[Any]
    ) -> tuple[list[npt.NDArray[np.int32]], list[npt.NDArray[np.int32]]]:
        """The token ids of some pairs: sources, targets, each ending with </s>."""
        return [self._src[int(i)] for i in indices], [self._tgt[int(i)] for i in indices]

    def src_texts(self) -> list[str]:
        """The sources as they were in the file (validation and test sets)."""
        return list(self._table["src"].to_pylist())

    def tgt_texts(self) -> list[str]:
        """The references as they were in the file (validation and test sets)."""
        return list(self._table["tgt"].to_pylist())


class _Lists:
    """Fast access to the rows of a chunked list column, without copying it into memory."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._values = [chunk.values.to_numpy() for chunk in column.chunks]
        self._offsets = [chunk.offsets.to_numpy() for chunk in column.chunks]
        sizes = [len(chunk) for chunk in column.chunks]
        self._starts = np.cumsum([0, *sizes])
        lengths = [np.diff(offsets) for offsets in self._offsets]
        self.lengths: npt.NDArray[np.int32] = np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int32)

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        chunk = int(np.searchsorted(self._starts, row, side="right")) - 1
        offsets, place = self._offsets[chunk], row - self._starts[chunk]
        ids: npt.NDArray[np.int32] = self._values[chunk][offsets[place] : offsets[place + 1]]
        return ids


def prepare(
    data: recipe.Data, tokenizer: recipe.AnyTokenizer, seed: int, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Read, clean and tokenize a recipe's data into an existing, empty folder.

    Writes tokenizer.json (or tokenizer.src.json and tokenizer.tgt.json), train.arrow,
    valid.arrow, test-NAME.arrow and audit.json. Memory does not grow with the training data.

    Returns:
        the audit.

    Raises:
        UserError: data cannot be read, or nothing is left of it.
    """

    def read(source: recipe.AnySource, role: Role, key: str) -> Pairs:
        return read_pairs(source, role, data.src, data.tgt, seed, key)

    held_out = {"valid": list(read(data.valid, "valid", "data.valid"))}
    held_out |= {f"test-{name}": list(read(source, "test", f"data.test.{name}")) for name, source in data.test.items()}
    for name, pairs in held_out.items():
        if not pairs:
            raise UserError(f"data.{name.replace('-', '.', 1)}: no sentence pair in it; name a file that has some")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        raw, kept = Spool(Path(scratch) / "raw"), Spool(Path(scratch) / "kept")
        for i, source in enumerate(data.train):
            raw.write((src, tgt, i) for src, tgt in read(source, "train", f"data.train.{i}"))
        raw.close()
        audit = Audit(len(data.train), Overlap(itertools.chain(*held_out.values())))
        kept.write(_clean(raw, data.filter, audit, Path(scratch)))
        kept.close()
        tokenizers = train_tokenizers(
            tokenizer, lambda: (src for src, _, _ in kept), lambda: (tgt for _, tgt, _ in kept)
        )
        _save_tokenizers(tokenizers, folder)
        _write_training(kept, data.filter, tokenizers, audit, folder / "train.arrow")
    say(f"{audit.kept.total():,} of {audit.read.total():,} training pairs kept; dropped: {audit.drops()}")
    if not audit.kept.total():
        raise UserError(
            f"data.train: nothing is left to train on; dropped: {audit.drops()}; change data.filter or the data"
        )
    result = {"vocabulary": {data.src: len(tokenizers[0]), data.tgt: len(tokenizers[1])}, "train": audit.training()}
    for name, pairs in held_out.items():
        lengths = _write_held_out(pairs, tokenizers, folder / f"{name}.arrow")
        result[name] = audit.held_out(pairs, data.filter.drop_test_overlap) | lengths
    write_json(folder / "audit.json", result)
    return result


class Spool:
    """Sentence pairs with the number of their source, on disk; written once, read any number of times, in a stream."""

    SCHEMA = pa.schema([("src", pa.large_string()), ("tgt", pa.large_string()), ("source", pa.int16())])

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._file = pa.OSFile(self._path, "wb")
        self._writer = pa.ipc.new_stream(self._file, self.SCHEMA)

    def write(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Add pairs."""
        for chunk in _chunks(rows):
            self._writer.write_batch(
                pa.record_batch([list(column) for column in zip(*chunk, strict=True)], self.SCHEMA)
            )

    def close(self) -> None:
        """No more pairs; from now on it can be read."""
        self._writer.close()
        self._file.close()

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        with pa.OSFile(self._path, "rb") as file:
            for batch in pa.ipc.open_stream(file):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


class Audit:
    """Counts of what was read, dropped and why, by source."""

    def __init__(self, sources: int, overlap: Overlap) -> None:
        self.overlap = overlap
        self.read, self.kept = Counter[int](), Counter[int]()
        self.dropped = [Counter[str]() for _ in range(sources)]
        self.seen_src: set[str] = set()
        self.seen_tgt: set[str] = set()
        self.lengths = Lengths(), Lengths()

    def note_overlap(self, src: str, tgt: str) -> None:
        """Remember which held-out sentences stand in the training data as it was read."""
        if src.strip() in self.overlap.src:
            self.seen_src.add(src.strip())
        if tgt.strip() in self.overlap.tgt:
            self.seen_tgt.add(tgt.strip())

    def drops(self) -> str:
        """All drops in one line."""
        total = sum(self.dropped, Counter[str]())
        return ", ".join(f"{count:,} {reason}" for reason, count in total.most_common()) or "none"

    def training(self) -> dict[str, Any]:
        """What audit.json says of the training data."""
        sources = [{"read": self.read[i], "kept": self.kept[i], **dropped} for i, dropped in enumerate(self.dropped)]
        src, tgt = self.lengths
        return {
            "pairs": self.kept.total(),
            "sources": sources,
            "src_tokens": src.summary(),
            "tgt_tokens": tgt.summary(),
        }

    def held_out(self, pairs: list[tuple[str, str]], dropped: bool) -> dict[str, Any]:
        """What audit.json says of a validation or test set."""
        return {
            "pairs": len(pairs),
            "empty_sides": sum(not side.strip() for pair in pairs for side in pair),
            "sources_found_in_training_data": sum(src.strip() in self.seen_src for src, _ in pairs),
            "targets_found_in_training_data": sum(tgt.strip() in self.seen_tgt for _, tgt in pairs),
            "found_ones_dropped_from_training": dropped,
        }


def _clean(raw: Spool, section: recipe.Filter, audit: Audit, scratch: Path) -> Iterator[tuple[str, str, int]]:
    """The pairs that the text filters keep."""
    repeated = find_repeated(((src, tgt) for src, tgt, _ in raw), scratch) if section.deduplicate else None
    for number, (src, tgt, source) in enumerate(raw):
        audit.read[source] += 1
        audit.note_overlap(src, tgt)
        reason = unfit_text(section, src, tgt, audit.overlap, repeated is not None and bool(repeated[number]))
        if reason is None:
            yield src, tgt, source
        else:
            audit.dropped[source][reason] += 1


class Lengths:
    """Token counts of one side, as a histogram: memory is bounded by the longest sentence."""

    def __init__(self) -> None:
        self.histogram: Counter[int] = Counter()
        self.tokens = self.unknown = 0

    def add(self, ids: list[int]) -> None:
        self.histogram[len(ids)] += 1
        self.tokens += len(ids)
        self.unknown += ids.count(UNK)

    def summary(self) -> dict[str, Any]:
        """Tokens a sentence without </s>, and the share of unknown ones."""
        if not self.histogram:
            return {}
        values = np.array(sorted(self.histogram), dtype=np.int64)
        below = np.cumsum([self.histogram[v] for v in values.tolist()])

        def quantile(share: float) -> int:
            return int(values[np.searchsorted(below, share * below[-1])])

        return {
            "tokens": self.tokens,
            "mean": round(self.tokens / int(below[-1]), 2),
            "median": quantile(0.5),
            "95%": quantile(0.95),
            "max": int(values[-1]),
            "unknown_share": round(self.unknown / max(1, self.tokens), 6),
        }


def _save_tokenizers(tokenizers: tuple[Tokenizer, Tokenizer], folder: Path) -> None:
    if tokenizers[0] is tokenizers[1]:
        tokenizers[0].save(folder / "tokenizer.json")
    else:
        tokenizers[0].save(folder / "tokenizer.src.json")
        tokenizers[1].save(folder / "tokenizer.tgt.json")


def _write_training(
    pairs: Spool, section: recipe.Filter, tokenizers: tuple[Tokenizer, Tokenizer], audit: Audit, path: Path
) -> None:
    """Tokenize, and keep what the length filters keep."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, TRAIN) as writer:
        for rows in _chunks(pairs):
            src, tgt, sources = zip(*rows, strict=True)
            kept = []
            encoded = zip(tokenizers[0].encode_batch(src), tokenizers[1].encode_batch(tgt), sources, strict=True)
            for src_ids, tgt_ids, source in encoded:
                reason = unfit_length(section, len(src_ids), len(tgt_ids))
                if reason is not None:
                    audit.dropped[source][reason] += 1
                    continue
                audit.kept[source] += 1
                audit.lengths[0].add(src_ids)
                audit.lengths[1].add(tgt_ids)
                kept.append(([*src_ids, EOS], [*tgt_ids, EOS], source))
            if kept:
                columns = [list(column) for column in zip(*kept, strict=True)]
                writer.write_batch(pa.record_batch(columns, schema=TRAIN))


def _write_held_out(
    pairs: list[tuple[str, str]], tokenizers: tuple[Tokenizer, Tokenizer], path: Path
) -> dict[str, Any]:
    """Tokenize a validation or test set, all of it; returns its length statistics."""
    lengths = Lengths(), Lengths()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, HELD_OUT) as writer:
        for rows in _chunks(pairs):
            texts = [list(side) for side in zip(*rows, strict=True)]
            columns = []
            for tokenizer, side, counts in zip(tokenizers, texts, lengths, strict=True):
                encoded = tokenizer.encode_batch(side)
                for ids in encoded:
                    counts.add(ids)
                columns.append([[*ids, EOS] for ids in encoded])
            writer.write_batch(pa.record_batch([*columns, *texts], schema=HELD_OUT))
    return {"src_tokens": lengths[0].summary(), "tgt_tokens": lengths[1].summary()}


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, CHUNK)):
        yield chunk
