"""The trainer of a recipe, on the prepared data of its run folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from seq2seq import bundle, recipe
from seq2seq.console import say
from seq2seq.data.bpe_dropout import BpeDropout
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import Tokenizer, load_tokenizers
from seq2seq.data.vectors import places_of, read_vectors
from seq2seq.device import fastest_precision
from seq2seq.errors import UserError
from seq2seq.nn.freezing import freeze
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.pipeline.continuation import identity
from seq2seq.pipeline.stage import Context, flatten
from seq2seq.recipe.start import KEY as START
from seq2seq.recipe.start import model_folder
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.log import TrainingLog
from seq2seq.training.minimum_risk import bleu_cost
from seq2seq.training.objective import Objective
from seq2seq.training.tracking import Tracker
from seq2seq.training.trainer import Trainer
from seq2seq.training.validation import Validator

Tokenizers = tuple[Tokenizer, Tokenizer]
"""The source's and the target's; the same object where they are joint."""


def make_trainer(context: Context) -> Trainer:
    """The trainer with its model, data, validation, checkpoints and log, in every process alike."""
    made, folder, processes = context.recipe, context.folder, context.processes
    training, aligned = made.training, made.training.guided_alignment > 0
    tokenizers = load_tokenizers(folder.data, made.data.reverse_target)
    pairs = PreparedPairs(folder.data / "train.arrow")
    valid = PreparedPairs(folder.data / "valid.arrow")
    torch.manual_seed(made.seed)
    model = bundle.make_model(made.model, tokenizers)
    _take_vectors(made.model.embedding, model, tokenizers)
    _take_start(training, model)
    model = model.to(processes.device)
    if training.precision == "auto":  # the first process's measurement counts
        precision = processes.broadcast(fastest_precision(processes.device))
    else:
        precision = training.precision
    say(
        f"{sum(p.numel() for p in model.parameters()):,} weights, {len(pairs):,} pairs, {processes.device}, {precision}"
    )
    metrics = ["bleu", "chrf", *(["ter"] if training.early_stopping.metric == "ter" else [])]
    metrics = metrics if made.task == "translation" else []
    cost = bleu_cost(tokenizers[1], made.data.tgt)
    weights, dropouts = _pair_weights(made.data, pairs), _bpe_dropouts(training.bpe_dropout, tokenizers)
    return Trainer(
        training,
        Objective(training, model, precision, cost),
        BatchLoader(training.batch, pairs, weights, made.seed, dropouts, aligned),
        Validator(valid, tokenizers[1], made.data.tgt, training.batch.tokens, metrics, processes),
        Checkpoints(folder.checkpoints, identity(context.inputs["train"]), training.checkpoints, processes),
        TrainingLog(folder.log, writes=processes.first, tracker=_tracker(made) if processes.first else None),
        processes,
    )


def _tracker(made: recipe.Recipe) -> Tracker | None:
    """The run of the tracker that the recipe names: called as its run folder, among those of the recipe's name."""
    if made.training.track is None:
        return None
    config = flatten("model", made.model) | flatten("training", made.training) | {"seed": str(made.seed)}
    return Tracker(made.training.track, made.name, Path(made.output_dir).name, config)


def _take_vectors(config: recipe.EmbeddingConfig, model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """Begin with pretrained word vectors, where the recipe names them."""
    sides = zip(("src", "tgt"), (model.src_embedding, model.tgt_embedding), tokenizers, strict=True)
    for side, embedding, tokenizer in sides:
        path: str | None = getattr(config, f"{side}_vectors")
        if path is None:
            continue
        places = places_of(tokenizer.tokens(range(len(tokenizer))))
        found = read_vectors(Path(path), places, config.size, f"model.embedding.{side}_vectors")
        say(f"{path}: vectors of {len(found):,} of {len(tokenizer):,} tokens")
        with torch.no_grad():
            for row, vector in found.items():
                embedding.weight[row] = torch.from_numpy(vector) / model.embedding_scale
        embedding.weight.requires_grad_(not config.frozen)


def _take_start(training: recipe.TrainingConfig, model: Seq2Seq) -> None:
    """Begin with the weights of the run that the recipe starts from, and freeze what is to stay as it is there.

    Raises:
        UserError: the run has no model, or another one.
    """
    start = training.start_from
    if start is None:
        return
    taken = bundle.load_bundle(model_folder(start), torch.device("cpu"))
    try:
        bundle.load_weights(model, bundle.weights_of(taken.model))
    except ValueError:
        raise UserError(f"{START}: {start} has changed since its tokenizer was taken; run again with --force") from None
    languages, vocabularies = f"{taken.config.src}-{taken.config.tgt}", {taken.src_tokenizer, taken.tgt_tokenizer}
    tokens = sum(len(one) for one in vocabularies)
    say(f"starts from {start} ({languages}): all its weights, its vocabulary of {tokens:,} tokens")
    if training.freeze is not None:
        freeze(model, training.freeze)
        frozen = sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)
        say(f"frozen: {', '.join(training.freeze)}, {frozen:,} weights")


def _bpe_dropouts(rate: float, tokenizers: Tokenizers) -> tuple[BpeDropout, BpeDropout] | None:
    if rate == 0:
        return None
    src, tgt = tokenizers
    dropout = BpeDropout(src, rate)
    return dropout, dropout if tgt is src else BpeDropout(tgt, rate)  # joint: words are remembered once


def _pair_weights(data: recipe.DataConfig, pairs: PreparedPairs) -> np.ndarray | None:
    """How often each pair is seen in an epoch [pairs]; None: once."""
    weights = np.array([source.weight for source in data.train])
    return None if (weights == 1).all() else weights[pairs.source]
