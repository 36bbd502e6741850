"""Translate with OpenNMT-py 3.5.1 and the weights of one of our models. Run by a Python that has it, not by ours.

    PYTHON tools/peers/opennmt.py prepare FOLDER
    PYTHON tools/peers/opennmt.py translate FOLDER SOURCE OUTPUT BEAM BATCH THREADS

FOLDER holds what `tools.benchmark_decoding.write_weights` writes; words are our token numbers. Nothing of OpenNMT-py is
edited; from outside come `weights_only=False`, which a new torch needs, and the two places where the model differs:
the bridge, and a bias of the attentional state.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

torch.load = partial(torch.load, weights_only=False)

import onmt.opts  # noqa: E402
from onmt.bin.translate import main  # noqa: E402
from onmt.encoders.rnn_encoder import RNNEncoder  # noqa: E402
from onmt.inputters.inputter import vocabs_to_dict  # noqa: E402
from onmt.model_builder import build_base_model  # noqa: E402
from onmt.modules.global_attention import GlobalAttention  # noqa: E402
from onmt.utils.parse import ArgumentParser  # noqa: E402
from pyonmttok import build_vocab_from_tokens  # noqa: E402

made = GlobalAttention.__init__


def make_attention(self, dim, *args, **kwargs):
    """With a bias."""
    made(self, dim, *args, **kwargs)
    self.linear_out = torch.nn.Linear(2 * dim, dim)


def make_bridge(self, _, hidden_size, __):
    """h = tanh(W s), c = W' s, s both directions' last h."""
    self.bridge = torch.nn.Linear(2 * hidden_size, 4 * hidden_size)


def cross(self, hidden):
    """Both states, by direction, as OpenNMT-py's decoder takes them."""
    h, _ = hidden  # [direction, batch, size]
    first, second = self.bridge(torch.cat([h[0], h[1]], -1)).chunk(2, -1)
    return tuple(torch.stack(state.chunk(2, -1)) for state in (torch.tanh(first), second))


GlobalAttention.__init__, RNNEncoder._initialize_bridge, RNNEncoder._bridge = make_attention, make_bridge, cross


def prepare(folder: Path) -> None:
    """Write FOLDER/model.pt."""
    given = np.load(folder / "weights.npz")
    weights = {name: torch.from_numpy(given[name]) for name in given}
    size, hidden = weights["embedding"].shape[1], weights["decoder.W_h"].shape[1]
    words = [f"t{i}" for i in range(4, len(weights["embedding"]))] + ["t2"]  # our </s> ends a source
    vocab = build_vocab_from_tokens(words, special_tokens=["<unk>", "<blank>", "<s>", "</s>"])
    vocab.default_id = vocab["<unk>"]
    vocabs = {"src": vocab, "tgt": vocab, "data_task": "seq2seq", "decoder_start_token": "<s>"}
    parser = ArgumentParser()
    onmt.opts.train_opts(parser)
    arguments = f"-encoder_type brnn -decoder_type rnn -rnn_type LSTM -layers 1 -input_feed 0 -word_vec_size {size}"
    arguments += f" -hidden_size {hidden} -global_attention general -bridge true -share_embeddings -share_vocab"
    arguments += " -data none -src_vocab none"
    options, _ = parser.parse_known_args(arguments.split())
    ArgumentParser.update_model_opts(options)
    model = build_base_model(options, vocabs)
    ours = {"<blank>": 0, "<s>": 1, "</s>": 2, "<unk>": 3}
    rows = torch.tensor([ours[word] if word in ours else int(word[1:]) for word in vocab.ids_to_tokens])
    state = model.state_dict()
    output = torch.zeros(len(rows), hidden)
    output[:, :size] = weights["output"][rows]
    bias = weights["output.bias"][rows].clone()
    bias[[vocab[word] for word in ("<unk>", "<blank>", "<s>", "t2")]] = -1e9
    readout, query = torch.zeros(hidden, 2 * hidden), torch.zeros(hidden)
    state_part, context_part = weights["readout"].split(hidden, 1)
    readout[:size], query[:size] = torch.cat([context_part, state_part], 1), weights["readout.bias"]
    named = {"generator.weight": output, "generator.bias": bias, "encoder.bridge.weight": weights["bridge"],
             "encoder.bridge.bias": weights["bridge.bias"], "decoder.attn.linear_in.weight": weights["attention"].T,
             "decoder.attn.linear_out.weight": readout, "decoder.attn.linear_out.bias": query}  # fmt: skip
    for place, part in (("decoder.rnn", "decoder"), ("encoder.rnn", "forward"), ("encoder.rnn", "backward")):
        end = "_l0_reverse" if part == "backward" else "_l0"
        for name, ours_name in (("weight_ih", "W_x"), ("weight_hh", "W_h"), ("bias_ih", "b")):
            named[f"{place}.{name}{end}"] = weights[f"{part}.{ours_name}"]
        named[f"{place}.bias_hh{end}"] = torch.zeros_like(weights[f"{part}.b"])
    for name in state:
        if "embeddings" in name:
            named[name] = weights["embedding"][rows]
    assert named.keys() == state.keys(), named.keys() ^ state.keys()
    parts = {"model": {}, "generator": {}}
    for name, value in named.items():
        group, _, rest = name.partition(".")
        parts["generator" if group == "generator" else "model"][rest if group == "generator" else name] = value
    torch.save({**parts, "vocab": vocabs_to_dict(vocabs), "opt": options, "optim": None}, folder / "model.pt")


def translate(folder: Path, source: str, output: str, beam: str, batch: str, threads: str) -> None:
    """As its command `onmt_translate`."""
    torch.set_num_threads(int(threads))
    sys.argv[1:] = ["-model", str(folder / "model.pt"), "-src", source, "-output", output, "-beam_size", beam,
                    "-batch_size", batch, "-length_penalty", "wu", "-alpha", "1.0", "-max_length", "100"]  # fmt: skip
    main()


if __name__ == "__main__":
    {"prepare": prepare, "translate": translate}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
