"""What has to be known of a language from its code alone."""

UNSPACED = frozenset("zh zho cmn yue ja jpn th tha lo lao km khm my mya bo bod".split())
"""Written without spaces between words."""


def primary(code: str) -> str:
    """The language of a code with script or region: zh for zh_Hans, ZH-tw."""
    return code.replace("_", "-").split("-")[0].lower()


def has_spaces(code: str) -> bool:
    """Whether the language puts spaces between its words."""
    return primary(code) not in UNSPACED
