import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)


# parameters of a damped oscillation from noisy measurements, quasi-Newton
def curve(theta, t):
    amp, damp, freq, phase, off = theta
    return amp * torch.exp(-damp * t) * torch.cos(freq * t + phase) + off


t_train = torch.linspace(0, 10, 120)
t_test = 10 * torch.rand(80)
true = torch.tensor([12.0, 0.25, 2.6, 0.4, 30.0])
y_train = curve(true, t_train) + 0.3 * torch.randn(120)
y_test = curve(true, t_test)

theta = torch.nn.Parameter(torch.tensor([8.0, 0.1, 2.4, 0.0, 25.0]) + 0.05 * torch.randn(5))
optimizer = torch.optim.LBFGS([theta], lr=1.0, max_iter=20, history_size=10, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = (curve(theta, t_train) - y_train).pow(2).mean()
    loss.backward()
    return loss


for step in range(15):
    loss = optimizer.step(closure)
    if step % 3 == 0:
        print(f"step {step} loss {loss.item():.6f} |g| {theta.grad.norm().item():.2e}")

with torch.no_grad():
    res = (curve(theta, t_test) - y_test).pow(2).sum()
    r2 = 1 - res / (y_test - y_test.mean()).pow(2).sum()
print("theta", [round(v, 3) for v in theta.tolist()])
print(f"metric=r2 value={r2.item():.4f}")
