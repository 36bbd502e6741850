"""A suite of inputs that upset translators, made of the test set's own sentences; what becomes of them is counted.

Some can be judged: a number, an address must be there again. Others can be compared: how like the translation of the
sentence as it was is that of the changed one (consistency), and how much worse, by the reference, did it become
(robustness; both after Niu et al. 2020, letters swapped after Belinkov & Bisk 2018).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.evaluation import perturbations
from seq2seq.evaluation.metrics import Given, make_metric
from seq2seq.evaluation.perturbations import Change
from seq2seq.evaluation.text_signs import repeats

SEED = 1
SENTENCES = 100
"""Of the test set, spread over it."""
LONG, LONG_INPUTS = 20, 5
"""Sentences that make one very long input, and how many of those there are."""
EXAMPLES = 5
"""Of what went wrong, that are kept for each check."""

COLUMNS = ("", "inputs", "pass", "consistency", "chrF", "unchanged")
Translate = Callable[[Sequence[str]], Sequence[str]]
Judge = Callable[[str, str], bool]
"""Whether a translation passes, beside what it is compared with."""


@dataclass(frozen=True)
class Case:
    """An input, and what is expected of its translation."""

    text: str
    passes: Judge | None = None
    like: tuple[int, ...] = ()
    """The sentences whose translations, joined, it is compared with; empty: with none."""


@dataclass(frozen=True)
class Check:
    """Inputs of one kind."""

    name: str
    about: str
    cases: list[Case]
    any_case: bool = False
    """Upper and lower case are the same to chrF."""


@dataclass(frozen=True)
class Finding:
    """What came of a check."""

    name: str
    about: str
    count: int
    """Inputs."""
    passed: int | None
    """Of them; None where that is not judged."""
    consistency: float | None
    """chrF of the translations against those of the unchanged sentences; None where there is nothing to compare."""
    chrf: float | None
    """Against the references."""
    chrf_unchanged: float | None
    """Of the same sentences, unchanged."""
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Inputs and translations: of those that did not pass, or are least like those of the unchanged sentences."""

    def row(self) -> tuple[str, ...]:
        """The cells of COLUMNS."""
        numbers = (self.consistency, self.chrf, self.chrf_unchanged)
        passed = "" if self.passed is None else f"{self.passed}"
        return self.name, f"{self.count}", passed, *("" if n is None else f"{n:.1f}" for n in numbers)

    def told(self) -> str:
        """In words."""
        if self.passed is not None:
            return f"{self.name}: {self.passed} of {self.count} pass ({self.about})"
        return f"{self.name}: chrF {self.chrf:.1f} instead of {self.chrf_unchanged:.1f} ({self.about})"


@dataclass(frozen=True)
class Robustness:
    """What the suite has found.

    Attributes:
        source: the name of the test set, or `valid`.
        sentences: how many of it were changed.
    """

    source: str
    sentences: int
    findings: list[Finding]

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Robustness:
        """From JSON."""
        found = [Finding(**{**one, "examples": [(a, b) for a, b in one["examples"]]}) for one in stored["findings"]]
        return cls(stored["source"], stored["sentences"], found)


def robustness(
    translate: Translate, source: str, sources: Sequence[str], references: Sequence[str], tgt: str
) -> Robustness:
    """Translate the suite and count.

    Args:
        translate: gives a translation for each line.
        source: what the sentences are called.
        sources, references: equally many lines; those spread over them are taken that are not blank.
        tgt: the references' language.
    """
    pairs = [pair for pair in zip(sources, references, strict=True) if all(map(str.strip, pair))]
    count = min(SENTENCES, len(pairs))
    chosen = [pairs[i * len(pairs) // count] for i in range(count)]
    texts, gold = [src.strip() for src, _ in chosen], [ref for _, ref in chosen]
    suite = list(checks(texts))
    lines = [*texts, *(case.text for check in suite for case in check.cases)]
    written = iter(translate(lines))
    plain = [next(written) for _ in texts]
    return Robustness(
        source, count, [_finding(one, [next(written) for _ in one.cases], plain, gold, tgt) for one in suite]
    )


def checks(texts: Sequence[str]) -> Iterator[Check]:
    """The suite, of these sentences; the same sentences give the same suite. A check without inputs is left out."""
    made = [*_judged(texts), *_compared(texts), _repeated(texts), _long(texts)]
    return (check for check in made if check.cases)


def _judged(texts: Sequence[str]) -> Iterator[Check]:
    generator = random.Random(SEED)
    numbered = [perturbations.numbered(text, generator) for text in texts]
    yield Check("numbers", "the digits of every number are there again", [Case(t, _digits_of(t)) for t in numbered])
    for name, make in (("URLs", perturbations.url), ("e-mails", perturbations.email), ("emoji", perturbations.emoji)):
        things = [make(generator) for _ in texts]
        cases = [
            Case(perturbations.with_thing(t, thing), _holding(thing)) for t, thing in zip(texts, things, strict=True)
        ]
        yield Check(name, "one at the sentence's end is there again", cases)
    words = Counter(word for text in texts for word in perturbations.WORD.findall(text))
    single = sorted(words, key=lambda word: (-words[word], word))
    drawn = generator.sample(single, min(len(single), len(texts)))
    yield Check("single words", "no word of the translation comes twice", [Case(w, _without_repetition) for w in drawn])


def _compared(texts: Sequence[str]) -> Iterator[Check]:
    generator = random.Random(SEED)
    changes: list[tuple[str, str, Change]] = [
        ("lower case", "all letters small", perturbations.lowered),
        ("upper case", "all letters capitals", perturbations.uppered),
        ("title case", "every word with a capital", perturbations.titled),
        ("letters swapped", "two inner letters, in a tenth of the words, at least one", perturbations.swapped),
        ("letters left out", "an inner letter, in a tenth of the words, at least one", perturbations.lacking),
        ("no punctuation", "none but within words and numbers", perturbations.unpunctuated),
    ]
    for name, about, change in changes:
        changed = [change(text, generator) for text in texts]
        cases = [
            Case(new, like=(i,))
            for i, (new, old) in enumerate(zip(changed, texts, strict=True))
            if new not in ("", old)
        ]
        yield Check(name, about, cases, any_case=name.endswith("case"))


def _repeated(texts: Sequence[str]) -> Check:
    cases = [Case(text, str.__eq__, (i,)) for i, text in enumerate(texts[:LONG]) for _ in range(3)]
    return Check("repeated lines", "a line given four times has one translation", cases)


def _long(texts: Sequence[str]) -> Check:
    def passes(output: str, expected: str) -> bool:
        return not _loops(output) and 2 * len(output) >= len(expected)

    starts = range(0, min(len(texts), LONG * LONG_INPUTS), LONG)
    groups = [tuple(range(start, min(len(texts), start + LONG))) for start in starts]
    about = f"{LONG} sentences in one line: no loops, and at least half as long as their translations one by one"
    return Check("very long lines", about, [Case(" ".join(texts[i] for i in group), passes, group) for group in groups])


def _digits_of(text: str) -> Judge:
    wanted = Counter(perturbations.runs_of_digits(text))
    return lambda output, _: not wanted - Counter(perturbations.runs_of_digits(output))


def _holding(thing: str) -> Judge:
    return lambda output, _: thing in output


def _without_repetition(output: str, _: str) -> bool:
    words = [word.casefold() for word in perturbations.WORD.findall(output)]
    return bool(words) and len(set(words)) == len(words) and not _loops(output)


def _loops(output: str) -> bool:
    """Whether a phrase comes three times in a row; where words are not told apart, the same characters four times."""
    return repeats(output) or any(len(set(found[1])) > 1 for found in LOOP.finditer(output))


LOOP = re.compile(r"(.{2,60}?)\1{3,}", re.S)


def _finding(check: Check, outputs: list[str], plain: list[str], gold: list[str], tgt: str) -> Finding:
    """Count what passes, compare with the translations of the unchanged sentences."""
    cases = list(zip(check.cases, outputs, strict=True))
    expected = [" ".join(plain[i] for i in case.like) for case in check.cases]
    judged = [
        None if case.passes is None else case.passes(output, like)
        for (case, output), like in zip(cases, expected, strict=True)
    ]
    passed = None if None in judged else sum(map(bool, judged))
    consistency = chrf = before = None
    order = [i for i, passes in enumerate(judged) if passes is False]
    if all(case.like for case in check.cases):
        metric = make_metric("chrf", Given(tgt, check.any_case))
        references = [" ".join(gold[i] for i in case.like) for case in check.cases]
        consistency, chrf, before = (
            float(metric.corpus_score(ours, [theirs]).score)
            for ours, theirs in ((outputs, expected), (outputs, references), (expected, references))
        )
        if passed is None:
            likeness = [metric.sentence_score(o, [e]).score for o, e in zip(outputs, expected, strict=True)]
            order = sorted((i for i, like in enumerate(likeness) if like < 100), key=likeness.__getitem__)
    examples = [(check.cases[i].text, outputs[i]) for i in order[:EXAMPLES]]
    return Finding(check.name, check.about, len(cases), passed, consistency, chrf, before, examples)
