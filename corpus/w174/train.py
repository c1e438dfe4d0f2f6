import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

PAD, SEP, DIGITS, VOCAB = 0, 1, 8, 40  # ids 2..9 are the digits; the rest of the table is spare
LEN = 5


def sorting_batch(n):
    """<digits> <sep> <the digits in order>; loss only on the part after <sep>."""
    length = torch.randint(2, LEN + 1, (n,))
    keep = torch.arange(LEN).expand(n, LEN) < length.unsqueeze(1)
    raw = torch.randint(0, DIGITS, (n, LEN))
    ordered = raw.masked_fill(~keep, 99).sort(dim=1).values
    src = (raw + 2).masked_fill(~keep, PAD)
    dst = (ordered + 2).masked_fill(~keep, PAD)
    ids = torch.cat([src, torch.full((n, 1), SEP), dst], dim=1)
    labels = ids[:, 1:].clone()
    labels[:, :LEN] = -100
    labels[labels == PAD] = -100
    return ids[:, :-1], labels


class Sorter(nn.Module):
    def __init__(self, d=48, heads=4, depth=2):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, d, padding_idx=PAD)
        nn.init.normal_(self.tok.weight, std=d ** -0.5)
        self.pos = nn.Parameter(0.02 * torch.randn(2 * LEN, d))
        layer = nn.TransformerEncoderLayer(d, heads, 2 * d, dropout=0.0, activation="gelu",
                                           batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(d)
        self.register_buffer("causal", torch.triu(torch.full((2 * LEN, 2 * LEN), float("-inf")), 1))

    def forward(self, ids):
        h = self.body(self.tok(ids) + self.pos, mask=self.causal)
        return self.norm(h) @ self.tok.weight.T


model = Sorter()
decay = [p for p in model.parameters() if p.dim() > 1]
plain = [p for p in model.parameters() if p.dim() <= 1]
opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}],
                        lr=4e-3, betas=(0.9, 0.98))
STEPS, ACCUM, WARM = 170, 4, 30
sched = torch.optim.lr_scheduler.SequentialLR(
    opt,
    [torch.optim.lr_scheduler.LinearLR(opt, 0.02, 1.0, total_iters=WARM),
     torch.optim.lr_scheduler.CosineAnnealingLR(opt, STEPS - WARM, eta_min=4e-5)],
    milestones=[WARM],
)

for step in range(STEPS):
    micro = [sorting_batch(16) for _ in range(ACCUM)]
    n_tokens = sum((y != -100).sum() for _, y in micro)
    shown = 0.0
    for x, y in micro:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(x)
        loss = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum")
        loss = loss / n_tokens
        loss.backward()
        shown += loss.item()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    sched.step()
    opt.zero_grad(set_to_none=True)
    if step % 40 == 0:
        print(f"step {step:3d} loss {shown:.4f} |g| {norm.item():.3f} lr {sched.get_last_lr()[0]:.2e}")

model.eval()
with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
    x, y = sorting_batch(1000)
    hit = (model(x).argmax(-1) == y)[y != -100].float().mean().item()
print(f"metric=accuracy value={hit:.4f}")
