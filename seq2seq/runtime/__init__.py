"""Translating with an exported model (`seq2seq export`): numpy, tokenizers and ONNX Runtime are all that is imported.

    from seq2seq.runtime import Translator, load_exported

    translator = Translator(load_exported("exported"))
    translator.translate(["2 May 2021"])[0].text

On the command line: `python -m seq2seq.runtime exported < text`.
"""

from seq2seq.decoding.translator import Translator as Translator
from seq2seq.runtime.folder import load_exported as load_exported
