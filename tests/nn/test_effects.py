"""Every key of `model` changes weights, outputs, gradients or penalties wherever the schema takes it."""

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.regularization import constrain, weight_penalty
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.recipe.base import Config, sections_of
from tests.recipe.generated import draw

Settings = dict[str, Any]
VOCAB = 9
SMALL: Settings = {
    "embedding": {"size": 6}, "encoder": {"hidden_size": 4}, "decoder": {"hidden_size": 8}
}  # fmt: skip
CONTEXTS: dict[str, Settings] = {
    "plain": {},
    "deep": {"encoder.layers": 2, "decoder.layers": 2, "encoder.dropout": 0.2, "decoder.dropout": 0.2},
    "without attention": {"decoder.attention": {"kind": "none"}},
    "fed": {"decoder.input_feeding": True, "decoder.dropout": 0.2},
    "rnn without bias": {
        "encoder.cell": {"kind": "rnn", "use_bias": False}, "decoder.cell": {"kind": "rnn", "use_bias": False}
    },
    "ssru": {"encoder.cell": {"kind": "ssru"}, "decoder.cell": {"kind": "ssru"}},
    "summary": {"decoder.attention": {"kind": "last_state"}, "bridge": "zero"},
}  # fmt: skip
FILES = {"embedding.src_vectors", "embedding.tgt_vectors", "embedding.frozen", "cell.options"}
"""Keys that need a file, or code, of the user's."""


def keys(config: type[Config], prefix: str = "") -> Iterator[tuple[str, Settings, Any]]:
    """Each leaf: its dotted name, what chooses the kinds on the way to it, and its field."""
    for name, field in config.model_fields.items():
        configs = sections_of(field.annotation)
        if not configs and name != "kind" and not any((prefix + name).endswith(key) for key in FILES):
            yield prefix + name, {}, field
        for each in configs:
            kinds = each.model_fields.get("kind")
            for kind in getattr(kinds.annotation, "__args__", ()) if kinds else (None,):
                chosen = {} if kind is None else {f"{prefix}{name}.kind": kind}
                yield from ((key, chosen | more, leaf) for key, more, leaf in keys(each, f"{prefix}{name}."))


def told(key: str, chosen: Settings) -> bool:
    """Not every initializer in every cell: they share the code."""
    kinds = [kind for name, kind in chosen.items() if name.endswith("cell.kind")]
    return chosen.keys() == {f"{key.partition('.')[0]}.cell.kind"} or not kinds or kinds[0] in ("rnn", "lstm")


LEAVES = {
    f"{key} {' '.join(map(str, chosen.values()))}": (key, chosen, leaf)
    for key, chosen, leaf in keys(recipe.ModelConfig)
    if told(key, chosen)
}
SQUARE = ("recurrent_initializer.mode", "rnn")
"""As many numbers go into the W_h of a simple RNN as come out: there the three modes are one."""


def put(settings: Settings, key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[name] = value


def built(settings: Settings) -> recipe.ModelConfig | None:
    nested: Settings = {name: dict(section) for name, section in SMALL.items()}
    for key, value in settings.items():
        put(nested, key, deepcopy(value))
    try:
        return recipe.ModelConfig.model_validate(nested)
    except ValidationError:
        return None


def trace(config: recipe.ModelConfig) -> list[Tensor]:
    """All that a step of training sees of this model."""
    torch.manual_seed(1)
    model = Seq2Seq(config, VOCAB, VOCAB, 0).train()
    found = [*model.state_dict().values()]
    src, tgt = torch.randint(4, VOCAB, (3, 6)), torch.randint(4, VOCAB, (3, 4))
    output = model(src, torch.tensor([6, 5, 6]), tgt)
    logits = model.logits(output.states)
    penalties = [part for part in (weight_penalty(model), output.activity_penalty) if part is not None]
    sum([logits.pow(2).sum(), *penalties]).backward()  # type: ignore[union-attr]
    found += [logits, *penalties, *(p.grad for p in model.parameters() if p.grad is not None)]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1).mul_(30)  # far outside of every constraint
        constrain(model)
        found += [parameter.clone() for parameter in model.parameters()]
        for parameter in model.parameters():
            parameter.mul_(1e-3)  # and below a norm that may not be fallen short of
        constrain(model)
    return [*found, *model.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and torch.equal(a, b) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("name", LEAVES)
def test_every_key_acts_where_it_is_taken(name: str) -> None:
    key, chosen, field = LEAVES[name]
    if key.endswith(SQUARE[0]) and SQUARE[1] in chosen.values():
        pytest.skip("fan in and fan out are equal")
    rng = random.Random(name)
    values = [draw(rng, field.annotation, tuple(field.metadata), key.rpartition(".")[2]) for _ in range(12)]
    values = [value for value in values if not isinstance(value, int | float) or isinstance(value, bool) or value < 40]
    for context, settings in CONTEXTS.items():
        base = built(settings | chosen)
        if base is None:
            continue
        others = [built(settings | chosen | {key: value}) for value in values]
        changed = [other for other in others if other is not None and other != base]
        without = trace(base)
        assert not changed or any(not same(trace(other), without) for other in changed), f"{key} {context}"
