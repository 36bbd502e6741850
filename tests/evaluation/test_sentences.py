"""What differs between two sentences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.evaluation.sentences import word_diff


@given(st.text("ab c\u3000", max_size=30), st.text("ab c", max_size=30), st.booleans())
def test_the_pieces_of_a_diff_are_the_text(hypothesis: str, reference: str, spaces: bool) -> None:
    left, right = word_diff(hypothesis, reference, spaces)
    assert "".join(text for text, _ in left) == hypothesis
    assert "".join(text for text, _ in right) == reference
    same = [[u for text, differs in side if not differs for u in text.split()] for side in (left, right)]
    if spaces:
        assert same[0] == same[1]


def test_a_diff_marks_what_differs() -> None:
    left, right = word_diff("der rote Hund", "der Hund bellt", spaces=True)
    assert [text for text, differs in left if differs] == ["rote"]
    assert [text for text, differs in right if differs] == ["bellt"]
    left, right = word_diff("我爱猫", "我爱狗", spaces=False)
    assert (left[-1], right[-1]) == (("猫", True), ("狗", True))
