"""Subtitles: SubRip (.srt) and WebVTT. What a cue says is translated; times, settings, notes and styles stay."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator

from seq2seq.decoding.markup import Tag
from seq2seq.documents.document import Document, Sentence, Syntax, tagged
from seq2seq.documents.line_breaks import Broken, over_lines
from seq2seq.documents.plain import LINE_END

_TIMES = re.compile(r"\s*[\d:.,]+\s*-->\s*[\d:.,]+")
_MARKUP = re.compile(r"<(?P<close>/?)(?P<name>[^\s<>/.]*)[^<>]*>|\{\\[^{}]*\}")
_SPEAKER = re.compile(r"\s*(?:[-–—]|>>)")
"""What begins a line that somebody else says."""
_SRT = Syntax()
_VTT = Syntax(html.unescape, functools.partial(html.escape, quote=False))


def subtitles(source: str, web: bool, aligned: bool) -> Document:
    """A file of cues, each translated as a sentence and broken into as many lines as it had.

    Args:
        web: WebVTT, in which text is written with HTML's entities.
        aligned: whether translations come with alignments.
    """
    return Document(_cues(source, _VTT if web else _SRT, aligned))


def _cues(source: str, syntax: Syntax, aligned: bool) -> Iterator[str | Sentence | Broken]:
    pieces = [*LINE_END.split(source), ""]
    said: list[tuple[str, str]] = []  # lines of the cue that is read, with their ends
    within = False
    for line, end in zip(pieces[::2], pieces[1::2], strict=True):
        if within and line.strip():
            if said and _SPEAKER.match(line):
                yield from _speech(said, syntax, aligned)
                said = []
            said.append((line, end))
            continue
        yield from _speech(said, syntax, aligned)
        said, within = [], bool(_TIMES.match(line))
        yield line + end
    yield from _speech(said, syntax, aligned)


def _speech(said: list[tuple[str, str]], syntax: Syntax, aligned: bool) -> Iterator[str | Sentence | Broken]:
    if not said:
        return
    text, ends = "\n".join(line for line, _ in said), [end for _, end in said]
    dash = _SPEAKER.match(text)
    if dash:
        yield dash[0]
        text = text[dash.end() :]
    yield from over_lines(tagged(text, _MARKUP, _tag), ends[:-1], syntax, aligned)
    yield ends[-1]


def _tag(match: re.Match[str]) -> Tag:
    named = match["name"] and not match["name"][0].isdigit()  # but for the time of a word: <00:01.000>
    return Tag(match[0], match["name"] or "", ("close" if match["close"] else "open") if named else "void")
