import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def gestures(n, steps=25):
    """Accelerometer-like tracks (x, y): circle, line, or zigzag, in random direction, speed and size."""
    label = torch.randint(0, 3, (n,))
    t = torch.linspace(0, 1, steps).expand(n, steps)
    angle, size = 6.283 * torch.rand(n, 1), 0.7 + 0.6 * torch.rand(n, 1)
    speed = 1.0 + torch.rand(n, 1)
    turn = 6.283 * speed * t
    circle = torch.stack([torch.cos(turn), torch.sin(turn)], -1)
    line = torch.stack([2 * t - 1, torch.zeros_like(t)], -1)
    zigzag = torch.stack([2 * t - 1, torch.sign(torch.sin(2 * turn)) * 0.7], -1)
    track = torch.stack([circle, line, zigzag])[label, torch.arange(n)]
    c, s = torch.cos(angle), torch.sin(angle)
    rotated = torch.stack([c * track[..., 0] - s * track[..., 1], s * track[..., 0] + c * track[..., 1]], -1)
    return size.unsqueeze(-1) * rotated + 0.15 * torch.randn(n, steps, 2), label


def weight(n_in, n_out):
    return (torch.randn(n_in, n_out) / n_in ** 0.5).requires_grad_()


H = 48
Wx, Wh, Wo = weight(2, H), weight(H, H), weight(H, 3)
bh, bo = torch.zeros(H, requires_grad=True), torch.zeros(3, requires_grad=True)
params = [Wx, Wh, Wo, bh, bo]


def rnn(x):
    h = torch.zeros(x.shape[0], H)
    for step in range(x.shape[1]):
        h = torch.tanh(x[:, step] @ Wx + h @ Wh + bh)
    return h @ Wo + bo


x_train, y_train = gestures(1500)
x_test, y_test = gestures(600)
opt = torch.optim.Adam(params, lr=2e-3)
for epoch in range(30):
    for idx in torch.randperm(1500).split(50):
        loss = torch.nn.functional.cross_entropy(rnn(x_train[idx]), y_train[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "loss", round(loss.item(), 4))

with torch.no_grad():
    acc = (rnn(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
