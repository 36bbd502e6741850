"""Every mistake in a setting ends with exit code 2 and one message that says where, what, and the fix."""

from pathlib import Path

import pytest

from tests.command_line import refused, seq2seq

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
    ("training.xyzzy=3", "training.xyzzy: unknown key; the keys here are start_from, freeze, batch, optimizer"),
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
    ("decoding.diversity={groups: 3}", "decoding.diversity.groups: beam_size 2 cannot be shared out evenly to 3"),
    (
        "decoding.coverage_penalty=0.1 model.decoder.attention=none model.decoder.input_feeding=false",
        "decoding.coverage_penalty: has no effect with attention none, which looks at no words",
    ),
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
    ("tokenizer=bpee", "tokenizer: must be one of bpe, unigram, word, char, run, not 'bpee'; did you mean `bpe`?"),
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
    ("evaluation.metrics=[bleu, blue]", "evaluation.metrics.1: must be one of bleu, chrf, "),
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
