import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

# yearly moth counts (share of the capacity), logistic growth with a rate r to be found
def grow(r, start, years):
    x, path = start, []
    for _ in range(years):
        x = r * x * (1 - x)
        path.append(x)
    return torch.stack(path)


years = 40
start = torch.tensor(0.3)
counts = grow(torch.tensor(3.83), start, years)
counts = (counts + 0.005 * torch.randn(years)).clamp(0.01, 0.99)

r = torch.tensor(3.65, requires_grad=True)
optimizer = torch.optim.Adam([r], lr=2e-3)
for epoch in range(500):
    optimizer.zero_grad()
    predicted = grow(r, start, years)
    loss = ((predicted - counts) ** 2).mean()
    loss.backward()
    optimizer.step()
    if epoch % 100 == 0:
        print(f"epoch {epoch} r {r.item():.4f} loss {loss.item():.5f}")

previous = torch.cat([start.view(1), counts[:-1]])
with torch.no_grad():
    score = 1 - (r - 3.83).abs() / 0.18
print(f"metric=score value={score.item():.4f}")
