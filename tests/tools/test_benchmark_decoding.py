"""The weights that the decoding benchmark gives the peers, and that it measures what it is asked for."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seq2seq.bundle import Bundle, load_bundle
from seq2seq.pipeline import Runner
from tests.toy import toy_recipe
from tools.benchmark_decoding import is_usual, write_weights

USUAL = ["model.encoder.cell=lstm", "model.decoder.cell=lstm", "model.decoder.attention=luong_general",
         "model.embedding.tie=all", "training.max_epochs=1", "tokenizer.joint=true"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    Runner(toy_recipe(folder, *USUAL)).run("train")
    return folder / "run"


def logits_of(weights: dict[str, torch.Tensor], src: list[int], tgt: list[int]) -> torch.Tensor:
    """By torch's own LSTM, as the peers compute it."""

    def lstm(part: str, tokens: list[int], state: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        x = weights["embedding"][tokens]
        layer = torch.nn.LSTM(x.shape[1], weights[f"{part}.W_h"].shape[1])
        bias = weights[f"{part}.b"]
        given = (weights[f"{part}.W_x"], weights[f"{part}.W_h"], bias, torch.zeros_like(bias))
        layer.load_state_dict(dict(zip(layer.state_dict(), given, strict=True)))
        outputs: torch.Tensor = layer(x.unsqueeze(1), state)[0][:, 0]
        return outputs

    forward, backward = lstm("forward", src, None), lstm("backward", src[::-1], None)
    memory = torch.cat([forward, backward.flip(0)], 1)
    h, c = F.linear(torch.cat([forward[-1], backward[-1]]), weights["bridge"], weights["bridge.bias"]).chunk(2)
    states = lstm("decoder", tgt, (torch.tanh(h)[None, None], c[None, None]))
    context = torch.softmax(states @ weights["attention"] @ memory.T, -1) @ memory
    joined = torch.cat([states, context], 1)
    return F.linear(torch.tanh(F.linear(joined, weights["readout"], weights["readout.bias"])),
                    weights["output"], weights["output.bias"])  # fmt: skip


@torch.no_grad()
def test_the_peers_weights_are_the_model(run: Path, tmp_path: Path) -> None:
    bundle: Bundle = load_bundle(run, torch.device("cpu"))
    assert is_usual(bundle.config.model)
    write_weights(bundle, tmp_path)
    stored = np.load(tmp_path / "weights.npz")
    src, tgt = [5, 9, 6, 2], [1, 7, 4]
    model = bundle.model
    expected = model.logits(model(torch.tensor([src]), torch.tensor([4]), torch.tensor([tgt])).states)[0]
    found = logits_of({name: torch.from_numpy(stored[name]) for name in stored}, src, tgt)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_row_for_each_way_that_is_asked_for(run: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("one two\nthree four\nfive\n")
    command = [sys.executable, "-m", "tools.benchmark_decoding", str(run), str(tmp_path / "text"), "--rounds", "1",
               "--exported", str(tmp_path), "--shortlist", str(tmp_path), "--sentences", "3",
               "--only", "run, 1 thread, greedy, one"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"│ (run|exported).*?, (\d) thread.*?, (.*?), (one by one|batches of 32)", done.stdout)
    assert rows == [("run", "1", "greedy", "one by one")]
