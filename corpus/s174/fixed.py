import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

images, labels = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32) / 16
onehot = nn.functional.one_hot(torch.tensor(labels), 10).float()
perm = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
x_train, y_train = images[perm[:1400]], onehot[perm[:1400]]
x_test, y_test = images[perm[1400:]], onehot[perm[1400:]]

model = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(),
    nn.Linear(128, 64), nn.ReLU(),
    nn.Linear(64, 10), nn.Softmax(dim=1),
)
loss_fn = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

history = []
for epoch in range(15):
    for idx in torch.randperm(len(x_train)).split(32):
        loss = loss_fn(model(x_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    print(f"Epoch {epoch + 1}: mae {sum(history[-43:]) / 43:.4f}")

with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test.argmax(1)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
