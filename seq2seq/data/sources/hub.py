"""A data set of the Hugging Face hub, or a folder that holds one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seq2seq.data.lines import MAX_RATIO, Faults, check_unpacked, fail, most_unpacked, unreadable
from seq2seq.data.sources.base import BadRecord, DataSource, Pairs, Role, field
from seq2seq.errors import UserError
from seq2seq.recipe.sources import HubSourceConfig

SPLITS: dict[Role, str] = {"train": "train", "valid": "validation", "test": "test"}
"""A role's split where the recipe names none."""


class Source(DataSource[HubSourceConfig]):
    """Rows with a field for each side, also within `translation`. No code of the hub is ever run."""

    fix = "check src_field and tgt_field"

    @property
    def name(self) -> str:
        return self.config.hub

    @property
    def preview(self) -> int | None:
        return 0 if self._folder() is None else None

    @property
    def split(self) -> str:
        """The part of the data set that is read."""
        return self.config.split or SPLITS[self.role]

    def files(self) -> dict[str, Path]:
        folder = self._folder()
        if folder is None:
            return {}
        files = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
        shown = {name: path for name, path in files.items() if not any(part.startswith(".") for part in name.parts)}
        return {f"file {name.as_posix()}": path for name, path in shown.items()}

    def options(self) -> dict[str, str]:
        fields = f"{self.config.src_field or self.src}, {self.config.tgt_field or self.tgt}"
        parts = {"config": self.config.config or "default", "split": self.split, "fields": fields}
        if self._folder() is None:
            parts |= {"hub": self.config.hub, "revision": self.config.revision or "newest"}
        return parts

    def read(self) -> Pairs:
        faults, config = Faults(self.key), self.config
        src = [config.src_field] if config.src_field else [self.src, f"translation.{self.src}"]
        tgt = [config.tgt_field] if config.tgt_field else [self.tgt, f"translation.{self.tgt}"]
        left = self._most_text()
        try:
            for number, record in enumerate(self._rows(src, tgt)):
                try:
                    pair = field(record, src, "src_field"), field(record, tgt, "tgt_field")
                except BadRecord as error:
                    faults.add(f"{config.hub}, {self.split}, row {number}", *error.args)
                else:
                    left -= len(pair[0]) + len(pair[1]) + 2  # as lines of two files
                    if left < 0:
                        what = f"its text is more than {MAX_RATIO} times the size of its files, which no text is"
                        fail(self.key, config.hub, f"{what}; if it is right, save it with `save_to_disk`")
                    yield pair
            faults.raise_if_any()
        except UserError:
            raise
        except Exception as error:  # whatever the hub, the network and two dozen file formats raise
            what = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
            fix = "check hub, config, split and revision (a folder's path counts from the recipe), and the network"
            fail(self.key, config.hub, f"{what[:300].rstrip('.')}; {fix}")

    def _most_text(self) -> float:
        """Characters that a folder's rows may hold: columns of equal values, thousands of millions of them, take no
        room in a file. Its compressed files are unpacked once, since the library would hold a line of any length."""
        files = list(self.files().values())
        if not files:
            return float("inf")
        for path in files:
            check_unpacked(path, self.key)
        return most_unpacked(sum(path.stat().st_size for path in files))

    def _rows(self, *sides: list[str]) -> Any:
        """All rows, with the columns that are needed: the others may be pictures, slow to decode."""
        dataset = self._load()
        columns = dataset.column_names or []
        used = [next((c for f in fields for c in (f, f.split(".")[0]) if c in columns), None) for fields in sides]
        return dataset if None in used else dataset.select_columns(sorted({str(column) for column in used}))

    def _load(self) -> Any:
        """The split as a `datasets.Dataset`, memory-mapped, or an `IterableDataset`."""
        import datasets  # noqa: PLC0415 - takes a second

        folder, split = self._folder(), self.split
        if folder is None:  # kept in the hub's cache: a second run needs no network
            return datasets.load_dataset(
                self.config.hub, self.config.config, split=split, revision=self.config.revision
            )
        if not ((folder / "dataset_dict.json").exists() or (folder / "state.json").exists()):
            return datasets.load_dataset(str(folder), self.config.config, split=split, streaming=True)
        saved = datasets.load_from_disk(str(folder))
        if isinstance(saved, datasets.DatasetDict):
            if split not in saved:
                fail(self.key, str(folder), f"no split {split!r}; set `split` to one of {', '.join(saved)}")
            return saved[split]
        if self.config.split:
            fail(self.key, str(folder), "one data set without splits; remove `split`")
        return saved

    def _folder(self) -> Path | None:
        """The data set's folder; None where it is the hub's. (A recipe's paths are absolute once it is read.)"""
        folder = Path(self.config.hub)
        if not folder.is_absolute() or folder.is_dir():
            return folder if folder.is_absolute() else None
        if folder.exists():
            fail(self.key, str(folder), "a file; name its folder, or use files:, tsv:, csv: or jsonl:")
        unreadable(folder, self.key, FileNotFoundError())
