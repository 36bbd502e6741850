"""Many to one: a sentence classifier. In which language is a phrase?

    label                           y
                                    |
    states   h1 -> h2 -> h3 -> ... hT
             |     |     |          |
    inputs   x1    x2    x3        xT        the phrase's characters

An encoder reads the phrase; its last state sums the phrase up, and a linear layer reads the label off it.
The phrases are those of the Unicode CLDR; no phrase of the training split is in the test split.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from seq2seq import recipe
from seq2seq.data.builtin import phrases
from seq2seq.nn.stack import EncoderStack

LANGUAGES = "sv nl es it".split()


class SentenceClassifier(nn.Module):
    def __init__(self, characters: int, labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.stack = EncoderStack(recipe.EncoderConfig(cell="gru", hidden_size=64, direction="forward"), 32)
        self.output = nn.Linear(64, labels)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        x = self.embedding(characters)  # [batch, time, 32]
        _, last = self.stack(x, lengths)  # of each layer, the state after the last character
        (h,) = last[-1]  # [batch, hidden]
        return self.output(h)  # [batch, labels]


def examples(split: str, count: int) -> list[tuple[str, int]]:
    """Phrases of every language, those without words left out, and which language each is in."""
    every = [(text, i) for i, code in enumerate(LANGUAGES) for text, _ in phrases(code, "en", split, count)]
    return [(text, label) for text, label in every if sum(map(str.isalpha, text)) > 6]


def main() -> dict[str, float]:
    torch.manual_seed(1)
    train, test = examples("train", 800), examples("test", 100)
    number = {character: i for i, character in enumerate(sorted({c for text, _ in train for c in text}), 1)}

    def batch_of(pairs: list[tuple[str, int]]) -> tuple[Tensor, Tensor, Tensor]:
        rows = [torch.tensor([number.get(c, 0) for c in text]) for text, _ in pairs]  # 0: padding, or never seen
        return (
            pad_sequence(rows, batch_first=True),
            torch.tensor([*map(len, rows)]),
            torch.tensor([y for _, y in pairs]),
        )

    model = SentenceClassifier(len(number) + 1, len(LANGUAGES))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        for rows in torch.randperm(len(train)).split(32):
            characters, lengths, labels = batch_of([train[i] for i in rows])
            loss = F.cross_entropy(model(characters, lengths), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    characters, lengths, labels = batch_of(test)
    predicted = model(characters, lengths).argmax(-1)
    accuracy = (predicted == labels).float().mean().item()
    baseline = labels.bincount().max().item() / len(labels)
    for i in range(0, len(test), len(test) // 8):
        print(f"{LANGUAGES[predicted[i]]}  {test[i][0]}")
    print(f"accuracy on new phrases: {accuracy:.1%} (always the most frequent language: {baseline:.1%})")
    return {"accuracy": accuracy, "baseline": baseline}


if __name__ == "__main__":
    main()
