"""The built-in parallel corpus: real localised phrases in any two languages of the Unicode CLDR, offline.

A phrase begins as a meaning (a day, an amount of money, a list of countries ...), which Babel says in both
languages. The split of a text is a hash of that text, and a pair is used only where both its sides fall in
the split asked for: no source and no target can ever be in two splits, whatever the seeds and counts.
"""

import datetime as dt
import difflib
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import Literal, TypeVar, get_args

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_interval, format_time, format_timedelta, get_datetime_format
from babel.lists import format_list
from babel.localedata import locale_identifiers
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit, get_unit_name

from seq2seq.errors import UserError

SPLITS = ("train", "valid", "test")

Meaning = Callable[[Locale], str]  # says one and the same thing in the locale it is given
T = TypeVar("T")

_CURRENCIES = """
    USD EUR JPY GBP CNY KRW INR BRL CAD AUD MXN CHF SEK NOK DKK PLN CZK HUF TRY RUB ZAR EGP KES ILS THB IDR
"""
_TERRITORIES = """
    US CA MX BR AR CL PE CO GB IE FR DE IT ES PT NL BE CH AT SE NO DK FI IS PL CZ HU RO BG GR TR UA RU EG MA
    NG KE ET ZA TZ IL SA IR IQ IN PK BD NP LK TH VN ID MY PH SG CN JP KR KP MN AU NZ
"""
_LANGUAGES = """
    en fr de it es pt nl sv da fi pl cs hu ro bg el tr uk ru ar he fa hi bn ta th vi id ms zh ja ko mn sw
"""
_UNITS = """
    length-millimeter length-centimeter length-meter length-kilometer length-inch length-foot length-mile
    area-square-meter area-square-kilometer area-hectare volume-milliliter volume-liter volume-cubic-meter
    mass-gram mass-kilogram mass-tonne mass-ounce mass-pound speed-kilometer-per-hour speed-meter-per-second
    duration-second duration-minute duration-hour duration-day duration-week duration-month duration-year
    temperature-celsius digital-kilobyte digital-megabyte digital-gigabyte power-watt power-kilowatt
"""
_Width = Literal["short", "medium", "long", "full"]
_Granularity = Literal["second", "minute", "hour", "day", "week", "month", "year"]
_SECONDS: dict[_Granularity, int] = {
    "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000, "year": 31536000
}  # fmt: skip
_FIRST_DAY = dt.date(1980, 1, 1)
_DAYS = (dt.date(2040, 1, 1) - _FIRST_DAY).days  # under a century: a year of two digits has one meaning
_TRIES = 3000  # of one kind of phrase; about 1 meaning in 100 is a valid (or a test) pair
# Soft hyphens, marks of direction and the like; not the joiners of Persian and Hindi, which are spelling.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def phrases(src: str, tgt: str, split: str, count: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Yield `count` (source, target) pairs of one split, one after the other, in constant memory.

    The same arguments give the same pairs on every machine that has the same version of Babel. No text of one
    split is ever in another, on either side, not even in other capitals, whatever `seed` and `count`. Within
    a split a pair may return, the more often the more pairs are asked for. The two sides always differ.

    Args:
        src: CLDR code of the source language: "en", "pt_BR", "zh-Hant".
        tgt: CLDR code of the target language; it must be another language, or another script.
        split: one of `SPLITS`.
        count: how many pairs.
        seed: which pairs.

    Raises:
        UserError: at the call, if a language or the split is unknown, or the two languages are the same.
    """
    if split not in SPLITS:
        raise UserError(f"builtin corpus: unknown split {split!r}: use one of {', '.join(SPLITS)}")
    source, target = _locale(src), _locale(tgt)
    if _written_language(source) == _written_language(target):
        raise UserError(f"builtin corpus: {src!r} and {tgt!r} are the same language: choose two")
    return _pairs(source, target, split, count, seed)


def _pairs(src: Locale, tgt: Locale, split: str, count: int, seed: int) -> Iterator[tuple[str, str]]:
    meanings = _Meanings(src, tgt, Random(seed))
    for _ in range(count):
        yield _pair(meanings, src, tgt, split)


def _pair(meanings: "_Meanings", src: Locale, tgt: Locale, split: str) -> tuple[str, str]:
    # A kind is kept until one of its meanings fits, so that every split holds the same mixture of kinds.
    # Equal sides ("12.5%") would be in a small split ten times too often, for they need only one hash to fit.
    while meanings.kinds:
        draw = meanings.pick(meanings.kinds)
        for _ in range(_TRIES):
            say = draw()
            source = _clean(say(src))
            if not source or _split_of(source) != split:
                continue
            target = _clean(say(tgt))
            if target and target != source and _split_of(target) == split:
                return source, target
        # Nothing to translate: times of day in German and French, say.
        meanings.kinds = [kind for kind in meanings.kinds if kind != draw]
    raise UserError(f"builtin corpus: CLDR knows too little of {src} or {tgt}: choose another language")


def _split_of(text: str) -> str:
    digest = hashlib.blake2b(text.casefold().encode(), digest_size=8).digest()
    return SPLITS[max(0, int.from_bytes(digest, "big") % 10 - 7)]  # 80, 10 and 10 %


def _clean(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return " ".join(text.split())  # makes plain spaces of CLDR's narrow and no-break ones


class _Meanings:
    """Draws meanings that both languages can say; what the target shows, the source must show as well."""

    def __init__(self, src: Locale, tgt: Locale, rng: Random) -> None:
        self.src, self.rng = src, rng
        self.names = {locale: _names(locale) for locale in (src, tgt)}
        themes = {theme: self.shared(theme, src, tgt) for theme in self.names[src]}
        self.themes = {theme: keys for theme, keys in themes.items() if len(keys) > 5}
        self.units = [u for u in _UNITS.split() if all(get_unit_name(u, "long", to) for to in (src, tgt))]
        self.currencies = _CURRENCIES.split()
        widths: tuple[_Width, ...] = get_args(_Width)
        self.widths = [width for width in widths if _date_fields(src, width) >= _date_fields(tgt, width)]
        weights = {self.quantity: 30, self.quantities: 16, self.relative_time: 10, self.time: 2}
        weights |= {self.date: 16, self.date_time: 10, self.period: 6} if self.widths else {}
        weights |= {self.list_of_names: 20} if self.themes else {}
        self.kinds = [draw for draw, weight in weights.items() for _ in range(weight)]

    def shared(self, theme: str, src: Locale, tgt: Locale) -> list[str]:
        # A name that means two things in one of the languages could not be translated.
        both = [self.names[locale][theme] for locale in (src, tgt)]
        used = [Counter(names.values()) for names in both]
        shared = sorted(both[0].keys() & both[1].keys())
        return [key for key in shared if all(n[names[key]] == 1 for n, names in zip(used, both, strict=True))]

    def below(self, n: int) -> int:
        return int(self.rng.random() * n)  # only random() is the same in every Python

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def day(self) -> dt.date:
        return _FIRST_DAY + dt.timedelta(self.below(_DAYS))

    def value(self) -> Decimal:
        return Decimal(1 + self.below(10 ** (3 + self.below(4)))).scaleb(-self.below(3))

    def date(self) -> Meaning:
        day = self.day()
        # Each text has one width: "May 5, 1995" is a long and a medium date, but Korean has two.
        texts = {format_date(day, width, self.src): width for width in self.widths}
        width = self.pick(list(texts.values()))
        return lambda locale: format_date(day, width, locale)

    def time(self) -> Meaning:
        moment = dt.time(self.below(24), self.below(60), self.below(60))
        width = self.pick(("short", "medium"))
        return lambda locale: format_time(moment, width, locale=locale)

    def date_time(self) -> Meaning:
        return _joined(self.date(), self.time())

    def period(self) -> Meaning:
        first = self.day()
        last = first + dt.timedelta(1 + self.below(60))
        return lambda locale: format_interval(first, last, "yMMMd", locale=locale)

    def relative(self) -> Meaning:
        unit, sign = self.pick(list(_SECONDS)), self.pick((1, -1))
        delta = dt.timedelta(seconds=sign * (1 + self.below(60)) * _SECONDS[unit])
        # The unit is the granularity, and no larger one reaches this threshold: nothing is rounded.
        return lambda locale: format_timedelta(delta, unit, threshold=1e9, add_direction=True, locale=locale)

    def relative_time(self) -> Meaning:
        return _joined(self.relative(), self.time())

    def amount(self) -> Meaning:
        value, currency = self.value(), self.pick(self.currencies)
        style: Literal["name", "standard"] = "name" if self.below(2) else "standard"
        return lambda locale: format_currency(value, currency, locale=locale, format_type=style)

    def measure(self) -> Meaning:
        value, unit = self.value(), self.pick(self.units)
        return lambda locale: format_unit(value, unit, "long", locale=locale)

    def number(self) -> Meaning:
        value = self.value()
        if self.below(2):
            return lambda locale: format_decimal(value, locale=locale)
        return lambda locale: format_percent(value / 100, locale=locale, decimal_quantization=False)

    def quantity(self) -> Meaning:
        measures = [self.measure] * 6 if self.units else []
        return self.pick([self.amount] * 10 + measures + [self.number])()

    def quantities(self) -> Meaning:
        items = [self.pick((self.quantity, self.relative))() for _ in range(2 + self.below(2))]
        return self.listed(lambda locale: [say(locale) for say in items])

    def list_of_names(self) -> Meaning:
        theme = self.pick(list(self.themes))
        keys = dict.fromkeys(self.pick(self.themes[theme]) for _ in range(3 + self.below(2)))
        return self.listed(lambda locale: [self.names[locale][theme][key] for key in keys])

    def listed(self, items: Callable[[Locale], list[str]]) -> Meaning:
        style: Literal["or", "standard"] = "standard" if self.below(3) else "or"
        return lambda locale: format_list(items(locale), style, locale)


def _joined(day: Meaning, moment: Meaning) -> Meaning:
    def say(locale: Locale) -> str:
        pattern = str(get_datetime_format("medium", locale=locale)).replace("'", "")
        return pattern.replace("{1}", day(locale)).replace("{0}", moment(locale))

    return say


def _names(locale: Locale) -> dict[str, dict[str, str]]:
    """The names of things in one language: theme -> CLDR key -> name."""
    months, days = locale.months["stand-alone"]["wide"], locale.days["stand-alone"]["wide"]
    return {
        "territories": {k: locale.territories[k] for k in _TERRITORIES.split() if k in locale.territories},
        "languages": {k: locale.languages[k] for k in _LANGUAGES.split() if k in locale.languages},
        "currencies": {k: locale.currencies[k] for k in _CURRENCIES.split() if k in locale.currencies},
        "calendar": {f"{of} {k}": n for of, names in (("month", months), ("day", days)) for k, n in names.items()},
    }


def _date_fields(locale: Locale, width: str) -> set[str]:
    """Which of year, month, day and weekday a date of this width shows."""
    letters = re.findall(r"%\((\w)", locale.date_formats[width].format)
    return {{"L": "M", "c": "E", "e": "E"}.get(letter, letter) for letter in letters} & set("yMdE")


def _written_language(locale: Locale) -> tuple[str, str]:
    subtags = get_global("likely_subtags")
    likely: str = subtags.get(str(locale)) or subtags.get(locale.language, "")
    return locale.language, locale.script or "".join(re.findall("_([A-Z][a-z]{3})", likely))


def _locale(code: str) -> Locale:
    try:
        return Locale.parse(code.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise UserError(f"builtin corpus: unknown language {code!r}: {_hint(code)}") from None


def _hint(code: str) -> str:
    country = get_global("likely_subtags").get(f"und_{code.upper()}")
    if country:  # "kr" is the code of Korea, whose language is "ko"
        return f"did you mean {country.split('_')[0]}?"
    codes = locale_identifiers()
    known = {name.lower(): key for key, name in Locale("en").languages.items() if key in codes}
    known |= {key.lower(): key for key in codes}
    near = dict.fromkeys(known[name] for name in difflib.get_close_matches(code.lower(), known))
    return f"did you mean {' or '.join(near)}?" if near else "use a CLDR code such as en, ko or pt_BR"
