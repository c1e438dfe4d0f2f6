import os

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class Encoder(nn.Module):
    def __init__(self, feature_dim=64):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.proj = nn.Linear(24 * 16, feature_dim)

    def forward(self, img):
        h = torch.relu(self.conv1(img))
        h = torch.relu(self.conv2(h))
        return torch.relu(self.proj(h.flatten(1)))


class Decoder(nn.Module):
    """classifies the top and the bottom tile of a two-digit strip"""

    def __init__(self, feature_dim=64):
        super().__init__()
        self.cell = nn.GRUCell(feature_dim, 64)
        self.out = nn.Linear(64, 10)

    def forward(self, first, second):
        h1 = self.cell(first)
        h2 = self.cell(second, h1)
        return self.out(h1), self.out(h2)


digits = load_digits()
img = torch.tensor(digits.images[:, None] / 16.0, dtype=torch.float32)
lab = torch.tensor(digits.target)
tr, te = train_test_split(np.arange(len(lab)), test_size=0.25, random_state=seed)
tr, te = torch.tensor(tr), torch.tensor(te)

encoder, decoder = Encoder(), Decoder()
encoder_optimizer = optim.SGD(encoder.parameters(), lr=0.05, momentum=0.9)
decoder_optimizer = optim.SGD(decoder.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for it in range(1, 701):
    a, b = tr[torch.randint(len(tr), (32,))], tr[torch.randint(len(tr), (32,))]
    decoder_optimizer.zero_grad()
    out_a, out_b = decoder(encoder(img[a]), encoder(img[b]))
    loss = criterion(out_a, lab[a]) + criterion(out_b, lab[b])
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    if it % 100 == 0:
        print(f"iter {it} loss {loss.item():.4f}")

encoder.eval()
decoder.eval()
with torch.no_grad():
    flipped = te.flip(0)
    out_a, out_b = decoder(encoder(img[te]), encoder(img[flipped]))
    hit = (out_a.argmax(1) == lab[te]).float() + (out_b.argmax(1) == lab[flipped]).float()
print(f"metric=accuracy value={hit.mean().item() / 2:.4f}")
