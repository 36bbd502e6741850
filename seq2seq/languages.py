"""What has to be known of a language from its code alone."""

import functools
import re
import unicodedata

UNSPACED = frozenset("zh zho cmn yue ja jpn th tha lo lao km khm my mya bo bod".split())
"""Written without spaces between words."""


def primary(code: str) -> str:
    """The language of a code with script or region: zh for zh_Hans, ZH-tw."""
    return code.replace("_", "-").split("-")[0].lower()


CODE = r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$"
"""How a language is written: de, pt_BR, zho-Hans."""


def is_code(text: str) -> bool:
    """Whether this looks like a language's code."""
    return re.fullmatch(CODE, text) is not None


def is_known(code: str) -> bool:
    """Whether the CLDR has a name for the language, under its code of two or of three letters."""
    from babel import Locale  # noqa: PLC0415 - only the command line asks
    from babel.core import get_global  # noqa: PLC0415

    language = primary(code)
    return str(get_global("language_aliases").get(language, language)) in Locale("en").languages


def has_spaces(code: str) -> bool:
    """Whether the language puts spaces between its words."""
    return primary(code) not in UNSPACED


_SCRIPTS = {
    "Hans": ["CJK"], "Hant": ["CJK"], "Jpan": ["CJK", "HIRAGANA", "KATAKANA"], "Kore": ["HANGUL", "CJK"],
    "Latn": ["LATIN"], "Cyrl": ["CYRILLIC"], "Grek": ["GREEK"], "Armn": ["ARMENIAN"], "Geor": ["GEORGIAN"],
    "Arab": ["ARABIC"], "Hebr": ["HEBREW"], "Ethi": ["ETHIOPIC"], "Deva": ["DEVANAGARI"], "Beng": ["BENGALI"],
    "Guru": ["GURMUKHI"], "Gujr": ["GUJARATI"], "Orya": ["ORIYA"], "Taml": ["TAMIL"], "Telu": ["TELUGU"],
    "Knda": ["KANNADA"], "Mlym": ["MALAYALAM"], "Sinh": ["SINHALA"], "Thai": ["THAI"], "Laoo": ["LAO"],
    "Khmr": ["KHMER"], "Mymr": ["MYANMAR"], "Tibt": ["TIBETAN"], "Mong": ["MONGOLIAN"], "Thaa": ["THAANA"],
}  # fmt: skip
"""By ISO 15924 code, the first words of Unicode's names of the letters."""


def expected_scripts(code: str) -> frozenset[str]:
    """What the language is written in, as `script_of` names scripts; nothing where that is not known."""
    from babel.core import get_global  # noqa: PLC0415

    said = re.search(r"[_-]([A-Za-z]{4})(?![A-Za-z0-9])", code)
    language = str(get_global("language_aliases").get(primary(code), primary(code)))
    region = re.search(r"[_-]([A-Za-z]{2})$", code)
    likely = get_global("likely_subtags")
    full = (region and likely.get(f"{language}_{region[1].upper()}")) or likely.get(language, "")
    script = said[1].title() if said else next(iter(re.findall("_([A-Z][a-z]{3})", full)), "")
    return frozenset(_SCRIPTS.get(script, []))


@functools.lru_cache(10_000)
def script_of(character: str) -> str:
    """The first word of a character's Unicode name, which is its script: LATIN, CJK, HANGUL."""
    return unicodedata.name(character, "UNKNOWN").split()[0]


def names_of(code: str) -> set[str]:
    """What the language may be called, in lower case: its code, its English name, its own."""
    from babel import Locale  # noqa: PLC0415
    from babel.core import UnknownLocaleError  # noqa: PLC0415

    names = {code.lower(), primary(code), str(Locale("en").languages.get(primary(code), code)).lower()}
    try:
        own = Locale.parse(primary(code)).languages.get(primary(code))
    except (UnknownLocaleError, ValueError):
        own = None
    return names | ({own.lower()} if own else set())


def language_name(code: str) -> str:
    """German, for de; the code itself where the CLDR has no name for it."""
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415

    try:
        return Locale.parse(code.replace("-", "_")).english_name or code
    except (ValueError, UnknownLocaleError):
        return code
