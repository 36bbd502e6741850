"""A line that was translated in pieces: what is told of it counts on from piece to piece."""

from seq2seq.decoding.paragraphs import Piece
from seq2seq.decoding.translation import Candidate, joined


def test_links_count_the_words_of_the_pieces_before() -> None:
    pieces = [(Piece("", "a b", []), "x y z"), (Piece(" ", "c", []), "u"), (Piece(" ", "d e", []), "v w")]
    links = [((0, 2), (1, 0)), ((0, 0),), ((1, 1),)]
    parts = [
        (piece, Candidate(text, 0.0, 0.0, alignment=each)) for (piece, text), each in zip(pieces, links, strict=True)
    ]
    assert joined(parts).alignment == ((0, 2), (1, 0), (2, 3), (4, 5))
