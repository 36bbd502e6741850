"""Properties of the whole model over the combinations that a recipe can name."""

import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from seq2seq import recipe
from seq2seq.nn.seq2seq import Seq2Seq

VOCAB = 11


CELLS = [
    "rnn",
    {"kind": "rnn", "activation": "relu"},
    "lstm",
    {"kind": "lstm", "peephole": True, "layer_norm": True},
    {"kind": "lstm", "coupled": True, "use_bias": False},
    "gru",
    {"kind": "gru", "reset": "before", "layer_norm": True},
    {"kind": "transition_gru", "transitions": 2},
    "sru",
    {"kind": "sru", "peephole": False},
    "ssru",
    "mingru",
    "minlstm",
]
ATTENTIONS = [
    "none", "last_state", "bahdanau", "luong_dot", "luong_general", "luong_concat", "scaled_dot", "local_p",
    "multi_head", "location", "coverage",
]  # fmt: skip
DIRECTIONS = [
    "forward", "backward", "bidirectional", "bidirectional_first", "alternating", "bidirectional_alternating"
]  # fmt: skip


BRIDGES = ["project", "project_backward", "project_mean", "copy", "zero"]
READOUTS = ["none", "linear", "tanh", "maxout"]
INPUTS = ["state", "previous_state", "context", "token"]


@st.composite
def models(draw: st.DrawFn) -> Seq2Seq:
    """Any model that the schema allows, in float64, without dropout."""
    cells, connections = st.sampled_from(CELLS), st.sampled_from(["plain", "residual", "highway", "dense"])
    cell, direction = draw(cells), draw(st.sampled_from(DIRECTIONS))
    layers = draw(st.integers(1, 3))
    width = 8 if direction.startswith("bidirectional") else 4
    attention: dict[str, object] = {"kind": draw(st.sampled_from(ATTENTIONS))}
    inputs = draw(st.none() | st.lists(st.sampled_from(INPUTS), min_size=1, unique=True))
    projection = draw(st.sampled_from([None, None, {"size": 4}, {"activation": "identity"}]))
    if attention["kind"] == "multi_head":
        attention |= {"heads": 2, "score": draw(st.sampled_from(["scaled_dot", "additive"]))}
    try:
        config = recipe.ModelConfig.model_validate(
            {
                "embedding": {
                    "size": draw(st.sampled_from([2, 4, 6])),
                    "tie": draw(st.sampled_from(["none", "decoder", "all"])),
                },
                "encoder": {
                    "cell": cell, "layers": layers, "hidden_size": 4, "direction": direction,
                    "connections": draw(connections), "zoneout": draw(st.sampled_from([0.0, 0.3])),
                    "projection": projection,
                },
                "bridge": draw(st.sampled_from(BRIDGES)),
                "decoder": {
                    "cell": draw(st.one_of(st.just(cell), cells)),
                    "layers": draw(st.one_of(st.just(layers), st.integers(1, 3))),
                    "hidden_size": draw(st.one_of(st.just(width), st.integers(2, 9))),
                    "connections": draw(connections),
                    "input_feeding": draw(st.booleans()),
                    "attend": draw(st.sampled_from(["top", "first", "within", "previous"])),
                    "readout": {"kind": draw(st.sampled_from(READOUTS)), "inputs": inputs},
                    "attention": attention,
                },
            }
        )  # fmt: skip
    except ValidationError:
        reject()  # an impossible combination: the errors are tested elsewhere
    torch.manual_seed(draw(st.integers(0, 99)))
    return Seq2Seq(config, VOCAB, VOCAB, 0).double().eval()


@st.composite
def batches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Source tokens, their lengths, target inputs."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    src = torch.randint(4, VOCAB, (len(lengths), max(lengths)), generator=generator)
    for row, length in enumerate(lengths):
        src[row, length:] = 0
    tgt = torch.randint(4, VOCAB, (len(lengths), draw(st.integers(1, 5))), generator=generator)
    return src, torch.tensor(lengths), tgt


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
@given(models(), batches())
def test_whole_sequence_equals_step_by_step(model: Seq2Seq, batch: tuple[torch.Tensor, ...]) -> None:
    src, lengths, tgt = batch
    whole = model.logits(model(src, lengths, tgt).states)
    memory = model.encode(src, lengths)
    state, steps, attention = model.start(memory), [], []
    for t in range(tgt.shape[1]):
        logits, state = model.step(tgt[:, t : t + 1], state, memory)
        steps.append(logits)
        attention.append(state.attention)
    torch.testing.assert_close(whole, torch.cat(steps, 1), atol=1e-10, rtol=1e-10)
    output = model(src, lengths, tgt, with_attention=True)
    torch.testing.assert_close(model.logits(output.states), whole, atol=1e-10, rtol=1e-10)
    given_weights = [weights for weights in attention if weights is not None]
    assert (output.attention is not None) == bool(given_weights)
    if output.attention is not None:
        torch.testing.assert_close(output.attention, torch.cat(given_weights, 1), atol=1e-10, rtol=1e-10)
        learns = model.decoder.attention is not None and list(model.decoder.attention.parameters())
        assert output.attention.requires_grad or not learns


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
@given(models(), batches(), st.integers(0, 3))
def test_padding_changes_nothing(model: Seq2Seq, batch: tuple[torch.Tensor, ...], more: int) -> None:
    src, lengths, tgt = batch
    padded = torch.nn.functional.pad(src, (0, more))
    whole = model.logits(model(padded, lengths, tgt).states)
    for row, length in enumerate(lengths.tolist()):
        alone = model.logits(model(src[row : row + 1, :length], lengths[row : row + 1], tgt[row : row + 1]).states)
        torch.testing.assert_close(whole[row : row + 1], alone, atol=1e-10, rtol=1e-10)


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(models(), batches())
def test_gradient_does_not_reach_padding(model: Seq2Seq, batch: tuple[torch.Tensor, ...]) -> None:
    src, lengths, tgt = batch
    src = torch.nn.functional.pad(src, (0, 2), value=VOCAB - 1)  # a real token where nothing should be read
    tgt[tgt == VOCAB - 1] = 4
    src[:, :-2][src[:, :-2] == VOCAB - 1] = 4
    model(src, lengths, tgt).states.pow(2).sum().backward()
    gradient = model.src_embedding.weight.grad
    assert gradient is not None
    assert gradient[VOCAB - 1].abs().max() == 0


@pytest.mark.parametrize("feeding", [False, True])
def test_teacher_forcing_with_chance_one_is_teacher_forcing(feeding: bool) -> None:
    model = Seq2Seq(recipe.ModelConfig(decoder=recipe.DecoderConfig(input_feeding=feeding)), VOCAB, VOCAB, 0).eval()
    src, tgt = torch.randint(4, VOCAB, (3, 5)), torch.randint(4, VOCAB, (3, 4))
    lengths = torch.tensor([5, 2, 4])
    forced = model(src, lengths, tgt, with_attention=True)
    partly = model(src, lengths, tgt, teacher_forcing=0.9999999, with_attention=True)
    torch.testing.assert_close(partly.states, forced.states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(partly.attention, forced.attention, atol=1e-5, rtol=1e-5)


def test_free_running_feeds_the_models_own_choice() -> None:
    model = Seq2Seq(recipe.ModelConfig(), VOCAB, VOCAB, 0).eval()
    src, lengths, tgt = torch.randint(4, VOCAB, (2, 5)), torch.tensor([5, 3]), torch.randint(4, VOCAB, (2, 6))
    choices = model.logits(model(src, lengths, tgt, teacher_forcing=0.0).states).argmax(-1)
    fed = torch.cat([tgt[:, :1], choices[:, :-1]], 1)
    assert torch.equal(model.logits(model(src, lengths, fed).states).argmax(-1), choices)


def test_tying_shares_the_weights() -> None:
    def model(tie: str) -> Seq2Seq:
        return Seq2Seq(recipe.ModelConfig.model_validate({"embedding": {"tie": tie}}), VOCAB, VOCAB, 0)

    assert model("none").output.weight is not model("none").tgt_embedding.weight
    decoder, every = model("decoder"), model("all")
    assert decoder.output.weight is decoder.tgt_embedding.weight is not decoder.src_embedding.weight
    assert every.output.weight is every.tgt_embedding.weight is every.src_embedding.weight


def test_dropout_mask_is_the_same_at_every_step() -> None:
    """Input feeding runs step by step, plain decoding fused: both must see one mask a sentence."""
    config = recipe.ModelConfig(decoder=recipe.DecoderConfig(dropout=0.5))
    model = Seq2Seq(config, VOCAB, VOCAB, 0).train()
    x = torch.ones(2, 7, config.embedding.size)
    masks = model.decoder.masks(x)
    assert masks.outputs is not None
    assert masks.outputs[0].shape == (2, 1, config.embedding.size)
    assert set(masks.outputs[0].unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("kind", ["uniform", "normal", "orthogonal", "he_normal", "glorot_uniform"])
def test_embeddings_and_linear_layers_begin_as_the_recipe_says(kind: str) -> None:
    values = {"initializer": kind, "embedding": {"size": 100}, "encoder": {"hidden_size": 100}}
    if kind == "uniform":
        values["initializer"] = {"kind": kind, "range": 0.08}  # type: ignore[assignment]
    torch.manual_seed(1)
    model = Seq2Seq(recipe.ModelConfig.model_validate(values), 100, 100, 0)
    modules = [module for module in model.modules() if isinstance(module, torch.nn.Embedding | torch.nn.Linear)]
    assert len(modules) > 5
    for module in modules:
        weight = module.weight.detach()
        outputs, inputs = weight.shape
        deviation = {"uniform": 0.08 / 3**0.5, "normal": 0.05, "orthogonal": max(weight.shape) ** -0.5}
        deviation |= {"he_normal": (2 / inputs) ** 0.5, "glorot_uniform": (2 / (inputs + outputs)) ** 0.5}
        assert weight.std().item() == pytest.approx(deviation[kind], rel=0.05)
        if kind == "uniform":
            assert 0.079 < weight.abs().max() <= 0.08
        if isinstance(module, torch.nn.Linear) and module.bias is not None:
            assert not module.bias.any()
    assert not model.src_embedding.weight[0].any()


def test_weights_that_are_all_alike_are_refused() -> None:
    with pytest.raises(ValidationError, match="zeros gives tokens that training cannot tell apart"):
        recipe.ModelConfig.model_validate({"initializer": "zeros"})


@pytest.mark.parametrize("tie", ["all", "decoder", "none"])
def test_a_language_model_trains_nothing_that_it_does_not_use(tie: str) -> None:
    config = {"embedding": {"size": 6, "tie": tie}, "encoder": {"hidden_size": 4},
              "decoder": {"hidden_size": 6, "attention": "none"}, "bridge": "zero"}  # fmt: skip
    model = Seq2Seq(recipe.ModelConfig.model_validate(config), VOCAB, VOCAB, 0)
    model(torch.tensor([[4, 2]]), torch.tensor([2]), torch.tensor([[1, 5, 6]])).states.sum().backward()
    model.output(torch.ones(1, 6)).sum().backward()
    for name, weight in model.named_parameters():
        assert weight.requires_grad == (weight.grad is not None), name
