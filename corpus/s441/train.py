import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

# one emission line on a flat background
wavelength = torch.linspace(400, 700, 301)
counts = (
    120 * torch.exp(-0.5 * ((wavelength - 589) / 9) ** 2)
    + 22 * torch.exp(-0.5 * ((wavelength - 468) / 11) ** 2)
    + 5
    + 1.5 * torch.randn(301)
)
x = (wavelength - 550) / 100
y = counts / counts.max()


def line(p, x):
    height, centre, log_width, background = p
    return height * torch.exp(-0.5 * ((x - centre) / log_width.exp()) ** 2) + background


guess = 460 + 10 * torch.rand(1).item()
p = torch.tensor([0.5, (guess - 550) / 100, -2.0, 0.0], requires_grad=True)
optimizer = torch.optim.Adam([p], lr=0.01)

for it in range(3000):
    optimizer.zero_grad()
    chi2 = ((line(p, x) - y) ** 2).mean()
    chi2.backward()
    optimizer.step()
    if it % 300 == 0:
        height, centre, log_width, background = p.tolist()
        print(f"{it:5d} chi2 {chi2.item():.5f} centre {550 + 100 * centre:.1f} nm height {height:.3f}")

with torch.no_grad():
    r2 = 1 - ((line(p, x) - y) ** 2).mean() / y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
