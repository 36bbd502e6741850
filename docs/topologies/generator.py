"""One to many: a generator. From the vector of a date, its words in Spanish.

    outputs           y1     y2     y3     y4     y5     end       12 de mayo de 2015
                      |      |      |      |      |      |
    states   h0 ->    h1 ->  h2 ->  h3 ->  h4 ->  h5 ->  h6
             |        |      |      |      |      |      |
    inputs   v        begin  y1     y2     y3     y4     y5        each step reads what the last one wrote

The vector makes the decoder's first state, and is seen nowhere else: the state keeps the year until it is written.
In training each step reads the right last word (teacher forcing), at test time its own (free running). No date of
the test is in the training data: learning texts by heart would score 0.
"""

import datetime as dt
import random

import torch
import torch.nn.functional as F
from babel.dates import format_date
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells import State
from seq2seq.nn.stack import DecoderStack


class Generator(nn.Module):
    def __init__(self, vector_size: int, words: int) -> None:
        super().__init__()
        self.first = nn.Linear(vector_size, 64)
        self.embedding = nn.Embedding(words, 32)
        self.stack = DecoderStack(recipe.StackConfig(cell="gru", hidden_size=64), 32)
        self.output = nn.Linear(64, words)

    def start(self, vectors: Tensor) -> list[State]:
        return [(torch.tanh(self.first(vectors)),)]  # h0 of the one layer: [batch, hidden]

    def forward(self, words: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        h, state = self.stack(self.embedding(words), state)  # [batch, time, hidden]
        return self.output(h), state  # [batch, time, words]

    @torch.no_grad()
    def generate(self, vectors: Tensor, steps: int) -> Tensor:
        state, written = self.start(vectors), [torch.zeros(len(vectors), 1, dtype=torch.long)]
        for _ in range(steps):
            logits, state = self(written[-1], state)  # a sequence of one
            written.append(logits.argmax(-1))  # [batch, 1]
        return torch.cat(written, 1)


def main() -> dict[str, float]:
    torch.manual_seed(1)
    days = [dt.date(2000, 1, 1) + dt.timedelta(i) for i in range(365 * 30)]
    days, count = random.Random(1).sample(days, 2300), 2000  # the rest is the test
    parts = torch.tensor([(day.day - 1, day.month - 1, day.year - 2000) for day in days])
    vectors = torch.cat([F.one_hot(part, size) for part, size in zip(parts.T, (31, 12, 30), strict=True)], 1).float()
    texts = [format_date(day, "long", locale="es").split() for day in days]
    vocabulary = ["", *sorted({word for text in texts for word in text})]  # 0: begin, and end
    words = torch.tensor([[0, *map(vocabulary.index, text), 0] for text in texts])  # [days, time]: all as long

    model = Generator(vectors.shape[1], len(vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(8):
        for batch in torch.randperm(count).split(50):
            logits, _ = model(words[batch, :-1], model.start(vectors[batch]))
            loss = F.cross_entropy(logits.flatten(0, 1), words[batch, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    written = model.generate(vectors[count:], steps=words.shape[1] - 1)
    exact = (written == words[count:]).all(1).float().mean().item()
    for day, row in zip(days[count : count + 5], written, strict=False):
        print(day, " ".join(vocabulary[i] for i in row))
    print(f"new dates written without an error: {exact:.1%}")
    return {"exact": exact}


if __name__ == "__main__":
    main()
