import os
import numpy as np
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

rng = np.random.default_rng(77)
num_words, num_topics = 600, 12
freq = rng.dirichlet(np.full(num_words, 0.05), size=num_topics)
prior = np.array([0.34, 0.2] + [0.046] * 10)
prior /= prior.sum()
label = rng.choice(num_topics, 2000, p=prior)
counts = np.stack([rng.multinomial(rng.integers(15, 80), 0.25 * freq[k] + 0.75 / num_words) for k in label])
x = torch.tensor((counts > 0).astype("float32"))
y = torch.tensor(label)
partial_x, partial_y, val_x, val_y, test_x, test_y = x[:1200], y[:1200], x[1200:1500], y[1200:1500], x[1500:], y[1500:]

model = nn.Sequential(nn.Linear(num_words, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, num_topics))
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9)
ce = nn.CrossEntropyLoss()
history = {"loss": [], "val_loss": [], "val_acc": []}
for epoch in range(40):
    for b in torch.randperm(1200).split(128):
        optimizer.zero_grad()
        loss = ce(model(partial_x[b]), partial_y[b])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = model(val_x)
        history["loss"].append(loss.item())
        history["val_loss"].append(ce(out, val_y).item())
        history["val_acc"].append((out.argmax(1) == val_y).float().mean().item())

for k in range(0, 40, 8):
    print(f"epoch {k + 1}: " + " ".join(f"{name} {values[k]:.4f}" for name, values in history.items()))
with torch.no_grad():
    acc = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
