"""Every mistake of a user ends with exit code 2 and one message that says where, what, and the fix."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from seq2seq.pipeline import Runner
from seq2seq.recipe.data import TsvSourceConfig
from seq2seq.recipe.file import load_recipe
from tests.command_line import Result, seq2seq
from tests.toy import write_toy


def refused(result: Result, *words: str) -> None:
    """Exit code 2, nothing on stdout, a message with these words and no traceback."""
    assert result.code == 2, result
    assert result.out == ""
    assert result.err.startswith("error: ") and "Traceback" not in result.err
    for word in words:
        assert word in result.err, result.err


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good recipe with its data."""
    return write_toy(tmp_path_factory.mktemp("good"), train=50)


GUIDED = "data.train.alignments=train.align training.guided_alignment=0.1"
SETTINGS = [
    # unknown and misspelt keys, at every level, and what peers call them
    ("trainig.max_epochs=3", "trainig: unknown key; did you mean `training`?"),
    ("sed=3", "sed: unknown key; did you mean `seed`?"),
    ("data.trg=de", "data.trg: unknown key; did you mean `tgt`?"),
    ("data.dev={files: 'x.{lang}'}", "data.dev: unknown key; did you mean `valid`?"),
    ("data.filter.max_len=3", "data.filter.max_len: unknown key; did you mean `max_length`?"),
    ("tokenizer.vocab=3000", "tokenizer.vocab: unknown key; did you mean `vocab_size`?"),
    ("tokenizer={kind: bpe, dropout: 0.1}", "training.bpe_dropout for merges of BPE"),
    ("training.dropout=0.1", "training.dropout: unknown key; model.encoder.dropout and model.decoder.dropout are for"),
    ("model.encoder.hidden=3", "model.encoder.hidden: unknown key; did you mean `hidden_size`?"),
    ("model.encoder.bidirectional=true", "model.encoder.bidirectional: unknown key; did you mean `direction`?"),
    ("model.encoder.rnn_type=gru", "model.encoder.rnn_type: unknown key; did you mean `cell`?"),
    ("model.decoder.num_layers=3", "model.decoder.num_layers: unknown key; did you mean `layers`?"),
    ("model.tied_embeddings=true", "model.tied_embeddings: unknown key"),
    ("training.optimizer.lr=0.1", "training.optimizer.lr: unknown key; did you mean `learning_rate`?"),
    ("training.optim={kind: adam}", "training.optim: unknown key; did you mean `optimizer`?"),
    ("training.epochs=3", "training.epochs: unknown key; did you mean `max_epochs`?"),
    ("training.schedule.warmup=3", "training.schedule.warmup: unknown key; did you mean `warmup_steps`?"),
    ("training.xyzzy=3", "training.xyzzy: unknown key; the keys here are batch, optimizer"),
    ("decoding.beam=3", "decoding.beam: unknown key; did you mean `beam_size`?"),
    ("evaluation.metric=bleu", "evaluation.metric: unknown key; did you mean `metrics`?"),
    # options of another kind: they would have no effect
    (
        "training.optimizer.momentum=0.9",
        "momentum: unknown key; kind sgd or rmsprop has it; the keys of kind adam are kind, ",
    ),
    (
        "model.encoder.cell={kind: gru, forget_bias: 2.0}",
        "model.encoder.cell.forget_bias: unknown key; kind lstm has it; the keys of kind gru are use_bias, ",
    ),
    ("training.teacher_forcing.rato=0.5", "training.teacher_forcing.rato: unknown key; did you mean `ratio`?"),
    ("tokenizer={kind: char, vocab_size: 100}", "tokenizer.vocab_size: unknown key"),
    ("model.decoder.attention={kind: luong_dot, size: 5}", "model.decoder.attention.size: unknown key"),
    ("decoding.length_penalty={kind: average, alpha: 1.0}", "decoding.length_penalty.alpha: unknown key"),
    ("training.schedule={kind: constant, factor: 0.5}", "training.schedule.factor: unknown key"),
    ("data.valid.weight=2.0", "data.valid.weight: has no effect outside the training data; remove it"),
    ("data.test.toy.weight=2.0", "data.test.toy.weight: has no effect"),
    ("model.encoder.attention={kind: bahdanau}", "model.encoder.attention: unknown key"),
    ("data.train={tsv: x, src_field: en}", "data.train.src_field: unknown key; the keys here are weight, src_column"),
    ("data.train={files: 'x.{lang}', tsv: y}", "data.train.tsv: unknown key; the keys here are weight, files"),
    ("data.test={'': {files: 'x.{lang}'}}", "only letters, digits, `.`, `_` and `-`, not ''"),
    ("data.test={.a: {files: 'x.{lang}'}}", "only letters, digits, `.`, `_` and `-`, not '.a'"),
    (f"name={'x' * 101}", "name: must have at most 100 characters"),
    # names
    ("model.encoder.cell=rnn_tanh", "not 'rnn_tanh'; did you mean `rnn`?"),
    ("model.decoder.attention.kind=mlp", "model.decoder.attention.kind: must be one of none, "),
    ("model.decoder.attention.kind=dot", "did you mean `luong_dot`?"),
    (
        "training.optimizer.kind=adm",
        "training.optimizer.kind: must be one of adam, adamw, sgd, adadelta, rmsprop, adagrad, not 'adm'; did you mean",
    ),
    ("training.schedule.kind=noam", "did you mean `inverse_sqrt`?"),
    ("tokenizer.kind=sentencepiece", "tokenizer.kind: must be one of bpe, unigram, word, char"),
    ("model.encoder.cell={kernel_initializer: {}}", "cell.kernel_initializer: this section needs its `kind`"),
    ("tokenizer=[bpe]", "tokenizer: must be a section of keys"),
    ("tokenizer=bpee", "tokenizer: must be one of bpe, unigram, word, char, not 'bpee'; did you mean `bpe`?"),
    (
        "model.bridge=final",
        "model.bridge: must be one of project, project_backward, project_mean, copy, zero, not 'final'",
    ),
    ("model.embedding.tie=both", "model.embedding.tie: must be one of none, decoder, all, not 'both'"),
    (
        "training.early_stopping.metric=meteor",
        "must be one of loss, perplexity, accuracy, bleu, chrf, ter, not 'meteor'",
    ),
    ("training.precision=fp16", "training.precision: must be one of auto, fp32, bf16, not 'fp16'"),
    ("evaluation.metrics=[bleu, blue]", "evaluation.metrics.1: must be one of bleu, chrf, chrf++, ter, not 'blue'"),
    ("data.src=english language", "data.src: must be a language code such as en or pt_BR"),
    ("name=a/b", "name: is used as a file name"),
    ("data.test={a b: {files: 'x.{lang}'}}", "is used as a file name: only letters, digits"),
    # types
    ("seed=true", "seed: must be an integer, not True"),
    ("seed=1.5", "seed: must be an integer, not 1.5"),
    ("seed='1'", "seed: must be an integer, not '1'"),
    ("data.tgt=7", "data.tgt: must be a string, not 7"),
    ("data.filter.deduplicate=yes", "data.filter.deduplicate: must be a boolean, not 'yes'"),
    ("model.decoder=3", "model.decoder: must be a section of keys, not 3"),
    ("training.max_epochs=null", "training.max_epochs: must be an integer, not None"),
    ("training.max_epochs=[3]", "training.max_epochs: must be an integer, not [3]"),
    ("model.encoder.direction=1", "model.encoder.direction: must be one of forward, "),
    ("training.optimizer.learning_rate=fast", "training.optimizer.learning_rate: must be a number, not 'fast'"),
    ("evaluation.metrics=bleu", "evaluation.metrics: must be a list, not 'bleu'"),
    ("data=null", "data: must be a section of keys, not None"),
    ("data.src=null", "data.src: must be a string, not None"),
    ("data.valid=[]", "data.valid: not a data source"),
    ("data.train={files: 5}", "data.train.files: must be a string, not 5"),
    ("data.train={files: [1, 2]}", "data.train.files.0: must be a string, not 1"),
    ("training.label_smoothing=true", "training.label_smoothing: must be a number, not True"),
    ("seed=!!int x", "seed: 'x' is no int that can be read"),
    ("seed=!!bool x", "seed: 'x' is no bool that can be read"),
    ("seed=!!python/object:os.system x", "seed: the tag !!python/object:os.system; recipes hold plain values only"),
    (f"seed={'1' * 5000}", "seed: a value of 5,000 characters; 4,096 are the most"),
    (f"seed={'[' * 2000}", "too deep"),
    ("seed=*a", "(seed=*a): not valid YAML: found undefined alias"),
    ("data.filter={[a, b]: 3}", "data.filter: a key must be one word"),
    # values
    ("training.optimizer.betas=[0.9]", "training.optimizer.betas: must have at least 2 items, but is [0.9]"),
    ("decoding.max_length.ratio=.nan", "decoding.max_length.ratio: must be a finite number, but is nan"),
    ("seed=2147483648", "seed: must be less than 2147483648"),
    ("seed=-1", "seed: must be greater than or equal to 0, but is -1"),
    ("training.max_epochs=0", "training.max_epochs: must be greater than 0, but is 0"),
    ("training.label_smoothing=1.0", "training.label_smoothing: must be less than 1, but is 1.0"),
    ("training.teacher_forcing.ratio=1.5", "training.teacher_forcing.ratio: must be less than or equal to 1"),
    ("training.optimizer.learning_rate=0", "training.optimizer.learning_rate: must be greater than 0"),
    ("training.optimizer.learning_rate=.nan", "training.optimizer.learning_rate: must be a finite number, but is nan"),
    ("training.optimizer.learning_rate=.inf", "training.optimizer.learning_rate: must be a finite number, but is inf"),
    ("training.optimizer.betas=[0.9, 1e999]", "training.optimizer.betas.1: must be a finite number, but is inf"),
    ("model.encoder.dropout=-0.1", "model.encoder.dropout: must be greater than or equal to 0"),
    ("decoding.beam_size=0", "decoding.beam_size: must be greater than or equal to 1, but is 0"),
    ("data.filter.max_length_ratio=1.0", "data.filter.max_length_ratio: must be greater than 1"),
    ("tokenizer.vocab_size=3", "tokenizer.vocab_size: must be greater than or equal to 100"),
    ("data.train.weight=0", "data.train.weight: must be greater than 0"),
    ("evaluation.metrics=[]", "evaluation.metrics"),
    ("evaluation.metrics=[bleu, bleu]", "evaluation.metrics: a metric is named twice; name each once"),
    # combinations
    ("data.tgt=en", "data.tgt: source and target are the same language"),
    ("model.bridge=copy model.decoder.layers=2", "model.bridge: copy needs an encoder and a decoder of the same cell"),
    ("model.decoder.attention.kind=luong_dot model.decoder.hidden_size=20", "luong_dot needs encoder outputs"),
    ("model.decoder.attention.kind=none model.decoder.input_feeding=true", "set it to false"),
    (
        "model.encoder.layers=2 model.encoder.connections=residual model.encoder.direction=bidirectional_first",
        "model.encoder.connections: residual never acts: no layer's input is as long as its output (16 -> 32 -> 16",
    ),
    ("model.decoder.attention.kind=none model.bridge=zero", "the decoder never sees the source"),
    (
        "model.decoder.readout.kind=none model.decoder.readout.inputs=[token] model.decoder.attention.kind=none",
        "never sees the source",
    ),
    ("model.bridge=project_backward model.encoder.direction=forward", "model.bridge: the top encoder layer reads"),
    ("model.bridge=project_backward model.encoder.projection={}", "model.bridge: encoder.projection leaves no state"),
    ("model.encoder.projection={} model.encoder.connections=dense", "model.encoder.projection: dense layers' outputs"),
    ("model.decoder.readout=none", "model.decoder.readout: none gives the output layer"),
    ("model.decoder.readout.inputs=[state]", "model.decoder.readout.inputs: with `attend: top` the context acts"),
    ("model.decoder.readout.inputs=[state,state]", "model.decoder.readout.inputs: one of them is there twice"),
    ("model.decoder.readout.inputs=[]", "model.decoder.readout.inputs: must have at least 1 item"),
    (
        "model.decoder.readout.inputs=[context] model.decoder.attention=none",
        "model.decoder.readout.inputs: there is no context with attention none",
    ),
    ("model.decoder.readout=none model.decoder.connections=dense", "model.decoder.readout.kind: dense layers leave"),
    ("model.decoder.attend=within", "model.decoder.attend: `within` needs cell: transition_gru, not"),
    (
        "model.decoder.cell=transition_gru model.decoder.attend=within model.decoder.input_feeding=true",
        "model.decoder.input_feeding: the context is an input already",
    ),
    ("model.embedding.tie=all tokenizer.joint=false", "model.embedding.tie: `all` needs one vocabulary"),
    (
        "training.bpe_dropout=0.1",
        "training.bpe_dropout: has no effect with a tokenizer of kind word, which has no merges to drop; use kind bpe",
    ),
    (
        "training.guided_alignment=0.1",
        "training.guided_alignment: there are no alignments; name a file of them beside a source",
    ),
    (
        "data.train.alignments=train.align",
        "data.train.alignments: has no effect while training.guided_alignment is 0",
    ),
    ("data.valid.alignments=x", "data.valid.alignments: has no effect outside the training data"),
    ("data.train={tsv: x, alignments: y}", "data.train.alignments: unknown key; the keys here are weight, src_column"),
    (
        f"{GUIDED} model.decoder.attention.kind=none model.decoder.input_feeding=false",
        "training.guided_alignment: attention none has no weights to guide",
    ),
    (
        f"{GUIDED} model.decoder.attention.kind=last_state",
        "training.guided_alignment: attention last_state has no weights to guide",
    ),
    (
        f"{GUIDED} tokenizer.kind=bpe training.bpe_dropout=0.1",
        "training.guided_alignment: bpe_dropout splits aligned words differently each time; set one of them to 0",
    ),
    (
        "training.guided_alignment=0.1 training.minimum_risk.after_epochs=1 model.decoder.layers=1",
        "training.guided_alignment: sampled translations have no alignments; remove it, or minimum_risk",
    ),
    # data sources
    ("data.train={fles: 'x.{lang}'}", "data.train: not a data source: it needs one of the keys files, tsv"),
    ("data.train=[]", "data.train: the list is empty"),
    ("data.train={files: 'x.en'}", "data.train.files: the pattern needs `{lang}`"),
    ("data.train={files: [x]}", "data.train.files: the list needs two files"),
    ("data.train={tsv: x, src_column: 1}", "data.train.tgt_column: the source is column 1 too"),
    ("data.train={builtin: wmt}", "data.train.builtin: must be"),
    # overrides
    ("beam_size", "settings have the form key.path=value"),
    ("=3", "settings have the form key.path=value"),
    ("a..b=3", "settings have the form key.path=value"),
    ("data.train.0.files.0=x", "data.train.files is '"),
    ("data.train.3.weight=2.0", "command line (data.train.3.weight=2.0): data.train.3: unknown key"),
    ("3.x=4", "command line (3.x=4): 3: unknown key"),
    ("name.x=3", "name is 'toy' and holds no keys"),
    (
        "model.encoder.cell.reset=before",
        "model.encoder.cell is 'gru' and holds no keys; where that is a kind, set model.encoder.cell={kind: gru, ",
    ),
    ("seed={a: b", "not valid YAML"),
]


@pytest.mark.parametrize(("settings", "words"), SETTINGS, ids=[s[:60] for s, _ in SETTINGS])
def test_bad_settings(recipe: Path, settings: str, words: str) -> None:
    split = settings.split(" ") if " model." in settings or " tokenizer." in settings else [settings]
    refused(seq2seq("validate", str(recipe), *split), words)


GOOD = """\
name: x
data:
  src: en
  tgt: de
  train: {builtin: cldr}
  valid: {builtin: cldr}
"""

RECIPES = [
    ("", "a recipe is a mapping of keys"),
    ("- a\n- b\n", "a recipe is a mapping of keys"),
    ("name: x\nname: y\n", ":2: name: duplicate key; remove one"),
    (
        "name: [x\n",
        ":1: not valid YAML: the bracket opened at column 7 is not closed up to line 2: expected ','",
    ),
    ("name: x\ndata: {src: en,\n  tgt: de\n  seed: 1\n", ":2: not valid YAML: the bracket opened at column 7 is"),
    ("name: x\u2028\ndata: [\n", "not valid YAML: expected the node content, but found '<stream end>'; a bracket"),
    ("name: x\n\tdata: y\n", ":2: not valid YAML"),
    ("name: !!python/object:os.system x\n", ":1: name: the tag !!python/object:os.system"),
    ("name: x\ndata: !!python/dict {a: b}\n", ":2: data: the tag !!python/dict"),
    ("name: x\ndata:\n  train: !mine [a]\n", ":3: data.train: the tag !mine"),
    ("name: !!binary aGVsbG8=\n", ":1: name: the tag !!binary"),
    ("name: x\ndata: &a\n  src: *a\n", "an alias within itself"),
    ("name: " + "[" * 3000, "too deep"),
    ("name: x\nseed: \x01\n", ":2: not valid YAML: special characters"),
    ("name: x\n\tseed: 1\n", "use spaces, not tabs"),
    ("name: x\n---\nname: y\n", ":2: not valid YAML"),
    ("name: 'x\nseed: 1\n", ":1: not valid YAML: the quote opened at column 7 is not closed"),
    ("hello\n", "a recipe is a mapping of keys"),
    ("# nothing\n", "a recipe is a mapping of keys"),
    (GOOD + "sed: 3\n", ":7: sed: unknown key; did you mean `seed`?"),
    (GOOD + "model:\n  encoder:\n    hiden_size: 3\n", ":9: model.encoder.hiden_size: unknown key; did you mean"),
    (
        GOOD + "training:\n  optimizer:\n    kind: sgd\n    betas: [0.1, 0.2]\n",
        ":10: training.optimizer.betas: unknown",
    ),
    (GOOD + "training:\n  max_epochs: b\n  max_steps: c\n", ":8: training.max_epochs: must be an integer, not 'b'\n"),
    (
        GOOD.replace("valid: {builtin: cldr}", "valid:\n    builtin: cldr\n    weight: 3.0"),
        ":8: data.valid.weight: has no effect",
    ),
    (GOOD + "  tset: {}\n", ":7: data.tset: unknown key; did you mean `test`?"),
    (
        GOOD + "model:\n  decoder:\n    hidden_size: 20\n    attention: {kind: luong_dot}\n",
        ":10: model.decoder.attention.kind: luong_dot needs encoder outputs (512 numbers)",
    ),
    (GOOD.replace("tgt: de", "tgt: ${SEQ2SEQ_NOT_SET}"), ":4: data.tgt: the environment variable SEQ2SEQ_NOT_SET"),
    ("name: ${SEQ2SEQ_NOT_SET}\n", ":1: name: the environment variable SEQ2SEQ_NOT_SET is not set"),
    ("seed: 1\n", "name: this key is missing; add it"),
    ("name: x\n", "data: this key is missing; add it"),
    ("name: x\ndata:\n  src: en\n  tgt: de\n  valid: {builtin: cldr}\n", ":2: data.train: this key is missing"),
    ("name: x\ndata:\n  src: en\n  tgt: de\n  train: {builtin: cldr}\n", ":2: data.valid: this key is missing"),
    ("name: x\ndata: 5\n", ":2: data: must be a section of keys, not 5"),
    ("name: x\ndata:\n  src: en\n  tgt: de\n  trian: 5\n", ":5: data.trian: unknown key; did you mean `train`?"),
]


@pytest.mark.parametrize(("text", "words"), RECIPES)
def test_bad_recipes(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    refused(seq2seq("validate", str(path)), str(path), words)


def test_recipes_that_cannot_be_read(tmp_path: Path) -> None:
    refused(seq2seq("run", str(tmp_path / "none.yaml")), "none.yaml: no such recipe; see recipes/")
    refused(seq2seq("run", str(tmp_path)), "not a run folder")
    (tmp_path / "latin.yaml").write_bytes("seed: 1\nname: käse\n".encode("latin-1"))
    refused(seq2seq("run", str(tmp_path / "latin.yaml")), "latin.yaml:2: not UTF-8")


def test_a_missing_file_names_the_variable_that_was_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(GOOD.replace("{builtin: cldr}", "{files: '${CORPUS:-no/where}/train.{lang}'}", 1))
    monkeypatch.delenv("CORPUS", raising=False)
    for command in ("validate", "plan", "run"):
        refused(
            seq2seq(command, str(recipe)), "data.train: ", "no/where/train.en: no such file", "CORPUS=folder seq2seq"
        )
    monkeypatch.setenv("CORPUS", "elsewhere")
    assert "CORPUS" not in seq2seq("plan", str(recipe)).err


def test_a_setting_below_a_section_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\ndata: 5\n")
    refused(seq2seq("plan", str(tmp_path / "recipe.yaml"), "data.train.0.weight=2.0"), "data is 5 and holds no keys")


def test_a_setting_for_an_entry_that_the_list_lacks(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(GOOD.replace("{builtin: cldr}", "[{builtin: cldr}]", 1))
    for entry in ("3", "last"):
        result = seq2seq("plan", str(tmp_path / "recipe.yaml"), f"data.train.{entry}.weight=2.0")
        refused(result, f"data.train has 1 entries, counted from 0, and no {entry!r}")


def data_error(recipe: Path, tmp_path: Path, train: str, *words: str) -> None:
    """`prepare` with this as training data is refused."""
    refused_prepare(recipe, tmp_path, f"data.train={train}", *words)


def refused_prepare(recipe: Path, tmp_path: Path, setting: str, *words: str) -> None:
    """`prepare` with this setting is refused, and leaves no half-made data."""
    run = tmp_path / "run"
    result = seq2seq("prepare", str(recipe), setting, f"output_dir={run}")
    assert result.code == 2 and "Traceback" not in result.err, result
    message = result.err[result.err.index("error: ") :]
    for word in words:
        assert word in message, message
    assert not (run / "data").exists()


def test_bad_text_files(recipe: Path, tmp_path: Path) -> None:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    good = write("good.de", b"eins\nzwei\n")
    data_error(
        recipe, tmp_path, f"{{files: '{recipe.parent}/trian.{{lang}}'}}", "data.train: ", "trian.en", "did you mean"
    )
    data_error(recipe, tmp_path, f"{{files: ['{tmp_path}', '{good}']}}", "data.train: ", "folder")
    data_error(recipe, tmp_path, f"{{files: ['{tmp_path}/no/such.en', '{good}']}}", "such.en", "no such file")
    longer = write("longer.en", b"one\ntwo\nthree\n")
    data_error(recipe, tmp_path, f"{{files: ['{longer}', '{good}']}}", "longer.en has 3 lines", "good.de has 2 lines")
    empty = write("empty.en", b"")
    data_error(recipe, tmp_path, f"{{files: ['{empty}', '{empty}']}}", "empty.en", "no sentence pairs")
    broken = write("broken.en", b"one\n\xff\xfe\n")
    data_error(recipe, tmp_path, f"{{files: ['{broken}', '{good}']}}", "broken.en:2", "not UTF-8")
    cut = write("cut.en.gz", gzip.compress(b"one\ntwo\n" * 999)[:-20])
    data_error(recipe, tmp_path, f"{{files: ['{cut}', '{good}']}}", "cut.en.gz")
    given = f"data.train={{files: ['{longer}', '{good}']}}"
    refused(seq2seq("validate", str(recipe), given), "data.train: ", "longer.en has 3 lines", "good.de has 2 lines")
    blank = write("blank.en", b"\n \n")
    data_error(recipe, tmp_path, f"{{files: ['{blank}', '{good}']}}", "data.train", "2 empty", "data.filter")
    refused_prepare(
        recipe, tmp_path, f"data.valid={{files: ['{empty}', '{empty}']}}", "data.valid", "no sentence pairs"
    )


@pytest.mark.parametrize("setting", ["data.train", "data.valid", "data.test.toy"])
def test_data_without_an_end(recipe: Path, tmp_path: Path, setting: str) -> None:
    """Pipes, devices, endless lines, bombs: each is told of, by every command; and texts over 10,000 characters."""
    good = tmp_path / "good.de"
    good.write_text("eins\nzwei\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "line").write_bytes(b"one\n" + b"x" * 1_000_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"word of a bomb " * 6 + b"\n" + bytes(32 << 20)))
    for name, words in (
        (str(tmp_path / "pipe"), "pipe: a pipe, which cannot be read twice; write it to a file"),
        ("/dev/zero", "/dev/zero: a device, which"),
        (str(tmp_path / "line"), "line:2: this line has more than 100,000 bytes"),
        (str(tmp_path / "bomb.gz"), "bomb.gz:2: this line has more than"),
        (str(tmp_path), "a folder; name a file in it"),
    ):
        given = f"{setting}={{files: ['{name}', '{good}']}}"
        refused(seq2seq("validate", str(recipe), given), setting, words)
        refused_prepare(recipe, tmp_path, given, setting, words)
    (tmp_path / "line").write_bytes(b"one\n" + b"x" * 10_001 + b"\n")
    result = seq2seq("validate", str(recipe), f"{setting}={{files: ['{tmp_path / 'line'}', '{good}']}}")
    if setting == "data.train":
        assert result.code == 0 and "data.train: 1 of 2 pairs kept; dropped: 1 too long" in result.out
    else:
        refused(result, f"{setting}: pair 2: a text of 10,001 characters; 10,000 are the most; split it")


@pytest.mark.parametrize("bad", ["\0", "\ud800"])
def test_characters_that_no_path_holds(recipe: Path, bad: str) -> None:
    for given in (f"data.train={{tsv: 'a{bad}b'}}", f'data.train={{tsv: "a{ascii(bad)[1:-1]}b"}}'):
        result = seq2seq("validate", str(recipe), given)
        assert result.code == 2 and "Traceback" not in result.err, result
    with pytest.raises(ValidationError, match=r"which no path can; remove it|string_unicode"):
        TsvSourceConfig(tsv=f"a{bad}b")


def test_bad_alignments(recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.align"
    files = f"{{files: '{recipe.parent}/train.{{lang}}', alignments: '{path}'}}"

    def refused_with(*words: str) -> None:
        settings = [f"data.train={files}", "training.guided_alignment=0.1", f"output_dir={tmp_path}/run"]
        result = seq2seq("prepare", str(recipe), *settings)
        assert result.code == 2 and "Traceback" not in result.err, result
        for word in ("error: data.train", *words):
            assert word in result.err, result.err

    refused_with("bad.align", "no such file")
    good = (recipe.parent / "train.align").read_text().splitlines()
    for lines, words in (
        (good[:-2], "bad.align has 48 lines, and the text 50"),
        ([*good, ""], "bad.align has 51 lines, and the text 50"),
        ([good[0], "0-0 1:1", *good[2:]], "bad.align:2: '1:1' is no link of two words"),
        ([good[0], "7-0", *good[2:]], "bad.align:2: 7-0 names source word 7"),
    ):
        path.write_text("".join(line + "\n" for line in lines))
        refused_with(words)


def test_bad_tables(recipe: Path, tmp_path: Path) -> None:
    def write(name: str, content: str) -> Path:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    data_error(
        recipe, tmp_path, f"{{tsv: '{write('a.tsv', 'one' + chr(9) + 'eins' + chr(10) + 'two' + chr(10))}'}}", "a.tsv:2"
    )
    first = json.dumps({"en": "one", "de": "eins"}) + "\n"
    data_error(recipe, tmp_path, f"{{jsonl: '{write('a.jsonl', first + '{broken')}'}}", "a.jsonl:2")
    data_error(
        recipe, tmp_path, f"{{jsonl: '{write('b.jsonl', json.dumps({'en': 'one'}))}'}}", "b.jsonl:1", "no field de"
    )
    data_error(
        recipe, tmp_path, f"{{jsonl: '{write('c.jsonl', json.dumps({'en': 'one', 'de': 1}))}'}}", "c.jsonl:1", "de"
    )
    data_error(recipe, tmp_path, f"{{jsonl: '{write('d.jsonl', '[]')}'}}", "d.jsonl:1")


def test_languages_that_the_builtin_corpus_does_not_know(recipe: Path, tmp_path: Path) -> None:
    run = f"output_dir={tmp_path}/run"
    result = seq2seq("prepare", str(recipe), "data.src=xq", "data.valid={builtin: cldr}", run)
    assert result.code == 2 and "xq" in result.err and "Traceback" not in result.err
    refused(
        seq2seq("validate", str(recipe), "data.src=xq", "data.valid={builtin: cldr}", "data.train={builtin: cldr}"),
        "xq",
    )


def test_a_hub_data_set_that_cannot_be_loaded(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data_error(recipe, tmp_path, "{hub: nobody/no-such-data-set}", "data.train: ", "nobody/no-such-data-set")


def test_folders_that_are_not_ours(recipe: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    refused(seq2seq("plan", str(recipe), f"output_dir={file}"), "is a file; name a folder")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    refused(seq2seq("run", str(recipe), f"output_dir={foreign}"), "is not a run folder", "--force")
    assert (foreign / "thesis.tex").read_text() == "mine"


@pytest.fixture(scope="module")
def run(recipe: Path) -> Path:
    """A whole run of the good recipe."""
    Runner(load_recipe(recipe)).run()
    return recipe.parent / "run"


def test_runs_of_others_and_damaged_ones(recipe: Path, run: Path, tmp_path: Path) -> None:
    refused(seq2seq("run", str(recipe), "name=other", f"output_dir={run}"), "belongs to the recipe 'toy'", "--force")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    refused(seq2seq("run", str(recipe), f"output_dir={broken}"), "manifest.json: damaged", "--force")


def test_bad_translate_commands(run: Path, tmp_path: Path) -> None:
    refused(seq2seq("translate", str(tmp_path / "none")), "no such run folder")
    refused(seq2seq("translate", str(tmp_path)), "has no trained model yet")
    refused(seq2seq("translate", str(run), "--format", "xml"), "--format xml: must be text or jsonl")
    refused(seq2seq("translate", str(run), "--n-best", "2"), "--format jsonl")
    refused(
        seq2seq("translate", str(run), "--format", "jsonl", "--n-best", "9"), "the beam holds 2", "decoding.beam_size=9"
    )
    refused(seq2seq("translate", str(run), "training.seed=3"), "only keys of decoding", "decoding.beam_size=10")
    refused(seq2seq("translate", str(run), "decoding.beam=3"), "did you mean `beam_size`?")
    refused(seq2seq("translate", str(run), "decoding.beam_size=0"), "decoding.beam_size")
    refused(seq2seq("translate", str(run), "decoding"), "only keys of decoding")
    refused(seq2seq("translate", str(run), "--input", str(run / "none")), "--input", "No such file")
    refused(seq2seq("translate", str(run), "--input", str(run)), "--input", "Is a directory")
    refused(seq2seq("translate", str(run), "--output", str(run / "model" / "config.json")), "exists", "--force")
    refused(seq2seq("translate", str(run), "--output", str(run / "none" / "out")), "--output", "No such file")
    refused(seq2seq("translate", str(run), "--force"), "--force has no effect")
    refused(seq2seq("translate", str(run), "--device", "abacus"), "--device abacus: must be auto, cpu, cuda")
    assert seq2seq("translate", str(run), "--beam-size", "none").code == 2


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["cut", "missing", "other"])
def test_damaged_models(run: Path, tmp_path: Path, name: str, damage: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in (run / "model").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    if damage == "missing":
        (model / name).unlink()
    else:
        content = (model / name).read_bytes()
        (model / name).write_bytes(content[: len(content) // 2] if damage == "cut" else b"{}")
    refused(seq2seq("translate", str(model)), str(model))


def test_options_without_effect_on_a_recipe(recipe: Path, run: Path) -> None:
    for command, option in [
        ("translate", ["--format", "jsonl"]),
        ("translate", ["--n-best", "3"]),
        ("translate", ["--beam-size", "3"]),
        ("translate", ["--input", "x"]),
        ("translate", ["--batch-size", "3"]),
        ("evaluate", ["--metric", "bleu"]),
        ("evaluate", ["--bootstrap", "5"]),
        ("evaluate", ["--language", "ja"]),
    ]:
        refused(seq2seq(command, str(recipe), *option), f"{option[0]} has no effect on a recipe")


def test_bad_evaluate_commands(recipe: Path, tmp_path: Path) -> None:
    for name, text in (("two", "a\nb\n"), ("three", "a\nb\nc\n"), ("empty", "")):
        (tmp_path / name).write_text(text)
    two, three, empty = (str(tmp_path / name) for name in ("two", "three", "empty"))
    refused(seq2seq("evaluate"), "both --hyp FILE and --ref FILE")
    refused(seq2seq("evaluate", "--hyp", two), "both --hyp FILE and --ref FILE")
    refused(seq2seq("evaluate", str(recipe), "--hyp", two, "--ref", two), "not both")
    refused(seq2seq("evaluate", "--hyp", two, "--hyp", two, "--ref", two), "given twice")
    refused(seq2seq("evaluate", "--hyp", two, "--ref", three), "2 hypotheses", "3 references")
    refused(seq2seq("evaluate", "--hyp", empty, "--ref", empty), "nothing to score")
    missing = seq2seq("evaluate", "--hyp", two, "--ref", str(tmp_path / "none"))
    refused(missing, "none: no such file")
    assert "recipe" not in missing.err
    refused(seq2seq("evaluate", "--hyp", two, "--ref", two, "--metric", "wer"), "no metric 'wer'")
    refused(seq2seq("evaluate", "--hyp", two, "--ref", two, "--language", "german"), "--language german: must be")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "none.yaml"], "none.yaml: no such recipe; see recipes/"),
        (["validate", "bad.yaml"], "bad.yaml:7: sed: unknown key; did you mean `seed`?"),
        (["evaluate", "--hyp", "latin", "--ref", "latin"], "latin:1: not UTF-8"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_exit_code_of_a_real_process(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD + "sed: 3\n")
    (tmp_path / "latin").write_bytes(b"\xe4\n")
    command = [sys.executable, "-m", "seq2seq", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    refused(Result(process.returncode, process.stdout, process.stderr), words)


def test_misuse_of_options_ends_with_exit_code_2_too() -> None:
    """typer's own messages: a usage line and a box."""
    for arguments in (["run"], ["transalte"], ["validate", "--foo"], ["translate", "x", "--n-best", "0"]):
        result = seq2seq(*arguments)
        assert result.code == 2 and result.out == "" and "Traceback" not in result.err, result


@pytest.mark.parametrize(
    "content",
    ["[]", '{"name": "toy"}', *(f'{{"name": "toy", "stages": {s}}}' for s in ("[]", '{"prepare": {}}', '{"x": 3}'))],
)
def test_manifests_of_another_shape(recipe: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    refused(seq2seq("plan", str(recipe), f"output_dir={tmp_path}"), "manifest.json: damaged", "--force")


def test_a_run_folder_that_cannot_be_made(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = seq2seq("prepare", str(recipe), f"output_dir={tmp_path}/file/run")
    refused(result, "output_dir: ", "file/run: Not a directory; name a folder")


@pytest.mark.parametrize("content", ["[]", "null", '"x"'])
def test_a_config_that_is_no_object(run: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    refused(seq2seq("translate", str(tmp_path)), "damaged: config.json holds no object")
