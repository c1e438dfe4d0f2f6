import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
# draw a map from distances: 40 towns in the plane, only their distances are known
n = 40
town = torch.randn(n, 2) * torch.tensor([1.5, 1.0])
distance = torch.cdist(town, town)
far = distance > 0

# start on the line given by the largest principal coordinate
J = torch.eye(n) - 1.0 / n
values, vectors = torch.linalg.eigh(-0.5 * J @ distance**2 @ J)
place = torch.zeros(n, 2)
place[:, 0] = vectors[:, -1] * values[-1].sqrt()
place.requires_grad_(True)


def stress(p):
    gap = (p[:, None] - p[None]).pow(2).sum(2)
    d = torch.sqrt(gap[far] + 1e-9)
    return ((d - distance[far]) ** 2).mean()


opt = torch.optim.SGD([place], lr=1.0, momentum=0.5)
for it in range(400):
    opt.zero_grad()
    loss = stress(place)
    loss.backward()
    opt.step()
    if it % 100 == 0:
        print(f"it {it} stress {loss.item():.5f}")
print(f"metric=explained value={1 - stress(place).item() / distance[far].var().item():.4f}")
