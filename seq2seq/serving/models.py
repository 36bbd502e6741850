"""The language pairs of a server, by the codes that clients name them with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq.decoding.translation import Translation
from seq2seq.decoding.translator import Trained, Translator
from seq2seq.errors import UserError
from seq2seq.languages import language_name, primary
from seq2seq.serving.refusal import Refusal


def tag(code: str) -> str:
    """A language's code as the web writes it (BCP 47): pt-BR, for pt_BR."""
    return code.replace("_", "-")


class Pair:
    """A model, translating from one language to another.

    Args:
        config: its `decoding`.
        batch_size: lines translated together.
    """

    def __init__(self, model: Trained, config: Any, batch_size: int) -> None:
        self.source, self.target = tag(model.config.src), tag(model.config.tgt)
        self.most = config.beam_size
        """Different translations of a line, at the most."""
        self._plain, self._aligning = (Translator(model, config, batch_size, align) for align in (False, True))
        self.aligns = self._aligning.aligns
        """Whether the model tells where words come from: it has attention."""

    def translate(self, lines: Sequence[str], n_best: int = 1, align: bool = False) -> list[Translation]:
        """One translation a line, with up to `n_best` candidates."""
        return (self._aligning if align else self._plain).translate(lines, n_best)

    def lengths(self, lines: Sequence[str]) -> list[int]:
        """Tokens of each line."""
        return [len(tokens) for tokens in self._plain.bundle.src_tokenizer.encode_batch(lines)]

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


class Pairs:
    """All that one server translates.

    Args:
        names: where each pair's model is from, for messages.

    Raises:
        UserError: two translate the same pair.
    """

    def __init__(self, pairs: Sequence[Pair], names: Sequence[str]) -> None:
        self.all = list(pairs)
        found: dict[tuple[str, str], str] = {}
        for pair, name in zip(pairs, names, strict=True):
            key = (pair.source.lower(), pair.target.lower())
            if key in found:
                raise UserError(f"{name}: translates {pair} as {found[key]} does; name one model for each direction")
            found[key] = name
        self.sources = list(dict.fromkeys(pair.source for pair in pairs))
        self.targets = list(dict.fromkeys(pair.target for pair in pairs))

    def find(self, source: str, target: str) -> Pair:
        """The pair that a client means: codes in any case, with or without region; source `auto` where but one is left.

        Raises:
            Refusal: there is none.
        """
        to = _meant(target, self.targets)
        if source == "auto":
            left = [pair for pair in self.all if pair.target == to]
            if len(left) > 1:
                known = ", ".join(pair.source for pair in left)
                raise Refusal(400, f"languages are not detected here: source must be one of {known}")
            return left[0]
        of = _meant(source, self.sources)
        for pair in self.all:
            if (pair.source, pair.target) == (of, to):
                return pair
        names = f"{language_name(to)} ({to}) is not available as a target language from {language_name(of)} ({of})"
        raise Refusal(400, names)

    def languages(self) -> list[dict[str, Any]]:
        """As `/languages` lists them: each with the languages that it is translated to."""
        every = dict.fromkeys([*self.sources, *self.targets])
        return [
            {
                "code": code,
                "name": language_name(code),
                "targets": [pair.target for pair in self.all if pair.source == code],
            }
            for code in every
        ]


def _meant(code: str, known: Sequence[str]) -> str:
    exact = [one for one in known if one.lower() == tag(code).lower()]
    near = exact or [one for one in known if primary(one) == primary(code)]
    if len(near) != 1:
        raise Refusal(400, f"{code[:40]} is not supported; known here: {', '.join(known)}")
    return near[0]
