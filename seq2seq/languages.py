"""What has to be known of a language from its code alone."""

import re

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
