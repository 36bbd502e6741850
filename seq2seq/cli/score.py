"""The command `score`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from seq2seq.cli.app import Device, Threads, app, guarded
from seq2seq.errors import UserError


@app.command()
@guarded
def score(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder or model folder.")],
    src: Annotated[Path, typer.Option(help="Source sentences, one a line.")],
    tgt: Annotated[Path, typer.Option(help="Their translations, line by line.")],
    format: Annotated[str, typer.Option(help="text, or jsonl with every token's log-probability.")] = "text",
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs scored together.")] = 32,
    ensemble: Annotated[
        list[str] | None, typer.Option(help="Another run that scores with it; can be repeated.")
    ] = None,
    weight: Annotated[
        list[float] | None, typer.Option(help="With --ensemble: a weight for each model, RUN's first.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """How likely a trained RUN finds given translations: log-probability and perplexity a token, a line for a pair."""
    if format not in ("text", "jsonl"):
        raise UserError(f"--format {format}: must be text or jsonl")

    if weight and not ensemble:
        raise UserError("--weight has no effect without --ensemble")

    from seq2seq.bundle import load_bundle
    from seq2seq.data.lines import read_lines
    from seq2seq.data.tokenization import EOS
    from seq2seq.decoding.ensemble import ensemble_of, mean_scores
    from seq2seq.decoding.scoring import score as score_tokens
    from seq2seq.device import set_up

    sources, targets = list(read_lines(src, pipe=True)), list(read_lines(tgt, pipe=True))
    if len(sources) != len(targets):
        raise UserError(f"{src} has {len(sources):,} lines, {tgt} {len(targets):,}; they must be parallel")
    chosen, names = set_up(device, threads), [run, *(ensemble or [])]
    models = [load_bundle(name, chosen) for name in names]
    loaded, shares = models[0], ensemble_of(models, names, weight or []).scorer.shares
    encoded = [[*ids, EOS] for ids in loaded.src_tokenizer.encode_batch(sources)]
    wanted = [[*ids, EOS] for ids in loaded.tgt_tokenizer.encode_batch(targets)]
    found = mean_scores([score_tokens(model.model, encoded, wanted, batch_size) for model in models], shares)
    for source, target, ids, logs in zip(sources, targets, wanted, found, strict=True):
        total, perplexity = sum(logs), _perplexity(logs)
        if format == "text":
            print(f"{total:.6f}\t{perplexity:.4f}")
            continue
        record: dict[str, Any] = {
            "source": source,
            "target": target,
            "log_probability": total,
            "perplexity": perplexity,
        }
        record |= {"tokens": loaded.tgt_tokenizer.tokens(ids), "token_log_probabilities": logs}
        print(json.dumps(record, ensure_ascii=False))
    every = [value for logs in found for value in logs]
    if every:
        print(f"{len(found):,} pairs, {len(every):,} tokens: log-probability {sum(every):.2f}, "
              f"perplexity {_perplexity(every):.4f}", file=sys.stderr)  # fmt: skip


def _perplexity(logs: list[float]) -> float:
    return math.exp(min(-sum(logs) / len(logs), 700))
