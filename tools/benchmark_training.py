"""How fast the standard model trains: target tokens/s, useful GFLOP/s, their share of the same cores' GEMM rate.

    python tools/benchmark_training.py --files 'multi30k/train.{lang}'   # without --files: the built-in corpus
    python tools/benchmark_training.py --files ... --ablate              # what each factor of the speed is worth
    python tools/benchmark_training.py --files ... --joeynmt PYTHON      # beside JoeyNMT 2.3.0, in that interpreter

The model: joint BPE 8,000, one embedding of 256 for source, target and output, biLSTM 2 x 256, decoder LSTM 512,
general attention. Every measurement is a process of its own (its peak memory is its own), trains `--updates` updates
after `--warm-up` ones, and is taken `--rounds` times in turn with the others; the fastest round counts, since what else
the machine does only slows, and the range of all stands beside it. "cores" is how many the process really had: well
under the number of threads, and something else was at work.

Useful FLOPs are those of the products of real tokens, padding left out (`useful_flops`). The GEMM rate is the best
product of the model's sizes in the same precision on the same threads, before and after the training. JoeyNMT is
trained as its RNN configurations are shipped (batches of 80 sentences in random order, fp32), on our BPE pieces as
words, with tied embeddings; its output layer cannot be tied where the decoder has another size.
"""

import argparse
import functools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Column, Table

from seq2seq import device, recipe
from seq2seq.data import batching
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import SPECIAL, load_tokenizers
from seq2seq.device import set_up
from seq2seq.nn.decoder import Decoder
from seq2seq.nn.encoder import Memory
from seq2seq.nn.layer import Layer
from seq2seq.pipeline import Runner
from seq2seq.pipeline.manifest import peak_memory
from seq2seq.pipeline.stages.train import Train
from seq2seq.run_folder import RunFolder
from seq2seq.training import loss, trainer

Job = dict[str, Any]
"""What to measure, or the figures of it."""
JOB: Job = {"threads": 1, "precision": "bf16", "feeding": False, "off": None, "joeynmt": False, "prepare": False}
LOG_EVERY = 10
COLUMNS = ("target tokens/s", "useful GFLOP/s", "GEMM GFLOP/s", "share", "loading", "cores", "peak MiB")


def useful_flops(model: recipe.ModelConfig, vocab: int, src: np.ndarray, tgt: np.ndarray) -> int:
    """Of one training pass over sentence pairs of these lengths (</s> included), the encoder being one biLSTM layer and
    the decoder one LSTM layer with general attention, as the tool trains them.

    A product of [n, k] and [k, m] is 2nkm, and thrice that in training: each of its two gradients is such a product.
    """
    emb, enc, dec = model.embedding.size, model.encoder.hidden_size, model.decoder.hidden_size
    memory, out = 2 * enc, dec if model.embedding.tie == "none" else emb
    fed = out if model.decoder.input_feeding else 0
    a_source = 2 * 4 * enc * (emb + enc) + memory * dec  # both directions' gates, keys
    a_target = 4 * dec * (emb + fed + dec) + (dec + memory) * out + out * vocab  # gates, readout, logits
    a_look = dec + memory  # a score, a share of the context
    a_sentence = memory * 2 * dec  # the bridge
    src, tgt = src.astype(np.int64), tgt.astype(np.int64)
    products = src.sum() * a_source + tgt.sum() * a_target + (src * tgt).sum() * a_look + len(src) * a_sentence
    return 3 * 2 * int(products)


def step_by_step(
    self: Decoder, embedded: torch.Tensor, memory: Memory, with_attention: bool = False
) -> tuple[torch.Tensor, None]:
    """`Decoder.forward` as a loop of steps."""
    state, masks, outputs = self.start(memory), self.masks(embedded), []
    for t in range(embedded.shape[1]):
        output, state = self.step(embedded[:, t : t + 1], state, memory, masks)
        outputs.append(output)
    return torch.cat(outputs, 1), None


def unfused(adam: Callable[..., torch.optim.Adam], *arguments: Any, fused: bool, **others: Any) -> torch.optim.Adam:
    """torch's default Adam."""
    return adam(*arguments, **others)


SWITCHES: dict[str, tuple[Any, str, Any]] = {
    "oneDNN products (fp32)": (device, "_route_products_to_onednn", lambda: None),
    "fused optimizer": (torch.optim, "Adam", functools.partial(unfused, torch.optim.Adam)),
    "buckets of like length": (batching, "_by_length", lambda indices, *_: indices),
    "whole-sequence decoder": (Decoder, "forward", step_by_step),
    "fused LSTM kernel": (Layer, "_run", lambda self, x, state, inside, mask, _: self._loop(x, state, inside, mask)),
    "loss in pieces": (loss, "PIECE", {"cpu": 10**9, "cuda": 10**9}),
    "freed memory given back": (trainer, "release_freed_memory", lambda: None),
}
"""A factor of the speed: whose attribute to set to what, to do without it."""
FP32: Job = {"precision": "fp32"}
FEEDING: Job = {"feeding": True}
FACTORS: dict[str, tuple[Job, Job]] = {name: ({}, {"off": name}) for name in SWITCHES} | {
    "oneDNN products (fp32)": (FP32, FP32 | {"off": "oneDNN products (fp32)"}),
    "bf16 products": ({}, FP32),
    "input feeding in one function": (FEEDING, FEEDING | {"off": "whole-sequence decoder"}),
    "embedding tied three ways": ({}, {"off": "tied"}),
    "malloc thresholds (not a default)": ({"malloc": True}, {}),
    "two threads (not a default)": ({"threads": 2}, {}),
}
"""Each factor's measurements with and without it."""
SAID = "", "without: "
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}


def recipe_of(options: argparse.Namespace, folder: Path, job: Job) -> recipe.Recipe:
    """The recipe of a measurement; all have the same data, prepared once."""
    few = {"builtin": "cldr", "pairs": 50}
    stack = {"cell": "lstm", "dropout": 0.3}
    decoder = {"hidden_size": 512, "input_feeding": job["feeding"], "attention": {"kind": "luong_general"}}
    values = {
        "name": "benchmark",
        "output_dir": str(folder / "run"),
        "data": {"src": options.src, "tgt": options.tgt, "valid": few, "test": {"few": few}}
        | {"train": {"files": options.files} if options.files else {"builtin": "cldr"}},
        "tokenizer": {"kind": "bpe", "vocab_size": 8000},
        "model": {
            "embedding": {"size": 256, "tie": "none" if job["off"] == "tied" else "all"},
            "encoder": {**stack, "hidden_size": 256},
            "decoder": {**stack, **decoder},
        },
        "training": {"precision": job["precision"], "batch": {"tokens": 1500}, "log_every": LOG_EVERY}
        | {"max_steps": options.warm_up + options.updates, "validate_every": 10**9},
    }
    return recipe.Recipe.model_validate(values)


def gemm_rate(precision: str) -> float:
    """FLOP/s of products of the model's sizes, the best of many."""
    dtype, best = torch.bfloat16 if precision == "bf16" else torch.float32, 0.0
    for rows, inputs, outputs in ((1500, 256, 2048), (512, 512, 2048), (1500, 1024, 256)):
        x, weight = torch.randn(rows, inputs).to(dtype), torch.randn(outputs, inputs).to(dtype)
        for _ in range(100):
            started = time.perf_counter()
            torch.nn.functional.linear(x, weight)
            best = max(best, 2 * rows * inputs * outputs / (time.perf_counter() - started))
    return best


def train_ours(options: argparse.Namespace, folder: Path, job: Job) -> Job:
    """The figures of one training."""
    if job["off"] in SWITCHES:
        setattr(*SWITCHES[job["off"]])
    set_up("cpu", job["threads"])
    runner = Runner(recipe_of(options, folder, job))
    made, run = runner.recipe, runner.folder
    if job["prepare"]:
        return {"prepared": runner.run("prepare")}
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    rate = gemm_rate(job["precision"])
    started, worked = time.perf_counter(), time.process_time()
    Train().run(runner.context())
    cores = (time.process_time() - worked) / (time.perf_counter() - started)
    memory, rate = peak_memory(), max(rate, gemm_rate(job["precision"]))
    log = [json.loads(line) for line in run.log.read_text().splitlines()]
    kept = [record for record in log if record["kind"] == "train" and record["step"] > options.warm_up]
    speed = statistics.harmonic_mean(record["tokens_per_second"] for record in kept)
    loading = statistics.mean(record["loading"] for record in kept)
    src, tgt = PreparedPairs(run.data / "train.arrow").lengths
    plan = batching.plan_epoch(src, tgt, made.training.batch.tokens, made.seed, 0)
    rows = np.concatenate([plan[i] for i in range(len(plan))][options.warm_up : options.warm_up + options.updates])
    vocab = len(load_tokenizers(run.data)[1])
    flops = speed * useful_flops(made.model, vocab, src[rows], tgt[rows]) / int(tgt[rows].sum())
    figures = {"speed": speed, "flops": flops, "rate": rate, "share": flops / rate, "loading": loading}
    return figures | {"cores": cores, "memory": memory}


JOEYNMT = """
name: benchmark
joeynmt_version: 2.3.0
model_dir: {joey}/model
use_cuda: False
data:
  train: {joey}/train
  dev: {joey}/dev
  dataset_type: plain
  src: {{lang: s, level: word, voc_file: {joey}/vocab}}
  trg: {{lang: t, level: word, voc_file: {joey}/vocab}}
testing: {{beam_size: 1}}
training: {{optimizer: adam, learning_rate: 0.0002, normalization: tokens, label_smoothing: 0.1, clip_grad_norm: 1.0,
  scheduling: exponential, batch_size: 80, batch_type: sentence, epochs: 100, updates: {updates},
  validation_freq: 1000000000, logging_freq: {every}, overwrite: True}}
model:
  tied_embeddings: True
  encoder: {{type: recurrent, rnn_type: lstm, embeddings: {{embedding_dim: 256}}, hidden_size: 256, bidirectional: True,
    dropout: 0.3}}
  decoder: {{type: recurrent, rnn_type: lstm, embeddings: {{embedding_dim: 256}}, hidden_size: 512, dropout: 0.3,
    hidden_dropout: 0.3, input_feeding: {feeding}, attention: luong, init_hidden: bridge}}
"""


def train_joeynmt(options: argparse.Namespace, folder: Path, job: Job) -> Job:
    """The figures of JoeyNMT on the same pieces, one word each."""
    data, joey = RunFolder(folder / "run").data, folder / "joeynmt"
    joey.mkdir(exist_ok=True)
    tokenizer, pairs = load_tokenizers(data)[1], PreparedPairs(data / "train.arrow")
    (joey / "vocab").write_text(
        "\n".join(tokenizer.tokens(range(len(SPECIAL), len(tokenizer)))) + "\n", encoding="utf-8"
    )
    for side, sentences in zip("st", pairs.take(range(len(pairs))), strict=True):
        lines = [" ".join(tokenizer.tokens(ids[:-1].tolist())) + "\n" for ids in sentences]
        (joey / f"train.{side}").write_text("".join(lines), encoding="utf-8")
        (joey / f"dev.{side}").write_text("".join(lines[:50]), encoding="utf-8")
    settings = {"updates": options.warm_up + options.updates, "every": LOG_EVERY, "feeding": job["feeding"]}
    (joey / "config.yaml").write_text(JOEYNMT.format(joey=joey, **settings))
    command = [options.joeynmt, "-m", "joeynmt", "train", str(joey / "config.yaml"), "--skip-test"]
    environment = os.environ | {"OMP_NUM_THREADS": str(job["threads"])}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)}: failed")
    found = re.findall(r"Step: +(\d+),.*Tokens per Sec: +(\d+)", (joey / "model" / "train.log").read_text())
    speed = statistics.harmonic_mean(int(speed) for step, speed in found if int(step) > options.warm_up)
    cores = (usage.ru_utime + usage.ru_stime) / (time.perf_counter() - started)
    return {"speed": speed, "cores": cores, "memory": usage.ru_maxrss // 1024}


def measure_apart(folder: str, job: Job) -> Job:
    """In a process of its own."""
    order = [sys.executable, __file__, *sys.argv[1:], "--measure", json.dumps([folder, JOB | job])]
    environment = os.environ | (MALLOC if job.get("malloc") else {})
    ended = subprocess.run(order, capture_output=True, text=True, env=environment, check=False)
    if ended.returncode != 0:
        raise SystemExit(ended.stderr)
    figures: Job = json.loads(ended.stdout)
    return figures


def jobs_of(options: argparse.Namespace) -> dict[str, Job]:
    """What to measure, by the name of its row."""
    if options.ablate:
        return {f"{said}{name}": job for name, pair in FACTORS.items() for said, job in zip(SAID, pair, strict=True)}
    shapes: list[tuple[str, Job]] = [(f"{threads} thread{'s' * (threads > 1)}, {precision}",
                                      {"threads": threads, "precision": precision})
                                     for threads in (1, 2) for precision in ("bf16", "fp32")]  # fmt: skip
    if options.joeynmt:
        shapes = [*shapes[:2], ("JoeyNMT, 1 thread, fp32", {"joeynmt": True})]
    return {f"{name}{', input feeding' * fed}": job | {"feeding": fed} for fed in (False, True) for name, job in shapes}


def shown(values: list[float], form: str = ",.0f") -> str:
    """The best, and the range."""
    return f"{max(values):{form}}" + (f" ({min(values):{form}}-{max(values):{form}})" if len(values) > 1 else "")


def print_speeds(results: dict[str, list[Job]]) -> None:
    """A row for each measurement: its fastest round."""
    table = Table("", *(Column(name, justify="right") for name in COLUMNS))
    for name, rounds in results.items():
        best = max(rounds, key=lambda figures: figures["speed"])
        values = [shown([figures["speed"] for figures in rounds])]
        if "rate" in best:
            values += [f"{best['flops'] / 1e9:.0f}", f"{best['rate'] / 1e9:.0f}", f"{best['share']:.0%}"]
            values += [f"{best['loading']:.2%}"]
        values += [""] * (len(COLUMNS) - 2 - len(values)) + [f"{best['cores']:.2f}", f"{best['memory']:,}"]
        table.add_row(name, *values)
    Console(width=130).print(table)


def print_ratios(results: dict[str, list[Job]]) -> None:
    """A row for each factor: the speed with it to that without it, fastest rounds; and the ratio of each round."""
    names = ("ratio", "each round", "tokens/s with", "without", "cores with", "without", "MiB with", "without")
    table = Table("factor", *(Column(name, justify="right") for name in names))
    for name in (name for name in FACTORS if name in results):
        pair = [results[said + name] for said in SAID]
        speeds = [[figures["speed"] for figures in rounds] for rounds in pair]
        ratio, each = max(speeds[0]) / max(speeds[1]), [a / b for a, b in zip(*speeds, strict=True)]
        cores = [f"{min(figures['cores'] for figures in rounds):.2f}" for rounds in pair]
        memory = [f"{max(figures['memory'] for figures in rounds):,}" for rounds in pair]
        rounds = " ".join(f"{one:.2f}" for one in each)
        table.add_row(name, f"{ratio:.2f}", rounds, *(f"{max(those):,.0f}" for those in speeds), *cores, *memory)
    Console(width=130).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", help="training text, with {lang} where the language goes; default: built-in corpus")
    parser.add_argument("--src", default="en")
    parser.add_argument("--tgt", default="de")
    parser.add_argument("--updates", type=int, default=60, help=f"of each training; a multiple of {LOG_EVERY}")
    parser.add_argument("--warm-up", type=int, default=20, help=f"updates before those; a multiple of {LOG_EVERY}")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ablate", action="store_true", help="measure what each factor of the speed is worth")
    parser.add_argument("--joeynmt", metavar="PYTHON", help="an interpreter that has joeynmt 2.3.0: one thread of both")
    parser.add_argument("--only", default="", help="measure only the rows whose names match this regular expression")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, job = json.loads(options.measure)
        print(json.dumps((train_joeynmt if job["joeynmt"] else train_ours)(options, Path(folder), job)))
        return
    jobs = {name: job for name, job in jobs_of(options).items() if re.search(options.only, name)}
    results: dict[str, list[Job]] = {name: [] for name in jobs}
    with tempfile.TemporaryDirectory() as folder:
        measure_apart(folder, {"prepare": True})
        for name in list(jobs) * options.rounds:
            figures = measure_apart(folder, jobs[name])
            results[name].append(figures)
            said = f"{name}: {figures['speed']:,.0f} tokens/s, {figures['cores']:.2f} cores"
            print(said, file=sys.stderr, flush=True)
    (print_ratios if options.ablate else print_speeds)(results)


if __name__ == "__main__":
    main()
