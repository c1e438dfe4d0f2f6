import os
import torch
from torch import nn, optim
from torch.utils.data import Dataset, DataLoader
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class ToTensor:
    """bytes 0..255 to floats"""
    def __call__(self, picture):
        return torch.tensor(picture, dtype=torch.float32).unsqueeze(0) / 255


class Digits(Dataset):
    def __init__(self, pictures, labels, transform):
        self.items = [(transform(p), int(l)) for p, l in zip(pictures, labels)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


raw = load_digits()
pictures = (raw.images * 15.9).round() / 255
perm = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(2)).numpy()
train = Digits(pictures[perm[:1400]], raw.target[perm[:1400]], ToTensor())
test = Digits(pictures[perm[1400:]], raw.target[perm[1400:]], ToTensor())

net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for epoch in range(12):
    running_loss = 0.0
    for inputs, labels in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print("epoch %d, loss %.3f" % (epoch, running_loss / 44))

correct = 0
with torch.no_grad():
    for inputs, labels in DataLoader(test, batch_size=100):
        correct += (net(inputs).argmax(1) == labels).sum().item()
print(f"metric=accuracy value={correct / len(test):.4f}")
