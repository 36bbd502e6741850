"""One to one: a sequence of length one. Is a point inside a ring, on it, or outside?

    label      y        linear layer
               |
    layer 2    h        h2 = tanh(W2 h1 + b2)
               |
    layer 1    h        h1 = tanh(W1 x + b1)
               |
    input      x        a point of the plane

At the first step of a simple RNN, h = tanh(W_x x + W_h h0 + b), the state h0 is zero, and W_h has nothing to act on.
So a stack that reads one vector is a feed-forward network: the assertion below says so.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.stack import EncoderStack


class PointClassifier(nn.Module):
    def __init__(self, labels: int) -> None:
        super().__init__()
        self.stack = EncoderStack(recipe.EncoderConfig(cell="rnn", layers=2, hidden_size=32, direction="forward"), 2)
        self.output = nn.Linear(32, labels)

    def forward(self, points: Tensor) -> Tensor:
        x = points.unsqueeze(1)  # [batch, time 1, 2]
        h, _ = self.stack(x)  # [batch, time 1, hidden]
        return self.output(h.squeeze(1))  # [batch, labels]

    def feed_forward(self, points: Tensor) -> Tensor:
        """The same, without recurrence."""
        h = points  # [batch, 2]
        for (layer,) in self.stack.layers:  # one direction in each
            h = torch.tanh(F.linear(h, layer.cell.kernel, layer.cell.bias))  # [batch, hidden]
        return self.output(h)


def main() -> dict[str, float]:
    torch.manual_seed(1)
    points = torch.rand(3000, 2) * 6 - 3  # of a square about the ring's centre
    labels = torch.bucketize(points.norm(dim=1), torch.tensor([1.5, 2.7]))  # 0 inside, 1 on the ring, 2 outside
    train, test = slice(0, 2000), slice(2000, 3000)

    model = PointClassifier(labels=3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        for batch in torch.randperm(2000).split(100):
            loss = F.cross_entropy(model(points[train][batch]), labels[train][batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    logits = model(points[test])
    torch.testing.assert_close(logits, model.feed_forward(points[test]))
    accuracy = (logits.argmax(-1) == labels[test]).float().mean().item()
    baseline = (labels[test] == labels[train].mode().values).float().mean().item()
    print("a stack over one step equals a feed-forward network: yes")
    print(f"accuracy on new points: {accuracy:.1%} (always the most frequent label: {baseline:.1%})")
    return {"accuracy": accuracy, "baseline": baseline}


if __name__ == "__main__":
    main()
