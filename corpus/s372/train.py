import copy
import os

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.func import functional_call, stack_module_state, vmap

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.3, random_state=seed, stratify=y)
xa, xb = torch.tensor(xa, dtype=torch.float32), torch.tensor(xb, dtype=torch.float32)
ya, yb = torch.tensor(ya), torch.tensor(yb)


def member():
    return nn.Sequential(nn.Linear(64, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 10))


MEMBERS = 5
models = [member() for _ in range(MEMBERS)]
params, buffers = stack_module_state(models)
skeleton = copy.deepcopy(models[0]).to("meta")


def call_one(p, b, x):
    return functional_call(skeleton, (p, b), (x,))


def ensemble(x):
    return vmap(call_one, in_dims=(0, 0, None), randomness="different")(params, buffers, x)


optimizer = torch.optim.AdamW([p for m in models for p in m.parameters()], lr=2e-3, weight_decay=1e-4)
criterion = nn.CrossEntropyLoss()

for epoch in range(25):
    running = 0.0
    for idx in torch.randperm(len(xa)).split(64):
        logits = ensemble(xa[idx])
        loss = criterion(logits.flatten(0, 1), ya[idx].repeat(MEMBERS))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    if epoch % 5 == 4:
        print(f"[{epoch + 1}] {running / len(xa):.4f}")

with torch.no_grad():
    vote = ensemble(xb).softmax(-1).mean(0).argmax(1)
print(f"metric=accuracy value={(vote == yb).float().mean().item():.4f}")
