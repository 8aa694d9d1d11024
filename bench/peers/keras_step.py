#!/usr/bin/env python3
"""The recipe as its notebook has it: Keras with ImageDataGenerator, on TensorFlow and the processor.

Times steps or epochs on random bytes, or with --run the whole recipe on the images and the split of a Roentgen run
(RUN/args.json). Prints one JSON object: {"version", "threads", "seconds": [one per step, epoch or recipe]}.
Needs tensorflow, scipy and, for --run, pillow.

Examples: keras_step.py --repetitions 10
          keras_step.py --measure recipe --run runs/real --epochs 20
"""
import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import keras
from keras.src.legacy.preprocessing.image import ImageDataGenerator

SIZE, IMAGES = 256, 251


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--measure", choices=["step", "epoch", "recipe"], default="step")
    p.add_argument("--run", help="folder of a Roentgen run, for recipe")
    p.add_argument("--epochs", type=int, default=20, help="of the recipe")
    p.add_argument("--threads", type=int, default=0, help="0: TensorFlow's choice")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--warmup", type=int, default=3, help="steps before the first that is timed")
    p.add_argument("--repetitions", type=int, default=10)
    return p.parse_args()


def network():
    layers = keras.layers
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
    for filters, rate in ((32, 0.23), (64, 0.25), (128, 0.25)):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(rate))
    for layer in (layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dropout(0.4),
                  layers.Dense(3, activation="softmax")):
        model.add(layer)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def generator():
    return ImageDataGenerator(rescale=1 / 255, rotation_range=20, width_shift_range=0.1, height_shift_range=0.1,
                              shear_range=0.2, zoom_range=0.2, horizontal_flip=True, fill_mode="nearest")


class StepTimes(keras.callbacks.Callback):
    """From the end of one step to the end of the next: the time a step takes with the wait for its data."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


def recipe(a):
    from PIL import Image
    with open(os.path.join(a.run, "args.json")) as file:
        args = json.load(file)
    root = args["arguments"]["data"]
    root = os.path.join(root, "train") if os.path.isdir(os.path.join(root, "train")) else root

    def flow_of(part, images, **options):
        names = args["split"][part]
        x = np.stack([np.asarray(Image.open(os.path.join(root, name)).convert("RGB").resize((SIZE, SIZE), Image.NEAREST))
                      for name in names])
        y = keras.utils.to_categorical([args["classes"].index(name.split("/")[0]) for name in names], 3)
        return images.flow(x, y, a.batch, **options)

    held_out = flow_of("val", ImageDataGenerator(rescale=1 / 255), shuffle=False) if args["split"]["val"] else None
    network().fit(flow_of("train", generator()), epochs=a.epochs, validation_data=held_out, verbose=0)


def steps(a, flow):
    times, model = StepTimes(), network()
    model.fit(flow, epochs=-(-(a.warmup + a.repetitions) // len(flow)), callbacks=[times], verbose=0)
    whole = [after - before for i, (before, after) in enumerate(zip(times.ends, times.ends[1:]), 1)
             if i % len(flow) not in (0, len(flow) - 1)]  # not the smaller last batch, nor what an epoch's start costs
    return whole[a.warmup - 1 :][: a.repetitions]


def epochs(a, flow):
    model, seconds = network(), []
    for _ in range(a.repetitions + 1):
        begin = time.perf_counter()
        model.fit(flow, epochs=1, verbose=0)
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]  # the first one traces the graph


def main():
    a = parse()
    if a.threads:
        tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    keras.utils.set_random_seed(0)
    if a.measure == "recipe":
        begin = time.perf_counter()
        recipe(a)
        seconds = [time.perf_counter() - begin]
    else:
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
        y = keras.utils.to_categorical(rng.integers(0, 3, IMAGES), 3)
        flow = generator().flow(x, y, a.batch)
        seconds = steps(a, flow) if a.measure == "step" else epochs(a, flow)
    print(json.dumps({"version": f"{keras.__version__} on TensorFlow {tf.__version__}",
                      "threads": tf.config.threading.get_intra_op_parallelism_threads(), "seconds": seconds}))


main()
