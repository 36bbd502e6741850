"""Machine translation with recurrent encoder-decoders, from one YAML recipe.

What is named here is public; every other module is private by convention and may change. Names
are imported when they are first used: `import seq2seq` alone loads neither torch nor anything else.

    import seq2seq as s2s

    run = s2s.run("recipes/quickstart.yaml", "training.max_steps=200")
    translator = s2s.Translator.load("runs/quickstart")
    translator.translate("2 May 2021").text
    layer = s2s.nn.GRU(4, input_size=8, return_sequences=True)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Attention": "api", "Run": "api", "Translation": "decoding.translation", "Translator": "api",
    "UserError": "errors", "evaluate": "api", "nn": "", "run": "api",
}  # fmt: skip
"""Public names, and the modules that they are from."""
__all__ = ["__version__", *sorted(_PUBLIC)]  # noqa: PLE0604

if TYPE_CHECKING:
    from seq2seq import nn as nn
    from seq2seq.api import Attention as Attention
    from seq2seq.api import Run as Run
    from seq2seq.api import Translator as Translator
    from seq2seq.api import evaluate as evaluate
    from seq2seq.api import run as run
    from seq2seq.decoding.translation import Translation as Translation
    from seq2seq.errors import UserError as UserError


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'seq2seq' has no attribute {name!r}; the public names are {', '.join(__all__)}")
    module = import_module(f"seq2seq.{_PUBLIC[name] or name}")
    return getattr(module, name) if _PUBLIC[name] else module


def __dir__() -> list[str]:
    return __all__
