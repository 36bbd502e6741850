"""Recipe-driven machine translation with recurrent encoder-decoders."""

__version__ = "0.1.0"
