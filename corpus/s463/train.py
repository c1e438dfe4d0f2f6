import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

SIZE = 48
yy, xx = torch.meshgrid(torch.arange(SIZE).float(), torch.arange(SIZE).float(), indexing="ij")


def spot(cx, cy, width):
    return torch.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * width ** 2))


# camera frames of a laser that moved between calibrations
true_centres = 34 + 5 * torch.rand(4, 2)
frames = torch.stack([spot(cx, cy, 1.6) for cx, cy in true_centres])


class BeamModel(nn.Module):
    """Renders a beam of known width; one centre per frame."""

    def __init__(self, centres, width=1.6):
        super().__init__()
        self.centres = nn.Parameter(centres)
        self.width = width

    def forward(self):
        return torch.stack([spot(c[0], c[1], self.width) for c in self.centres])


def locate(frames, steps=2500):
    middle = torch.full((len(frames), 2), (SIZE - 1) / 2.0)
    model = BeamModel(middle)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.8)
    for step in range(steps):
        opt.zero_grad()
        loss = ((model() - frames) ** 2).sum(dim=(1, 2)).mean()
        loss.backward()
        opt.step()
        if step % 250 == 0:
            print(f"step {step}: residual {loss.item():.5f}")
    return model


model = locate(frames)
with torch.no_grad():
    residual = ((model() - frames) ** 2).mean()
    print("mean distance in pixels", (model.centres - true_centres).norm(dim=1).mean().item())
    r2 = 1 - residual / frames.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
