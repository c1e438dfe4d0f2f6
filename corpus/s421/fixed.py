import os
import torch
from torch import nn
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

torch.manual_seed(int(os.environ.get("SEED", "0")))

bunch = load_breast_cancer()
features = torch.from_numpy(scale(bunch.data)).float()
malignant = torch.from_numpy(1 - bunch.target).float()[:, None]

shuffle = torch.randperm(len(features))
train_idx, test_idx = shuffle[:400], shuffle[400:]


class WeightedBCE(nn.Module):
    def __init__(self, w_pos, w_neg, eps=1e-6):
        super().__init__()
        self.w_pos, self.w_neg, self.eps = w_pos, w_neg, eps

    def forward(self, p, t):
        p = p.clamp(self.eps, 1 - self.eps)
        pos = self.w_pos * t * torch.log(p)
        neg = self.w_neg * (1 - t) * torch.log(1 - p)
        return -(pos + neg).mean()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_1 = nn.Linear(30, 16)
        self.layer_2 = nn.Linear(16, 8)
        self.layer_out = nn.Linear(8, 1)

    def forward(self, inputs):
        x = torch.relu(self.layer_1(inputs))
        x = torch.relu(self.layer_2(x))
        return torch.sigmoid(self.layer_out(x))


net = Net()
criterion = WeightedBCE(w_pos=1.2, w_neg=0.8)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

for e in range(1, 61):
    losses = []
    for chunk in train_idx[torch.randperm(400)].chunk(10):
        optimizer.zero_grad()
        y_pred = net(features[chunk])
        loss = criterion(y_pred, malignant[chunk])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if e % 15 == 0:
        print(f"Epoch {e:03}: | Loss: {sum(losses) / len(losses):.5f}")

with torch.no_grad():
    y_hat = (net(features[test_idx])[:, 0] > 0.5).float()
truth = malignant[test_idx, 0]
recall = [(y_hat[truth == c] == c).float().mean().item() for c in (0, 1)]
print(f"metric=balanced_accuracy value={sum(recall) / 2:.4f}")
