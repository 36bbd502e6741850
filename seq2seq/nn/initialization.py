"""First weights."""

import math

from torch import nn

from seq2seq.nn.cells import Cell, LstmCell


def initialize(model: nn.Module) -> None:
    """Set every weight, module by module.

    Recurrent layers: uniform in +-1/sqrt(hidden), biases 0, the LSTM's forget bias 1 (Gers et
    al. 2000; Jozefowicz et al. 2015). Embeddings: normal with deviation 1/sqrt(size), padding 0.
    Everything else: Glorot & Bengio 2010, biases 0.
    """
    for module in model.modules():
        if isinstance(module, Cell):
            _initialize_cell(module)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, 0, module.embedding_dim**-0.5)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx : module.padding_idx + 1].detach())
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _initialize_cell(cell: Cell) -> None:
    hidden = cell.kernel.hidden_size
    bound = 1 / math.sqrt(hidden)
    for name, parameter in cell.kernel.named_parameters():
        if name.startswith("weight"):
            nn.init.uniform_(parameter, -bound, bound)
        else:
            nn.init.zeros_(parameter)
    if isinstance(cell, LstmCell):
        nn.init.ones_(cell.weight("bias_ih_l0")[hidden : 2 * hidden].detach())  # gates i, f, g, o
