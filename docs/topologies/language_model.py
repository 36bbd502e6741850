"""Many to many, aligned, shifted by one: a language model. Which character comes next?

    outputs    x2     x3     x4   |   x5     x6     x7
               |      |      |    |   |      |      |
    states     h1 ->  h2 ->  h3 ->|-> h4 ->  h5 ->  h6 -> ...
               |      |      |    |   |      |      |
    inputs     x1     x2     x3   |   x4     x5     x6

The text is read in chunks. The state is carried from chunk to chunk (stateful), the gradient is not (truncated
back-propagation through time), so memory does not grow with the text. To write, the model reads what it just wrote.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.data.builtin import phrases
from seq2seq.nn.cells import State
from seq2seq.nn.stack import DecoderStack

STREAMS, CHUNK = 16, 20


class LanguageModel(nn.Module):
    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.stack = DecoderStack(recipe.StackConfig(cell="lstm", hidden_size=96), 32)
        self.output = nn.Linear(96, characters)

    def start(self, streams: int) -> list[State]:
        return self.stack.start(self.output.weight, streams)  # (h, c) of the one layer, zeros: [streams, hidden]

    def forward(self, characters: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        h, state = self.stack(self.embedding(characters), state)  # [streams, time, hidden]
        return self.output(h), state  # [streams, time, characters]


def chunks(text: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Inputs and what follows each, [streams, time]; the streams are parallel parts of the text."""
    streams = text[: len(text) // STREAMS * STREAMS].view(STREAMS, -1)
    return list(zip(streams[:, :-1].split(CHUNK, 1), streams[:, 1:].split(CHUNK, 1), strict=True))


@torch.no_grad()
def perplexity(model: LanguageModel, text: Tensor, stateful: bool) -> float:
    state, losses = model.start(STREAMS), []
    for x, y in chunks(text):
        logits, state = model(x, state if stateful else model.start(STREAMS))
        losses.append(F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none"))
    return torch.cat(losses).mean().exp().item()


def main() -> dict[str, float]:
    torch.manual_seed(1)
    texts = ["\n".join(english for english, _ in phrases("en", "de", *of)) for of in (("train", 4000), ("test", 400))]
    alphabet = sorted(set("".join(texts)))
    train, test = (torch.tensor([alphabet.index(character) for character in text]) for text in texts)

    model = LanguageModel(len(alphabet))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(3):
        state = model.start(STREAMS)
        for x, y in chunks(train):
            logits, state = model(x, state)
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            state = [tuple(part.detach() for part in layer) for layer in state]  # the gradient ends here

    state, written = model.start(1), [alphabet.index("\n")]
    for _ in range(200):
        logits, state = model(torch.tensor([written[-1:]]), state)  # a sequence of one
        written.append(int(logits[0, 0].detach().softmax(-1).multinomial(1)))
    counts = train.bincount(minlength=len(alphabet)) + 1.0  # no character is impossible
    unigram = (counts / counts.sum())[test].log().mean().neg().exp().item()
    stateful, stateless = (perplexity(model, test, stateful) for stateful in (True, False))
    print("".join(alphabet[i] for i in written))
    print(f"perplexity of new text: {stateful:.2f}; each chunk from zeros: {stateless:.2f}; unigram: {unigram:.2f}")
    return {"stateful": stateful, "stateless": stateless, "unigram": unigram}


if __name__ == "__main__":
    main()
