"""Many to many, unaligned: an encoder-decoder with attention. Numbers in words, from English to German.

    outputs                                    y1     y2     y3     </s>     zwei und vierzig
                                               |      |      |      |
    states     h1 <-> h2 <-> ... hT   bridge-> s1 ->  s2 ->  s3 ->  s4       each looks at all of h1 ... hT (attention)
               |      |          |             |      |      |      |
    inputs     x1     x2         xT            <s>    y1     y2     y3       forty two

The two sides differ in length and order, so the decoder writes at its own pace, until </s>, and learns where to look.
No number of the test is in the training data.
"""

import random

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seq2seq import recipe
from seq2seq.data.tokenization import PAD, SPECIAL
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.decoding.search import search_all
from seq2seq.nn.seq2seq import Seq2Seq

ENGLISH = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand""".split()
GERMAN = """
    ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn
    neunzehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert tausend eins und""".split()


def say(n: int, words: list[str]) -> list[str]:
    """1 to 999,999 in words; 0 is silent."""
    for value, word in ((1000, words[28]), (100, words[27])):
        if n >= value:
            return [*say(n // value, words), word, *say(n % value, words)]
    if n >= 20:
        ten, one = words[17 + n // 10], say(n % 10, words)
        return [*one, "und", ten] if one and words is GERMAN else [ten, *one]
    return [words[n - 1]] if n else []


def numbered(sentences: list[list[str]], vocabulary: list[str]) -> Tensor:
    rows = [torch.tensor([vocabulary.index(word) for word in sentence]) for sentence in sentences]
    return pad_sequence(rows, batch_first=True, padding_value=PAD)  # [sentences, time]


def main() -> dict[str, float]:
    torch.manual_seed(1)
    numbers, count = random.Random(1).sample(range(1, 1_000_000), 4200), 4000  # the rest is the test
    english, german = [say(n, ENGLISH) for n in numbers], [say(n, GERMAN) for n in numbers]
    german = [[*words[:-1], "eins"] if words[-1] == "ein" else words for words in german]
    src = numbered(english, [*SPECIAL, *ENGLISH])
    tgt = numbered([["<s>", *words, "</s>"] for words in german[:count]], [*SPECIAL, *GERMAN])
    lengths = torch.tensor([len(words) for words in english])

    config = recipe.ModelConfig(
        embedding=recipe.EmbeddingConfig(size=48),
        encoder=recipe.EncoderConfig(cell="gru", hidden_size=48, direction="bidirectional"),
        decoder=recipe.DecoderConfig(
            cell="gru", hidden_size=64, attention=recipe.LuongAttentionConfig(kind="luong_general")
        ),
    )
    model = Seq2Seq(config, len(SPECIAL + ENGLISH), len(SPECIAL + GERMAN), PAD)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(4):
        for batch in torch.randperm(count).split(64):
            states = model(src[batch], lengths[batch], tgt[batch, :-1]).states  # [batch, tgt_len, output]
            loss = F.cross_entropy(model.logits(states).flatten(0, 1), tgt[batch, 1:].flatten(), ignore_index=PAD)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    # Several beginnings are kept at each step; the likeliest whole is the translation.
    scorer = ModelScorer(model.eval(), torch.device("cpu"))
    new = [row[:length].tolist() for row, length in zip(src[count:], lengths[count:], strict=True)]
    found = search_all(scorer, new, recipe.DecodingConfig(beam_size=4))
    translations = [[(SPECIAL + GERMAN)[i] for i in best.tokens] for (best,) in found]
    word_for_word = [[GERMAN[ENGLISH.index(word)] for word in words] for words in english[count:]]
    exact = sum(ours == right for ours, right in zip(translations, german[count:], strict=True)) / len(found)
    baseline = sum(ours == right for ours, right in zip(word_for_word, german[count:], strict=True)) / len(found)
    for words, ours in zip(english[count : count + 5], translations, strict=False):
        print(" ".join(words), "->", " ".join(ours))
    print(f"new numbers translated without an error: {exact:.1%} (word for word: {baseline:.1%})")
    return {"exact": exact, "baseline": baseline}


if __name__ == "__main__":
    main()
