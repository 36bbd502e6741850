"""What is not to be translated: found in lines, and put back by attention, once for each time that it was there."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.tokenization import EOS, UNK
from seq2seq.decoding.keep import Keeper, put_back
from seq2seq.decoding.paragraphs import Piece
from seq2seq.decoding.translation import Candidate, Translation
from seq2seq.decoding.translator import Translator
from seq2seq.pipeline import Runner
from seq2seq.recipe.file import override_decoding
from tests.command_line import refused, seq2seq
from tests.data.trained import trained
from tests.toy import toy_recipe, write_toy

KINDS = ["placeholders", "urls", "emails", "numbers", "tags", "unknown"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model that has learnt number words in reverse, and nothing else."""
    folder = tmp_path_factory.mktemp("keep")
    settings = "training.max_epochs=12", "training.optimizer.learning_rate=0.02", "training.checkpoints.every_steps=999"
    Runner(toy_recipe(folder, *settings, train=400)).run("train")
    return load_bundle(folder / "run", torch.device("cpu"))


def translate(
    bundle: Bundle, *lines: str, n_best: int = 1, align: bool = False, **settings: object
) -> list[Translation]:
    config = override_decoding(bundle.config.decoding, {"keep": KINDS, "beam_size": 4, **settings})
    return Translator(bundle, config, align=align).translate(lines, n_best)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("placeholders", "Hi {name}, {{x}} and ${a.b}! %s %(n)s %1$s 50%s { a } {}", ["{name}", "{{x}}", "${a.b}", "%s",
         "%(n)s", "%1$s"]),
        ("urls", "(see https://a.b/c?d=e). www.x.org, http://y/, https://", ["https://a.b/c?d=e", "www.x.org", "http://y/"]),
        ("emails", "<a.b+c@d-e.co.uk>, x@y", ["a.b+c@d-e.co.uk"]),
        ("numbers", "25 1,000.5; 12:30 2021-05-02, a1 3rd 7.", ["25", "1,000.5", "12:30", "2021-05-02", "7"]),
        ("unknown", 'The "\u262f\u262e", cats', ["\u262f\u262e"]),
        ("tags", "a {b} 25", []),
    ],
)  # fmt: skip
def test_what_is_found(kind: str, text: str, expected: list[str]) -> None:
    assert [item.text for item in Keeper([kind], trained("bpe")).items(text)] == expected


def test_of_one_word_all_between_the_first_and_the_last() -> None:
    items = Keeper(["placeholders", "numbers"], trained("bpe")).items("from {a}-{b}: 10% or 3/{c}.")
    assert [(item.text, item.place) for item in items] == [("{a}-{b}", 1), ("10", 2), ("3/{c}", 4)]


WORDS = st.lists(st.sampled_from(["ja", "25", "{a}", "so,", "...", "Haus.", '"{b}"']), max_size=8)


@given(WORDS, WORDS, st.integers(0, 999))
def test_each_comes_as_often_as_the_source_has_it(source: list[str], target: list[str], seed: int) -> None:
    items = Keeper(["placeholders", "numbers"], trained("bpe")).items(" ".join(source))
    attention = np.random.default_rng(seed).dirichlet(np.full(max(1, len(source)), 0.3), len(target))
    one = Candidate(" ".join(target), 0.0, 0.0, word_confidences=tuple(0.5 for _ in target))
    found = put_back(one, items, attention[:, : len(source)])
    wanted, written = Counter(item.text for item in items), Counter(re.findall(r"\{.\}|25", found.text))
    assert all(written[text] >= count for text, count in wanted.items())
    held = Counter(re.findall(r"\{.\}|25", one.text))
    assert all(written[text] <= max(count, held[text]) for text, count in wanted.items())
    assert len(found.word_confidences) == len(found.text.split())
    if items:
        assert found.alignment is not None
        links = {(item.place, found.text.split()[t]) for item in items for s, t in found.alignment if s == item.place}
        assert all(any(p == item.place and item.text in word for p, word in links) for item in items)


def test_with_sure_attention_each_goes_to_its_place() -> None:
    items = Keeper(["placeholders"], trained("bpe")).items("{a} x {b}, y {c}")
    one = Candidate('eins "zwei". drei vier', 0.0, 0.0, word_confidences=(0.1, 0.2, 0.3, 0.4))
    attention = np.array([[0, 0.4, 0.6, 0, 0], [0.9, 0, 0.1, 0, 0], [0, 0, 0.8, 0, 0.2], [0, 0, 0, 1, 0]])
    found = put_back(one, items, attention)
    assert found.text == 'eins "{a}". {b} vier {c}'
    assert found.word_confidences == (0.1, 1.0, 1.0, 0.4, 1.0) and found.alignment == (
        (2, 0), (0, 1), (2, 2), (3, 3), (4, 4),
    )  # fmt: skip


def test_the_model_reads_one_unknown_token_for_what_is_hidden() -> None:
    tokenizer = trained("bpe")
    keeper, text = Keeper(["placeholders", "numbers"], tokenizer), "The cat {of_it}, 25"
    (tokens,), (places,) = tokenizer.encode_batch([text]), tokenizer.words([text])
    shown = keeper.shown(Piece("", text, [*tokens, EOS]))
    assert shown.places is not None and shown.tokens.count(UNK) == 1 and len(shown.tokens) == len(shown.places) + 1
    assert tokenizer.decode(shown.tokens).replace("<unk>", "{of_it}") == text
    assert set(shown.places) == set(places) and shown.places[shown.tokens.index(UNK)] == 2
    plain = Piece("", "The cat 25", [*tokenizer.encode_batch(["The cat 25"])[0], EOS])
    assert keeper.shown(plain).tokens == plain.tokens


def test_a_trained_model_puts_things_where_they_belong(bundle: Bundle) -> None:
    found = translate(
        bundle, "one two three four", "one two {name} four", "one <b>two three</b> four <br/> six", "", "<br/>",
        "six <i>seven</i> nine",
    )  # fmt: skip
    texts = [one.text for one in found]
    assert texts[0] == "vier drei zwei eins"
    words = texts[1].split()
    assert words[0] == "vier" and words[1] == "{name}" and words[-1] == "eins"
    assert "<b>drei zwei</b>" in texts[2] and texts[2].count("<br/>") == 1
    assert texts[3:] == ["", "<br/>", "neun <i>sieben</i> sechs"]


@pytest.mark.parametrize("split", ["long", "always"])
def test_every_candidate_of_every_line_holds_all(bundle: Bundle, split: str) -> None:
    lines = [
        "one two {name} four", "zwölf one seven 25 three 1,000.5", "mail a.b@example.org. Six {x} two {y}",
        "see https://example.org/x?a=1 now two three", "{a} {a} one {a}",
    ]  # fmt: skip
    for line, found in zip(lines, translate(bundle, *lines, n_best=3, align=True, split=split), strict=True):
        wanted = Counter(item.text for item in Keeper(KINDS, bundle.src_tokenizer).items(line))
        for one in found.candidates:
            assert all(one.text.count(text) == count for text, count in wanted.items()), (line, one.text)
            assert len(one.word_confidences) == len(one.text.split())
        assert found.alignment is not None
        assert all(s < len(line.split()) and t < len(found.text.split()) for s, t in found.alignment)


class Balance(HTMLParser):
    """Notes elements that are not closed as they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen[tag] += 1

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_tags_stay_well_formed(bundle: Bundle) -> None:
    lines = [
        'one <g id="1">two <x/>three</g> four', "<b><i>one</i> two</b> three", "one<b/> two", "<a>one</a> <a>two</a>",
        "three < four and five > six",
    ]  # fmt: skip
    for line, found in zip(lines, translate(bundle, *lines, keep=["tags"]), strict=True):
        read, before = Balance(), Balance()
        read.feed(found.text)
        before.feed(line)
        assert not read.open and all(read.seen[tag] >= count for tag, count in before.seen.items()), found.text


def test_nothing_changes_where_nothing_is_to_be_kept(bundle: Bundle) -> None:
    lines = ["one two three", "five six", "nine"]
    kept, plain = translate(bundle, *lines, n_best=4), translate(bundle, *lines, n_best=4, keep=[])
    for a, b in zip(kept, plain, strict=True):
        assert [c.text for c in a.candidates] == [c.text for c in b.candidates]


def test_on_the_command_line_and_what_is_refused(tmp_path: Path) -> None:
    recipe = str(write_toy(tmp_path, train=50))
    (tmp_path / "in").write_text("one {name} two\n")
    short = "training.max_epochs=1", "--device", "cpu"
    assert seq2seq("train", recipe, *short).code == 0
    options = "--input", f"{tmp_path}/in", "--output", f"{tmp_path}/out", "--keep", "placeholders", "--keep", "tags"
    assert seq2seq("translate", f"{tmp_path}/run", *options).code == 0
    assert (tmp_path / "out").read_text().count("{name}") == 1
    blind = "model.decoder.attention=none", f"output_dir={tmp_path}/blind"
    assert seq2seq("train", recipe, *blind, *short).code == 0
    refused(seq2seq("translate", f"{tmp_path}/blind", *options, "--force"), "decoding.keep", "no attention")
    refused(seq2seq("train", recipe, *blind, "decoding.keep=[urls]"), "decoding.keep", "has no effect with attention")
    refused(seq2seq("train", recipe, "decoding.keep=[urls]", "data.src=ja"), "decoding.keep", "ja puts no spaces")
    refused(seq2seq("train", recipe, "decoding.keep=[urls, urls]"), "decoding.keep", "twice")
