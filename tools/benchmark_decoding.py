"""How fast a run translates a file: sentences/s and output tokens/s of every way to translate, beside other toolkits.

    python tools/benchmark_decoding.py RUN FILE
    python tools/benchmark_decoding.py RUN FILE --opennmt PYTHON --joeynmt PYTHON --reference FILE --rounds 3
    python tools/benchmark_decoding.py RUN FILE --only '1 thread, beam 5' --sentences 200

Rows: the run, and what `seq2seq export` makes of it in fp32, in int8, and in int8 with a vocabulary shortlist; greedy
and beam 5; batched and one by one; one thread and two. Every measurement is the whole command as users type it, in a
process of its own, taken `--rounds` times in turn with the others; the fastest counts, since what else the machine does
only slows. "net" leaves out the start: the same command's time for the first line alone. "CPU" is the net rate by
processor time, which other work on the machine disturbs less. "share" is that of the arithmetic that the net rate takes
(products of real tokens and all hypotheses, of the whole vocabulary) in what the same cores do in products alone, in
that precision. "ratio" is that of the net rates to OpenNMT-py's in the same shape, "CPU ratio" the same by processor
time.

The peers (OpenNMT-py 3.5.1, JoeyNMT 2.3.0: interpreters that have them) translate the same text with the same weights,
so that they write what we write and as much of it, by their own commands (`tools/peers`). Their output layers cannot
be smaller than the decoder's state: ours stands in theirs, filled up with zeros. They take our token numbers as words,
so their times hold no tokenization. That needs a model of the usual kind: one bidirectional LSTM layer, one LSTM layer
of twice its size, general attention, tied embeddings.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper
from onnxruntime import InferenceSession, SessionOptions
from rich.console import Console
from rich.table import Column, Table

from seq2seq import recipe
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.device import set_up
from seq2seq.evaluation.metrics import METRICS, Given
from tools.benchmark_training import gemm_rate, useful_flops

ROOT = Path(__file__).parents[1]
PEERS = {"OpenNMT-py": "opennmt.py", "JoeyNMT": "joey.py"}
COLUMNS = (
    "sentences/s",
    "net",
    "CPU",
    "tokens/s",
    "first line s",
    "MiB",
    "GEMM GFLOP/s",
    "share",
    "ratio",
    "CPU ratio",
    "BLEU",
)


@dataclass(frozen=True)
class Way:
    """A way to translate."""

    system: str
    threads: int
    beam: int
    batch: int

    @property
    def shape(self) -> str:
        """All but who translates."""
        search = "greedy" if self.beam == 1 else f"beam {self.beam}"
        place = "one by one" if self.batch == 1 else f"batches of {self.batch}"
        return f"{self.threads} thread{'s' * (self.threads > 1)}, {search}, {place}"

    @property
    def precision(self) -> str:
        return self.system.split()[-1] if self.system.split()[-1] in ("int8", "bf16") else "fp32"


@dataclass(frozen=True)
class Times:
    """Of a process: seconds on the wall, seconds of processor time, MiB at most."""

    wall: float
    cpu: float
    memory: int


def resident(process: int) -> int:
    """A process's peak memory so far, in MiB; Linux."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def timed(command: list[str], threads: int) -> Times:
    """Run a command to its end.

    Raises:
        SystemExit: it failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        done, memory = 0, 0
        while not done:  # (wait4's peak is at least this process's own)
            memory = max(memory, resident(process.pid))
            time.sleep(0.005)
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - started
        if status != 0:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}: failed\n{said.read().decode(errors='replace')[-3000:]}")
    return Times(wall, usage.ru_utime + usage.ru_stime, memory)


def write_weights(bundle: Bundle, folder: Path) -> None:
    """Write FOLDER/weights.npz, for `tools/peers`."""
    model = bundle.model
    own = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    embedding = own["src_embedding.weight"]
    places = {"readout": "decoder.readout.weight", "bridge": "encoder.bridge.weight"}
    given = {"embedding": embedding * model.embedding_scale, "output": embedding, "output.bias": own["output.bias"]}
    given["attention"] = own["decoder.attention.weight.weight"]
    for name, place in places.items():
        given |= {name: own[f"{place}.weight"], f"{name}.bias": own[f"{place}.bias"]}
    cells = {"decoder": "decoder.stack.layers.0", "forward": "encoder.stack.layers.0.0"}
    for part, place in (cells | {"backward": "encoder.stack.layers.0.1"}).items():
        for name, ours in (("W_x", "kernel"), ("W_h", "recurrent_kernel"), ("b", "bias")):
            given[f"{part}.{name}"] = own[f"{place}.cell.{ours}"]
    np.savez(folder / "weights.npz", **given)


def is_usual(model: recipe.ModelConfig) -> bool:
    """Whether the peers have such a model, and its arithmetic is counted."""
    encoder, decoder = model.encoder, model.decoder
    cells = [
        stack.cell.model_dump(exclude={"kernel_initializer", "recurrent_initializer"}) for stack in (encoder, decoder)
    ]
    lstm = {name: value for name, value in recipe.LstmConfig().model_dump().items() if name in cells[0]}
    return (
        cells == [lstm, lstm]
        and (encoder.layers, decoder.layers, encoder.direction) == (1, 1, "bidirectional")
        and (decoder.attention.kind, decoder.attend, decoder.input_feeding) == ("luong_general", "top", False)
        and (model.embedding.tie, model.bridge, decoder.hidden_size) == ("all", "project", 2 * encoder.hidden_size)
        and (decoder.readout.kind, decoder.readout_inputs) == ("tanh", ["state", "context"])
    )


def int8_rate(threads: int) -> float:
    """Operations/s of ONNX Runtime's int8 products of the model's sizes, the best of many."""
    options, best = SessionOptions(), 0.0
    options.intra_op_num_threads = threads
    for rows, inputs, outputs in ((160, 256, 8000), (160, 512, 2048)):
        ends = [helper.make_tensor_value_info("x", TensorProto.UINT8, [rows, inputs]),
                helper.make_tensor_value_info("y", TensorProto.INT32, [rows, outputs])]  # fmt: skip
        weight = np.random.default_rng(1).integers(-127, 127, (inputs, outputs), dtype=np.int8)
        stored = helper.make_tensor("w", TensorProto.INT8, weight.shape, weight.tobytes(), raw=True)
        node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
        graph = helper.make_graph([node], "product", ends[:1], ends[1:], [stored])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        session = InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        x = np.ones((rows, inputs), np.uint8)
        for _ in range(100):
            started = time.perf_counter()
            session.run(None, {"x": x})
            best = max(best, 2 * rows * inputs * outputs / (time.perf_counter() - started))
    return best


class Benchmark:
    """The ways to translate one file, and what each of them took.

    Args:
        folder: for what comes and goes.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.bundle = load_bundle(options.run, torch.device("cpu"))
        self.lines = options.file.read_text(encoding="utf-8").split("\n")[: options.sentences]
        self.peers = {"OpenNMT-py": options.opennmt, "JoeyNMT": options.joeynmt}
        self.encoded = self.bundle.src_tokenizer.encode_batch(self.lines)
        for count in (1, len(self.lines)):
            (folder / f"text{count}").write_text("".join(f"{line}\n" for line in self.lines[:count]), encoding="utf-8")
            for name, end in (("OpenNMT-py", ["t2"]), ("JoeyNMT", [])):
                rows = [" ".join([f"t{i}" for i in row] + end) for row in self.encoded[:count]]
                (folder / f"{name}{count}").write_text("\n".join(rows) + "\n")
        self.exported = {"exported": options.exported, "shortlist": options.shortlist}
        for name, extra in (("exported", []), ("shortlist", ["--shortlist"])):
            if self.exported[name] is None:
                self.exported[name] = folder / name
                timed([sys.executable, "-m", "seq2seq", "export", str(options.run), str(folder / name), *extra], 1)
        if any(self.peers.values()):
            if not is_usual(self.bundle.config.model):
                raise SystemExit(f"{options.run}: the peers have no such model; see --help for the kind that they have")
            write_weights(self.bundle, folder)
        for name, python in self.peers.items():
            if python:
                timed([python, str(ROOT / "tools/peers" / PEERS[name]), "prepare", str(folder)], 1)

    def ways(self) -> list[Way]:
        """All, those of the same shape one after the other."""
        systems = [
            "run",
            "exported fp32",
            "exported int8",
            "shortlist int8",
            *(name for name, python in self.peers.items() if python),
        ]
        shapes = [(threads, beam, batch) for threads in (1, 2) for beam in (5, 1) for batch in (32, 1)]
        every = [Way(system, *shape) for shape in shapes for system in systems]
        return [way for way in every if re.search(self.options.only, f"{way.system}, {way.shape}")]

    def command(self, way: Way, count: int) -> list[str]:
        """That translates the first `count` lines."""
        if way.system in PEERS:
            python, script = self.peers[way.system], str(ROOT / "tools/peers" / PEERS[way.system])
            ends = [str(self.folder / f"{way.system}{count}"), str(self.folder / "output")]
            return [python, script, "translate", str(self.folder), *ends, *map(str, (way.beam, way.batch, way.threads))]
        what = [str(self.options.run)]
        if way.system != "run":
            what = [str(self.exported[way.system.split()[0]]), "--precision", way.precision]
        ends = ["--input", str(self.folder / f"text{count}"), "--output", str(self.folder / "output"), "--force"]
        rest = ["--batch-size", str(way.batch), "--threads", str(way.threads), "--beam-size", str(way.beam)]
        return [sys.executable, "-m", "seq2seq", "translate", *what, *ends, *rest]

    def measure(self, way: Way) -> tuple[Times, Times, list[str]]:
        """The first line alone, all lines, and their translations."""
        first = timed(self.command(way, 1), way.threads)
        whole = timed(self.command(way, len(self.lines)), way.threads)
        written = (self.folder / "output").read_text(encoding="utf-8").split("\n")[: len(self.lines)]
        if way.system in PEERS:
            tokens = [[int(word[1:]) for word in line.split() if re.fullmatch(r"t\d+", word)] for line in written]
            written = [self.bundle.tgt_tokenizer.decode(row) for row in tokens]
        return first, whole, written

    def figures(self, way: Way, taken: list[tuple[Times, Times, list[str]]], rate: float) -> list[float]:
        """Sentences/s of the whole command, net, and by processor time; output tokens/s; seconds of the first line;
        MiB; FLOP/s of products; their share."""
        first, whole = (
            Times(*(min(getattr(round_[i], name) for round_ in taken) for name in ("wall", "cpu", "memory")))
            for i in (0, 1)
        )
        count, model = len(self.lines) - 1, self.bundle.config.model
        written = self.bundle.tgt_tokenizer.encode_batch(taken[0][2][1:])
        src, tgt = (np.array([len(row) + 1 for row in side]) for side in (self.encoded[1:], written))
        wall, cpu = whole.wall - first.wall, whole.cpu - first.cpu
        useful = useful_flops(model, len(self.bundle.tgt_tokenizer), src, tgt * way.beam) / 3 if is_usual(model) else 0
        speeds = [(count + 1) / whole.wall, count / wall, count / cpu, tgt.sum() / wall]
        return [*speeds, first.wall, whole.memory, rate, useful / wall / rate]


def rates(threads: set[int]) -> dict[tuple[str, int], float]:
    """FLOP/s of products alone, by precision and threads."""
    found = {}
    for count in threads:
        torch.set_num_threads(count)
        found[("fp32", count)], found[("int8", count)] = gemm_rate("fp32"), int8_rate(count)
    torch.set_num_threads(1)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("file", type=Path, metavar="FILE", help="text to translate, a sentence a line")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="its translations: adds BLEU")
    parser.add_argument("--sentences", type=int, default=1000, metavar="N", help="at most so many of FILE")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="only the rows whose names match this regular expression")
    parser.add_argument("--exported", type=Path, metavar="DIR", help="what was exported of RUN; default: exported now")
    parser.add_argument("--shortlist", type=Path, metavar="DIR", help="likewise, with --shortlist")
    parser.add_argument("--opennmt", metavar="PYTHON", help="an interpreter that has OpenNMT-py 3.5.1")
    parser.add_argument("--joeynmt", metavar="PYTHON", help="an interpreter that has JoeyNMT 2.3.0")
    options = parser.parse_args()
    set_up("cpu", 1)
    with tempfile.TemporaryDirectory() as name:
        bench = Benchmark(options, Path(name))
        ways = bench.ways()
        taken: dict[Way, list[tuple[Times, Times, list[str]]]] = {way: [] for way in ways}
        before = rates({way.threads for way in ways})
        for way in ways * options.rounds:
            taken[way].append(bench.measure(way))
            said = f"{way.system}, {way.shape}: {taken[way][-1][1].wall:.1f} s"
            print(said, file=sys.stderr, flush=True)
        after = rates({way.threads for way in ways})
    rows = {way: bench.figures(way, taken[way], max(before[kind], after[kind]))
            for way in ways for kind in [(way.precision, way.threads)]}  # fmt: skip
    table = Table("", *(Column(name, justify="right") for name in COLUMNS))
    for way, (whole, net, cpu, tokens, first, memory, rate, share) in rows.items():
        peer = rows.get(replace(way, system="OpenNMT-py"))
        values = [f"{whole:.1f}", f"{net:.1f}", f"{cpu:.1f}", f"{tokens:,.0f}", f"{first:.2f}", f"{memory:.0f}"]
        values += [f"{rate / 1e9:.0f}", f"{share:.0%}" if share else ""]
        values += ["", ""] if peer is None else [f"{net / peer[1]:.1f}", f"{cpu / peer[2]:.1f}"]
        if options.reference:
            references = options.reference.read_text(encoding="utf-8").split("\n")[: len(bench.lines)]
            metric = METRICS["bleu"].make(Given(bench.bundle.config.tgt))
            values.append(f"{metric.corpus_score(taken[way][0][2], [references]).score:.2f}")
        table.add_row(f"{way.system}, {way.shape}", *values)
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
