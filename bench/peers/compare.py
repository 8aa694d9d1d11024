#!/usr/bin/env python3
"""Roentgen beside PyTorch and Keras: the same work, the same threads, taking turns in one go.

Runs each contestant once per round, so that a slow minute of the machine hits all of them, and prints a table
(Markdown) of medians, their range over the rounds, and ratios. What is timed:
  step    batch of 16: pick, augmentation, forward, loss, backward, Adam
  epoch   251 images, the last batch of 11
  recipe  the whole training of --epochs epochs with validation, from files to the end; start-up included

Needs a built roentgen and roentgen_bench (--build), and torch in the Python that --torch-python names; Keras takes
part where --keras-python names one with tensorflow and scipy.

Examples: compare.py
          compare.py --measure step epoch --rounds 7 --keras-python ~/tf/bin/python --output bench/results/FILE.md
"""
import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
UNITS = {"step": ("ms", 1e3), "epoch": ("s", 1), "recipe": ("s", 1)}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--measure", nargs="+", choices=list(UNITS), default=["step"])
    p.add_argument("--build", type=Path, default=HERE.parent.parent / "build", help="folder of roentgen_bench")
    p.add_argument("--torch-python", default=sys.executable, help="a Python that imports torch")
    p.add_argument("--keras-python", help="a Python that imports tensorflow and scipy")
    p.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--repetitions", type=int, default=10, help="steps per round; epochs are one per round")
    p.add_argument("--epochs", type=int, default=20, help="of the recipe")
    p.add_argument("--output", type=Path, help="write the table here too, with date, machine and command")
    return p.parse_args()


class Failed(Exception):
    pass


def run(command, threads):
    """What the command prints; it runs on the threads that all contestants get."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Failed(lines[-1])
    return done.stdout


class Ours:
    def __init__(self, a, precision):
        self.a, self.precision, self.name = a, precision, f"Roentgen {precision}"

    def seconds(self, measure, folder):
        return recipe_of_ours(self.a, self.precision, folder) if measure == "recipe" else self.bench(measure)

    def bench(self, measure):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.json"
            run([self.a.build / "roentgen_bench", f"--benchmark_filter=^{measure}/cpu/{self.precision}",
                 f"--benchmark_repetitions={repetitions(self.a, measure)}", "--benchmark_min_time=0.001",
                 f"--threads={self.a.threads}", f"--benchmark_out={out}"], self.a.threads)
            rows = json.loads(out.read_text())["benchmarks"]
        return [row["real_time"] * {"ms": 1e-3, "s": 1}[row["time_unit"]] for row in rows]


class Torch:
    def __init__(self, a, precision, compiled):
        self.a, self.precision, self.compiled = a, precision, compiled
        self.name = f"PyTorch {precision}" + (", torch.compile" if compiled else ", channels_last")

    def seconds(self, measure, folder):
        command = [self.a.torch_python, HERE / ("torch_recipe.py" if measure == "recipe" else "torch_step.py"),
                   "--threads", self.a.threads] + ["--compile"] * self.compiled
        if measure == "recipe":
            command += ["--run", folder / "run", "--epochs", self.a.epochs] + ["--bf16"] * (self.precision == "bfloat16")
            begin = time.perf_counter()
            run(command, self.a.threads)
            return [time.perf_counter() - begin]
        command += ["--measure", measure, "--precision", self.precision, "--repetitions", repetitions(self.a, measure)]
        result = json.loads(run(command, self.a.threads).splitlines()[-1])
        self.name = self.name.replace("PyTorch ", f"PyTorch {result['version']} ", result["version"] not in self.name)
        return result["seconds"]


class Keras:
    def __init__(self, a):
        self.a, self.name = a, "Keras float32, ImageDataGenerator"

    def seconds(self, measure, folder):
        command = [self.a.keras_python, HERE / "keras_step.py", "--measure", measure, "--threads", self.a.threads,
                   "--repetitions", repetitions(self.a, measure)]
        if measure == "recipe":
            command += ["--run", folder / "run", "--epochs", self.a.epochs]
        begin = time.perf_counter()
        result = json.loads(run(command, self.a.threads).splitlines()[-1])
        wall = time.perf_counter() - begin
        self.name = self.name.replace("Keras ", f"Keras {result['version']} ", result["version"] not in self.name)
        return [wall] if measure == "recipe" else result["seconds"]


def repetitions(a, measure):
    return a.repetitions if measure == "step" else 1


def recipe_of_ours(a, precision, folder):
    begin = time.perf_counter()
    run([a.build / "roentgen", "train", "--data", folder / "xrays", "--output", folder / "run", "--exist-ok",
         "--epochs", a.epochs, "--precision", precision, "--device", "cpu", "--threads", a.threads,
         "--resize", "nearest", "--quiet"], a.threads)
    return [time.perf_counter() - begin]


def prepare_recipe(a, folder):
    """Phantoms as many as the recipe has images, and a run whose split the peers train on."""
    run([a.build / "roentgen", "phantom", "--output", folder / "xrays", "--train-per-class", 84,
         "--test-per-class", 22, "--size", 640, "--quiet"], a.threads)
    recipe_of_ours(argparse.Namespace(**{**vars(a), "epochs": 1}), "float32", folder)


def contest(a, contestants, measure, folder):
    """The median of each contestant in each round; contestants that fail drop out with their reason."""
    medians, failures = {c: [] for c in contestants}, {}
    for number in range(a.rounds):
        for contestant in contestants:
            if contestant in failures:
                continue
            try:
                medians[contestant].append(statistics.median(contestant.seconds(measure, folder)))
            except (Failed, OSError) as error:
                failures[contestant] = str(error)
                print(f"{contestant.name}: {error}", file=sys.stderr)
            else:
                print(f"{measure}, round {number + 1}/{a.rounds}: {contestant.name} "
                      f"{medians[contestant][-1]:.3g} s", file=sys.stderr)
    return medians, failures


def table(measure, medians, failures):
    unit, scale = UNITS[measure]
    ours = {c.precision: statistics.median(t) for c, t in medians.items() if isinstance(c, Ours) and c not in failures}
    lines = [f"| {measure} | {unit}, median | range of rounds | " +
             " | ".join(f"times Roentgen {precision}" for precision in ours) + " |", "|---" * (3 + len(ours)) + "|"]
    for contestant, times in medians.items():
        if contestant in failures:
            lines.append(f"| {contestant.name} | failed: {failures[contestant][:80]} | |" + " |" * len(ours))
            continue
        middle = statistics.median(times)
        ratios = " | ".join(f"{middle / t:.2f}" for t in ours.values())
        lines.append(f"| {contestant.name} | {middle * scale:.4g} | {min(times) * scale:.4g} - {max(times) * scale:.4g}"
                     f" | {ratios} |")
    return "\n".join(lines) + "\n"


def machine():
    try:
        info = Path("/proc/cpuinfo").read_text()
        names = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor()}, {len(os.sched_getaffinity(0))} processors"


def main():
    a = parse()
    for program in ("roentgen", "roentgen_bench"):
        if not (a.build / program).exists():
            sys.exit(f"compare.py: {a.build / program} is missing; build it, or name its folder with --build")
    contestants = [Ours(a, "float32"), Ours(a, "bfloat16")]
    contestants += [Torch(a, precision, compiled) for compiled in ([False] if a.no_compile else [False, True])
                    for precision in ("float32", "bfloat16")]
    if a.keras_python:
        contestants.append(Keras(a))
    tables = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for measure in a.measure:
            if measure == "recipe":
                prepare_recipe(a, folder)
            tables.append(table(measure, *contest(a, contestants, measure, folder)))
    words = [Path(word).name if word.startswith("/") else word for word in sys.argv[1:]]
    report = (f"{datetime.date.today()}, {machine()}, {a.threads} threads, load at the end {os.getloadavg()[0]:.2f}, "
              f"medians of {a.rounds} interleaved rounds.\n\n`{shlex.join(['compare.py', *words])}`\n\n" +
              "\n".join(tables))
    print(report, end="")
    if a.output:
        a.output.parent.mkdir(parents=True, exist_ok=True)
        a.output.write_text(report)


main()
