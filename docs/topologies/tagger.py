"""Many to many, aligned: a tagger. Which accent belongs on each letter of a Vietnamese phrase?

    tags       g      i      ờ               y1     y2     y3
                                             |      |      |
    states, backward                         h1 <-  h2 <-  h3      what follows
    states, forward                          h1 ->  h2 ->  h3      what came before
                                             |      |      |
    inputs     g      i      o               x1     x2     x3

There is one tag for each input. Which one, the letters on both sides tell; so a bidirectional encoder is compared
with one that only reads forward. The phrases are those of the Unicode CLDR; none of the test is in the training data.
"""

import unicodedata

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from seq2seq import recipe
from seq2seq.data.builtin import phrases
from seq2seq.nn.stack import EncoderStack


class Tagger(nn.Module):
    def __init__(self, characters: int, direction: str) -> None:
        super().__init__()
        config = recipe.EncoderConfig(cell="gru", hidden_size=48, direction=direction)
        self.embedding = nn.Embedding(characters, 32)
        self.stack = EncoderStack(config, 32)
        self.output = nn.Linear(self.stack.output_size, characters)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        h, _ = self.stack(self.embedding(characters), lengths)  # [batch, time, hidden, twice if bidirectional]
        return self.output(h)  # [batch, time, characters]


def bare(text: str) -> str:
    """The text without its accents, each character still in its place."""
    return "".join(unicodedata.normalize("NFD", character)[0] for character in text)


def learn(direction: str, characters: int, inputs: Tensor, tags: Tensor, lengths: Tensor) -> Tagger:
    torch.manual_seed(1)
    model = Tagger(characters, direction)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        for batch in torch.randperm(len(inputs)).split(32):
            longest = int(lengths[batch].max())
            logits = model(inputs[batch, :longest], lengths[batch])
            loss = F.cross_entropy(logits.flatten(0, 1), tags[batch, :longest].flatten(), ignore_index=0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def main() -> dict[str, float]:
    train, test = ([text for text, _ in phrases("vi", "en", *of)] for of in (("train", 1000), ("test", 200)))
    alphabet = ["", *sorted({character for text in train + test for character in text + bare(text)})]  # 0: padding

    def numbered(texts: list[str]) -> Tensor:
        rows = [torch.tensor([alphabet.index(character) for character in text]) for text in texts]
        return pad_sequence(rows, batch_first=True)  # [phrases, time]

    inputs, tags, lengths = numbered([*map(bare, train)]), numbered(train), torch.tensor([*map(len, train)])
    new_inputs, new_tags, new_lengths = numbered([*map(bare, test)]), numbered(test), torch.tensor([*map(len, test)])
    vowels = [alphabet.index(vowel) for vowel in "aeiouy"]
    asked = torch.isin(new_inputs, torch.tensor(vowels))

    guess = torch.zeros_like(new_tags)
    for vowel in vowels:
        guess[new_inputs == vowel] = tags[inputs == vowel].mode().values  # its most frequent tag
    scores = {"baseline": (guess == new_tags)[asked].float().mean().item()}
    for direction in ("forward", "bidirectional"):
        model = learn(direction, len(alphabet), inputs, tags, lengths)
        predicted = model(new_inputs, new_lengths).argmax(-1)
        scores[direction] = (predicted == new_tags)[asked].float().mean().item()
        longest = int(new_lengths.argmax())
        print(f"{bare(test[longest])} -> {''.join(alphabet[i] for i in predicted[longest])} ({direction})")
    print("vowels of new phrases with the right accent:", {name: f"{score:.1%}" for name, score in scores.items()})
    return scores


if __name__ == "__main__":
    main()
