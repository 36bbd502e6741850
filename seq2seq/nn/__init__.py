"""Recurrent layers in torch, for translation and beyond: batch first, with Keras's argument names.

The classes named here are the public face; the modules beside this file are what they are made of.
"""

from seq2seq.nn.blocks import Attention, Decoder, Encoder
from seq2seq.nn.layers import GRU, LSTM, RNN, Bidirectional, RecurrentLayer

__all__ = ["GRU", "LSTM", "RNN", "Attention", "Bidirectional", "Decoder", "Encoder", "RecurrentLayer"]
