"""The shapes in signatures of nn/, decoding/ and the loss hold: checked at run time, in a process of their own.

All tests are run so with CHECKED_SHAPES=1, which takes twice as long.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from pydantic import ValidationError

from seq2seq import recipe
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.decoding.sampling import sample
from seq2seq.decoding.scoring import score
from seq2seq.decoding.search import beam_search
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.loss import smoothed_cross_entropy
from tests.nn.test_seq2seq import ATTENTIONS, BRIDGES, CELLS, DIRECTIONS, INPUTS, READOUTS, VOCAB

CONNECTIONS = ["plain", "residual", "highway", "dense"]
ATTEND = ["top", "first", "within", "previous"]


def models() -> Iterator[Seq2Seq]:
    """Each option at least once, beside others."""
    for i, cell in enumerate(CELLS):
        kind, direction = ATTENTIONS[i % len(ATTENTIONS)], DIRECTIONS[i % len(DIRECTIONS)]
        size = 8 if direction.startswith("bidirectional") else 4
        stack = {"cell": cell, "layers": 2, "connections": CONNECTIONS[i % 4], "zoneout": 0.1, "dropout": 0.1}
        attention = {"kind": kind} | ({"heads": 2} if kind == "multi_head" else {})
        readout = {"kind": READOUTS[i % 4], "inputs": INPUTS[: 1 + i % 4] if i % 4 else None}
        decoder = stack | {"hidden_size": size, "attention": attention, "attend": ATTEND[i % 4], "readout": readout}
        decoder["input_feeding"] = i % 3 == 0
        encoder = stack | {"hidden_size": 4, "direction": direction}
        plain = {"input_feeding": False, "attend": "top", "readout": {}, "connections": "plain"}
        for less in ({}, {"readout": {}}, {"attend": "top"}, {"attend": "top", "readout": {}}, plain):
            connected = {"connections": "plain"} if less == plain else {}
            whole = {"embedding": {"size": 4, "tie": "none"}, "encoder": encoder | connected, "decoder": decoder | less}
            try:
                config = recipe.ModelConfig.model_validate(
                    whole | ({} if less == plain else {"bridge": BRIDGES[i % 5]})
                )
            except ValidationError:
                continue
            yield Seq2Seq(config, VOCAB, VOCAB, 0)
            break


def exercise() -> None:
    """Train, search and sample with each."""
    count, src = 0, torch.tensor([[5, 6, 7, 2], [8, 2, 0, 0]])
    lengths, tgt = torch.tensor([4, 2]), torch.tensor([[1, 5, 6], [1, 7, 0]])
    for model in models():
        logits = model.logits(model(src, lengths, tgt).states)
        loss, _ = smoothed_cross_entropy(logits.flatten(0, 1), tgt.flatten(), 0.1)
        loss.backward()
        model.eval()
        with torch.no_grad():
            score(model, [[5, 6, 2], [7, 2]], [[6, 2], [5, 5, 2]], 2)
            sample(model, src, lengths, torch.tensor([4, 4]), 3)
            beam_search(
                ModelScorer(model, torch.device("cpu")), [[5, 6, 2], [7, 2]], recipe.DecodingConfig(beam_size=3)
            )
        count += 1
    assert count >= len(CELLS) - 1, count  # some do not go together
    with pytest.raises(Exception, match="Type-check error"):
        smoothed_cross_entropy(logits, tgt, 0.1)
    print("all hold")


def test_shapes_hold() -> None:
    code = "import tests.conftest; from tests.nn.test_shapes import exercise; exercise()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"CHECKED_SHAPES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "all hold\n", done.stderr[-3000:]
