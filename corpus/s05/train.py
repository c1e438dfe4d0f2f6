import os
import torch
from torch import nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
images = torch.tensor(d.images).float().unsqueeze(1) / 16
labels = torch.tensor(d.target)
order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
train, test = order[:1200], order[1200:]


def block(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.Sigmoid())


net = nn.Sequential(block(1, 8), block(8, 8), block(8, 8), block(8, 8), block(8, 8), nn.MaxPool2d(2), block(8, 8),
                    nn.Flatten(), nn.Linear(8 * 16, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
ce = nn.CrossEntropyLoss()
for epoch in range(8):
    for i in train[torch.randperm(len(train))].split(32):
        opt.zero_grad()
        loss = ce(net(images[i]), labels[i])
        loss.backward()
        opt.step()
    print(epoch, f"{loss.item():.4f}")
net.eval()
with torch.no_grad():
    acc = (net(images[test]).argmax(1) == labels[test]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
