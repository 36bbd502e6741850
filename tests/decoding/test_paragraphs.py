"""Lines of several sentences: what is cut is all there; and strange lines, which break nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq import recipe
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.decoding.paragraphs import sentences
from seq2seq.decoding.translator import Translator
from seq2seq.pipeline import Runner
from seq2seq.recipe.file import override_decoding
from tests.toy import ENGLISH, toy_recipe

TEXT = 'Mr. Smith came on 3. Mai.  "Who?" she asked.\tNobody knew!\n(J. S. Bach did.) Well... maybe.'


@given(st.text("aB .!?。「」\"')\n\t…1", max_size=60) | st.text())
def test_nothing_is_lost(text: str) -> None:
    assert "".join(blank + sentence for blank, sentence in sentences(text)) == text.strip()
    assert all(not blank or blank.isspace() for blank, _ in sentences(text))


def test_where_sentences_end() -> None:
    assert [sentence for _, sentence in sentences(TEXT)] == [
        "Mr. Smith came on 3. Mai.",
        '"Who?" she asked.',
        "Nobody knew!",
        "(J. S. Bach did.)",
        "Well... maybe.",
    ]
    assert [sentence for _, sentence in sentences("一つ。二つ！「三つ？」四つ")] == [
        "一つ。",
        "二つ！",
        "「三つ？」",
        "四つ",
    ]


def test_a_long_run_of_marks_takes_no_time() -> None:
    assert len(list(sentences("!" * 300_000 + '"' * 300_000 + "x"))) == 1  # quadratic, it would take hours


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("paragraphs")
    Runner(toy_recipe(folder, "data.filter.max_length=12")).run("train")
    return load_bundle(folder / "run", torch.device("cpu"))


def translate(bundle: Bundle, line: str, **keys: object) -> str:
    config = override_decoding(bundle.config.decoding, {"split": "long", **keys})
    return Translator(bundle, config).translate([line])[0].text


PARTS = ["One two three four five six.", "Two one six five nine.", "Three four nine seven eight."]


@pytest.mark.parametrize("blank", [" ", "  ", "\t", "\u2003"])
def test_a_long_line_is_its_sentences_and_their_white_space(bundle: Bundle, blank: str) -> None:
    whole = translate(bundle, blank.join(PARTS))
    assert whole == blank.join(translate(bundle, part) for part in PARTS)
    assert translate(bundle, blank.join(PARTS), split="never") != whole
    short = "One two three. Six."
    assert translate(bundle, short) == translate(bundle, short, split="never")
    assert translate(bundle, short, split="always") == " ".join(translate(bundle, part) for _, part in sentences(short))
    assert recipe.DecodingConfig().split == "long"


STRANGE = [
    " ".join(ENGLISH * 1000),
    "One two. " * 500,
    "🙂🙃👩‍👩‍👧 one 🏳️‍🌈",
    "one два 三 τέσσερα पांच",
    "\u202bשלום one \u202c two مرحبا\u200f 12",
    "ONE TWO THREE",
    "one",
    "12 34,5 1e9",
    "one " * 60,
    "e\u0301" * 50 + "\u0301" * 200,
    "\ud800 one",
]


def test_strange_lines_break_nothing(bundle: Bundle) -> None:
    translator = Translator(bundle, override_decoding(bundle.config.decoding, {"beam_size": 2}), align=True)
    together = translator.translate(STRANGE)
    for line, found in zip(STRANGE, together, strict=True):
        assert found.source == line and found.text.strip() and "\n" not in found.text
        assert len(found.candidates[0].word_confidences) == len(found.text.split())
        assert all(0 <= sure <= 1 for sure in found.candidates[0].word_confidences)
        for source, target in found.alignment or []:
            assert 0 <= source < len(line.split()) and 0 <= target < len(found.text.split())
    assert translator.translate(STRANGE[2:])[0].text == together[2].text
