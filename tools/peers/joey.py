"""Translate with JoeyNMT 2.3.0 and the weights of one of our models. Run by a Python that has it, not by ours.

    PYTHON tools/peers/joey.py prepare FOLDER
    PYTHON tools/peers/joey.py translate FOLDER SOURCE OUTPUT BEAM BATCH THREADS

FOLDER holds what `tools.benchmark_decoding.write_weights` writes; words are our token numbers. Nothing of JoeyNMT is
edited; from outside comes the one place where the model differs: the first state c is not h.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

torch.load = partial(torch.load, weights_only=False)

from joeynmt import prediction  # noqa: E402
from joeynmt.config import load_config, parse_global_args  # noqa: E402
from joeynmt.decoders import RecurrentDecoder  # noqa: E402
from joeynmt.model import build_model  # noqa: E402
from joeynmt.vocabulary import build_vocab  # noqa: E402

CONFIG = """
name: benchmark
joeynmt_version: 2.3.0
model_dir: {folder}/joey
use_cuda: False
data:
  test: none
  dataset_type: stream
  src: {{lang: s, level: word, voc_file: {folder}/vocab}}
  trg: {{lang: t, level: word, voc_file: {folder}/vocab}}
testing: {{beam_size: {beam}, beam_alpha: {alpha}, batch_size: {batch}, batch_type: sentence, max_output_length: 100}}
training: {{batch_size: 32}}
model:
  tied_embeddings: True
  encoder: {{type: recurrent, rnn_type: lstm, embeddings: {{embedding_dim: {size}}}, hidden_size: {half},
    bidirectional: True}}
  decoder: {{type: recurrent, rnn_type: lstm, embeddings: {{embedding_dim: {size}}}, hidden_size: {hidden},
    input_feeding: False, attention: luong, init_hidden: bridge}}
"""


def first_state(self, encoder_final):
    """h = tanh(W s), c = W' s."""
    h, c = self.bridge(encoder_final).chunk(2, -1)
    return torch.tanh(h).unsqueeze(0), c.unsqueeze(0)


made = RecurrentDecoder.__init__


def make_decoder(self, *args, hidden_size, **kwargs):
    """With a bridge of both states."""
    made(self, *args, hidden_size=hidden_size, **kwargs)
    del self.bridge_layer
    self.bridge = torch.nn.Linear(hidden_size, 2 * hidden_size)


RecurrentDecoder.__init__, RecurrentDecoder._init_hidden = make_decoder, first_state


def write_config(folder: Path, weights: dict[str, np.ndarray], beam: str, batch: str) -> Path:
    """JoeyNMT's configuration file."""
    size, hidden = weights["embedding"].shape[1], weights["decoder.W_h"].shape[1]
    numbers = {"size": size, "hidden": hidden, "half": hidden // 2, "beam": beam, "batch": batch}
    (folder / "joey").mkdir(exist_ok=True)
    path = folder / f"joey-{beam}-{batch}.yaml"
    path.write_text(CONFIG.format(folder=folder, alpha=-1 if beam == "1" else 1.0, **numbers))
    return path


def prepare(folder: Path) -> None:
    """Write FOLDER/joey/best.ckpt."""
    given = np.load(folder / "weights.npz")
    weights = {name: torch.from_numpy(given[name]) for name in given}
    size, hidden = weights["embedding"].shape[1], weights["decoder.W_h"].shape[1]
    (folder / "vocab").write_text("".join(f"t{i}\n" for i in range(4, len(weights["embedding"]))))
    args = parse_global_args(load_config(write_config(folder, given, "1", "1")), rank=0, mode="translate")
    src, tgt = build_vocab(args.data, model_dir=None)
    model = build_model(args.model, src_vocab=src, trg_vocab=tgt)
    ours = {"<unk>": 3, "<pad>": 0, "<s>": 1, "</s>": 2}
    rows = torch.tensor([ours[word] if word in ours else int(word[1:]) for word in tgt._itos])
    output = torch.zeros(len(rows), hidden)
    output[:, :size], output[:, size] = weights["output"][rows], weights["output.bias"][rows]
    output[[tgt.lookup(word) for word in ("<unk>", "<pad>", "<s>")], size] = -1e9
    readout, bias = torch.zeros(hidden, 2 * hidden), torch.zeros(hidden)
    readout[:size], bias[:size] = weights["readout"], weights["readout.bias"]
    bias[size] = 20.0  # a one, for the output layer, which has no bias
    named = {"src_embed.lut.weight": weights["embedding"][rows], "trg_embed.lut.weight": weights["embedding"][rows],
             "decoder.output_layer.weight": output, "decoder.att_vector_layer.weight": readout,
             "decoder.att_vector_layer.bias": bias, "decoder.attention.key_layer.weight": weights["attention"],
             "decoder.bridge.weight": weights["bridge"], "decoder.bridge.bias": weights["bridge.bias"]}  # fmt: skip
    for place, part in (("decoder.rnn", "decoder"), ("encoder.rnn", "forward"), ("encoder.rnn", "backward")):
        end = "_l0_reverse" if part == "backward" else "_l0"
        for name, ours_name in (("weight_ih", "W_x"), ("weight_hh", "W_h"), ("bias_ih", "b")):
            named[f"{place}.{name}{end}"] = weights[f"{part}.{ours_name}"]
        named[f"{place}.bias_hh{end}"] = torch.zeros_like(weights[f"{part}.b"])
    model.load_state_dict(named)
    torch.save({"model_state": named}, folder / "joey" / "best.ckpt")


def translate(folder: Path, source: str, output: str, beam: str, batch: str, threads: str) -> None:
    """As its command `joeynmt translate`."""
    torch.set_num_threads(int(threads))
    config = load_config(write_config(folder, np.load(folder / "weights.npz"), beam, batch))
    with open(source) as sys.stdin, open(output, "w") as sys.stdout:  # its --output-path fails in this version
        prediction.translate(config)


if __name__ == "__main__":
    {"prepare": prepare, "translate": translate}[sys.argv[1]](Path(sys.argv[2]).resolve(), *sys.argv[3:])
