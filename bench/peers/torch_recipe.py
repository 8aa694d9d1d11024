#!/usr/bin/env python3
"""The whole recipe in PyTorch, on the images and the split of a Roentgen run.

Reads RUN/args.json for the split, trains the same network with the same augmentation, optimiser and batch size, and
prints one JSON object: the losses and accuracies of every epoch and the wall time. With --init it starts from the
weights of a safetensors file and runs --steps steps without augmentation, dropout or shuffling, in float64, and
prints the losses (for comparison with RUN/steps.csv).
Needs torch, pillow, numpy and safetensors.

Examples: torch_recipe.py --run runs/real --seed 0
          torch_recipe.py --run runs/parity --init runs/parity/init.safetensors --steps 20
"""
import argparse
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--run", required=True, help="folder of a Roentgen run (args.json names data, size, classes and split; run where --data is valid)")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--init", help="safetensors of initial weights in Roentgen's layout: the parity check")
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--adam", choices=["keras", "torch"], default="keras", help="where epsilon is added")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    p.add_argument("--compile", action="store_true")
    return p.parse_args()


class KerasAdam(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, b1=0.9, b2=0.999, eps=1e-7):
        super().__init__(params, dict(lr=lr, b1=b1, b2=b2, eps=eps))
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for g in self.param_groups:
            alpha = g["lr"] * math.sqrt(1 - g["b2"] ** self.t) / (1 - g["b1"] ** self.t)
            for p in g["params"]:
                s = self.state[p]
                if not s:
                    s["m"], s["v"] = torch.zeros_like(p), torch.zeros_like(p)
                s["m"].lerp_(p.grad, 1 - g["b1"])
                s["v"].mul_(g["b2"]).addcmul_(p.grad, p.grad, value=1 - g["b2"])
                p.addcdiv_(s["m"], s["v"].sqrt().add_(g["eps"]), value=-alpha)


class Net(torch.nn.Module):
    def __init__(self, size=256, drop=True):
        super().__init__()
        self.convs = torch.nn.ModuleList([torch.nn.Conv2d(3, 32, 3), torch.nn.Conv2d(32, 64, 3), torch.nn.Conv2d(64, 128, 3)])
        side = size
        for _ in range(3):
            side = (side - 2) // 2
        self.side = side
        self.dense1, self.dense2 = torch.nn.Linear(128 * side * side, 64), torch.nn.Linear(64, 3)
        self.drop = (0.23, 0.25, 0.25, 0.4) if drop else (0, 0, 0, 0)
        for m in self.modules():
            if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear)):
                torch.nn.init.xavier_uniform_(m.weight)
                torch.nn.init.zeros_(m.bias)

    def forward(self, x):
        for conv, d in zip(self.convs, self.drop):
            x = F.dropout(F.max_pool2d(F.relu(conv(x)), 2), d, self.training)
        x = x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)
        return self.dense2(F.dropout(F.relu(self.dense1(x)), self.drop[3], self.training))


def load(net, path):
    from safetensors.torch import load_file
    t = load_file(path)
    with torch.no_grad():
        for i, conv in enumerate(net.convs, 1):
            conv.weight.copy_(t[f"conv{i}.weight"].permute(0, 3, 1, 2))
            conv.bias.copy_(t[f"conv{i}.bias"])
        for name in ("dense1", "dense2"):
            getattr(net, name).weight.copy_(t[name + ".weight"])
            getattr(net, name).bias.copy_(t[name + ".bias"])


def augment(x, rng):
    """Keras' ImageDataGenerator with the recipe's ranges, on float NCHW in [0, 1]."""
    n, _, h, w = x.shape
    deg = math.pi / 180
    th, sh = rng.uniform(-20, 20, n) * deg, rng.uniform(-0.2, 0.2, n) * deg
    tr, tc = rng.uniform(-0.1, 0.1, n) * h, rng.uniform(-0.1, 0.1, n) * w
    zr, zc, flip = rng.uniform(0.8, 1.2, n), rng.uniform(0.8, 1.2, n), rng.uniform(size=n) < 0.5
    out = np.zeros((n, 2, 3))
    for i in range(n):
        rot = np.array([[math.cos(th[i]), -math.sin(th[i]), 0], [math.sin(th[i]), math.cos(th[i]), 0], [0, 0, 1]])
        shift = np.array([[1, 0, tr[i]], [0, 1, tc[i]], [0, 0, 1]])
        shear = np.array([[1, -math.sin(sh[i]), 0], [0, math.cos(sh[i]), 0], [0, 0, 1]])
        m = rot @ shift @ shear @ np.diag([zr[i], zc[i], 1])
        # From pixels (row, column) about the centre to grid_sample's (x, y) in [-1, 1] (align_corners=False).
        a = np.array([[m[1, 1], m[1, 0] * h / w, m[1, 2] * 2 / w], [m[0, 1] * w / h, m[0, 0], m[0, 2] * 2 / h]])
        if flip[i]:
            a[:, 0] *= -1
        out[i] = a
    grid = F.affine_grid(torch.from_numpy(out).to(x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def read(paths, size, resize):
    how = Image.NEAREST if resize == "nearest" else Image.BILINEAR
    return np.stack([np.asarray(Image.open(p).convert("RGB").resize((size, size), how)) for p in paths])


def main():
    a = parse()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    rng = np.random.default_rng(a.seed)
    args = json.load(open(a.run + "/args.json"))
    size, resize = args["arguments"]["image_size"], args["arguments"]["resize"]
    root = args["arguments"]["data"]
    root = root + "/train" if os.path.isdir(root + "/train") else root
    dtype = torch.float64 if a.init else torch.float32

    def tensors(part):
        paths = args["split"][part]
        x = torch.from_numpy(read([os.path.join(root, p) for p in paths], size, resize))
        return x, torch.tensor([args["classes"].index(p.split("/")[0]) for p in paths])

    start = time.perf_counter()
    x, y = tensors("train")
    net = Net(size, drop=not a.init).to(dtype).to(memory_format=torch.channels_last)
    optimizer = KerasAdam(net.parameters()) if a.adam == "keras" else torch.optim.Adam(net.parameters(), 1e-3, eps=1e-7)

    def batch(pick):
        return x[pick].permute(0, 3, 1, 2).to(dtype).div_(255).contiguous(memory_format=torch.channels_last), y[pick]

    if a.init:
        load(net, a.init)
        net.train()
        losses, at = [], 0
        for _ in range(a.steps):
            pick = torch.arange(at, min(at + a.batch, len(y)))
            at = 0 if at + a.batch >= len(y) else at + a.batch
            loss = F.cross_entropy(net(batch(pick)[0]), y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(json.dumps({"losses": losses}))
        return

    xv, yv = tensors("val")
    run = torch.compile(net) if a.compile else net
    history, step_ms = [], []
    for epoch in range(a.epochs):
        net.train()
        order, total, right = torch.from_numpy(rng.permutation(len(y))), 0.0, 0
        for at in range(0, len(y), a.batch):
            t0 = time.perf_counter()
            pick = order[at : at + a.batch]
            xb, yb = batch(pick)
            xb = augment(xb, rng).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=a.bf16):
                logits = run(xb)
            loss = F.cross_entropy(logits.float(), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(pick)
            right += (logits.argmax(1) == yb).sum().item()
            step_ms.append((time.perf_counter() - t0) * 1e3)
        net.eval()
        with torch.no_grad():
            logits = torch.cat([net(xv[i : i + 32].permute(0, 3, 1, 2).to(dtype) / 255) for i in range(0, len(yv), 32)])
        history.append({"loss": total / len(y), "accuracy": right / len(y),
                        "val_loss": F.cross_entropy(logits, yv).item(),
                        "val_accuracy": (logits.argmax(1) == yv).double().mean().item()})
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "seed": a.seed,
                      "wall_s": time.perf_counter() - start, "median_step_ms": float(np.median(step_ms)),
                      "history": history}))


main()
