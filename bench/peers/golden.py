#!/usr/bin/env python3
"""Golden values of a small network of the recipe's shape, made by PyTorch in float64.

Writes FOLDER/network.safetensors: a batch, initial weights, logits, loss, every gradient, and the losses of ten
Adam steps with the weights after them, once as Keras has Adam and once as torch.optim has it; in Roentgen's layout
(filters K,R,S,C; dense [out, in] over H,W,C). FOLDER/pytorch_layout.safetensors: the initial weights as PyTorch
keeps them. Needs torch and safetensors.

Usage: golden.py FOLDER
"""
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)
SIZE, FILTERS, DENSE, CLASSES, BATCH = 38, (4, 6, 8), 10, 3, 5
NAMES = ["conv1", "conv2", "conv3", "dense1", "dense2"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, FILTERS[0], 3)
        self.conv2 = torch.nn.Conv2d(FILTERS[0], FILTERS[1], 3)
        self.conv3 = torch.nn.Conv2d(FILTERS[1], FILTERS[2], 3)
        side = SIZE
        for _ in FILTERS:
            side = (side - 2) // 2
        self.side = side
        self.dense1 = torch.nn.Linear(FILTERS[2] * side * side, DENSE)
        self.dense2 = torch.nn.Linear(DENSE, CLASSES)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return self.dense2(F.relu(self.dense1(x.flatten(1))))


def ours(name, t, side):
    if name.startswith("conv") and name.endswith("weight"):
        return t.permute(0, 2, 3, 1).contiguous()
    if name == "dense1.weight":
        return t.reshape(-1, FILTERS[2], side, side).permute(0, 2, 3, 1).reshape(t.shape).contiguous()
    return t.clone().contiguous()


def export(prefix, net, pick, out):
    for name, p in net.named_parameters():
        out[prefix + name] = ours(name, pick(p).detach(), net.side)


def keras_adam_steps(net, x, y, steps, lr=1e-3, b1=0.9, b2=0.999, eps=1e-7):
    m = [torch.zeros_like(p) for p in net.parameters()]
    v = [torch.zeros_like(p) for p in net.parameters()]
    losses = []
    for t in range(1, steps + 1):
        loss = F.cross_entropy(net(x), y)
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, list(net.parameters()))
        alpha = lr * (1 - b2**t) ** 0.5 / (1 - b1**t)
        with torch.no_grad():
            for p, g, mi, vi in zip(net.parameters(), grads, m, v):
                mi.mul_(b1).add_(g, alpha=1 - b1)
                vi.mul_(b2).addcmul_(g, g, value=1 - b2)
                p.sub_(alpha * mi / (vi.sqrt() + eps))
    return losses


def main():
    folder = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    net = Net()
    start = {k: v.clone() for k, v in net.state_dict().items()}
    images = torch.randint(0, 256, (BATCH, SIZE, SIZE, 3), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 1, 0])
    x = images.permute(0, 3, 1, 2).double() / 255
    out = {"images": images, "labels": labels.int()}
    export("init.", net, lambda p: p, out)
    logits = net(x)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    out["logits"], out["loss"] = logits.detach(), loss.detach().reshape(1)
    export("grad.", net, lambda p: p.grad, out)
    out["keras.losses"] = torch.tensor(keras_adam_steps(net, x, labels, 10))
    export("keras.", net, lambda p: p, out)
    net.load_state_dict(start)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), labels)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    out["torch.losses"] = torch.tensor(losses)
    export("torch.", net, lambda p: p, out)
    save_file(out, folder + "/network.safetensors")
    save_file({k: v.contiguous() for k, v in start.items()}, folder + "/pytorch_layout.safetensors",
              metadata={"layout": "pytorch"})


main()
