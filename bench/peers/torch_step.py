#!/usr/bin/env python3
"""A training step or epoch of the recipe in PyTorch on the processor, as fast as PyTorch runs it.

256x256x3 bytes in memory -> augmentation (rotation, shift, shear, zoom, flip; bilinear) -> three blocks of
convolution, ReLU, pooling and dropout -> dense 64 -> dense 3 -> cross-entropy -> backward -> Adam. All of it is in
the time, as in `roentgen_bench`. Prints one JSON object: {"version", "threads", "seconds": [one per step or epoch]}.

Examples: torch_step.py --precision bfloat16 --compile
          torch_step.py --measure epoch --repetitions 2
"""
import argparse
import json
import math
import time

import torch
import torch.nn.functional as F

SIZE, IMAGES = 256, 251


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--measure", choices=["step", "epoch"], default="step")
    p.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    p.add_argument("--layout", choices=["channels_last", "contiguous"], default="channels_last")
    p.add_argument("--compile", action="store_true", help="torch.compile the network and its loss")
    p.add_argument("--threads", type=int, default=0, help="0: PyTorch's choice")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--warmup", type=int, default=3, help="steps before the first that is timed")
    p.add_argument("--repetitions", type=int, default=10)
    return p.parse_args()


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        channels, side = [3, 32, 64, 128], SIZE
        self.convs = torch.nn.ModuleList(torch.nn.Conv2d(c, k, 3) for c, k in zip(channels, channels[1:]))
        for _ in self.convs:
            side = (side - 2) // 2
        self.dense1, self.dense2 = torch.nn.Linear(channels[-1] * side * side, 64), torch.nn.Linear(64, 3)

    def forward(self, x):
        for conv, rate in zip(self.convs, (0.23, 0.25, 0.25)):
            x = F.dropout(F.max_pool2d(F.relu(conv(x)), 2), rate)
        x = x.permute(0, 2, 3, 1).flatten(1)  # a view where the layout is channels_last
        return self.dense2(F.dropout(F.relu(self.dense1(x)), 0.4))


def random_maps(n):
    """Output to input in affine_grid's coordinates: rotation, shift, shear, zoom as Keras draws them, and a flip."""
    theta, shear, row, column, zoom_r, zoom_c, flip = torch.rand(7, n) * 2 - 1
    theta, shear = theta * math.radians(20), shear * math.radians(0.2)
    zoom_r, zoom_c = 1 + 0.2 * zoom_r, (1 + 0.2 * zoom_c) * torch.where(flip < 0, -1.0, 1.0)
    cos, sin = theta.cos(), theta.sin()
    x = [(theta + shear).cos() * zoom_c, sin * zoom_r, 0.2 * (sin * row + cos * column)]
    y = [-(theta + shear).sin() * zoom_c, cos * zoom_r, 0.2 * (cos * row - sin * column)]
    return torch.stack(x + y, 1).view(n, 2, 3)


def main():
    a = parse()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    layout = torch.channels_last if a.layout == "channels_last" else torch.contiguous_format
    images, labels = torch.randint(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=torch.uint8), torch.randint(0, 3, (IMAGES,))
    network = Network().to(memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def loss_of(x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bfloat16"):
            logits = network(x)
        return F.cross_entropy(logits.float(), y)

    loss = torch.compile(loss_of) if a.compile else loss_of

    def step(pick):
        x = images[pick].permute(0, 3, 1, 2).float().div_(255)
        grid = F.affine_grid(random_maps(len(pick)), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="border", align_corners=False).contiguous(memory_format=layout)
        optimizer.zero_grad()
        value = loss(x, labels[pick])
        value.backward()
        optimizer.step()
        return value.item()

    def epoch():
        for pick in torch.randperm(IMAGES).split(a.batch):
            step(pick)

    def whole_batch():
        step(torch.randperm(IMAGES)[: a.batch])

    for _ in range(a.warmup):
        whole_batch()
    if a.measure == "epoch":
        step(torch.arange(IMAGES % a.batch))  # the last batch's size, which torch.compile has to see too
    seconds = []
    for _ in range(a.repetitions):
        begin = time.perf_counter()
        epoch() if a.measure == "epoch" else whole_batch()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads(), "seconds": seconds}))


main()
