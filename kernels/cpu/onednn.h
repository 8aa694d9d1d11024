// oneDNN's convolutions behind our engine interface. Null without the library, and where it has no optimised
// kernel for the shape and type on this processor (its reference kernels are refused).
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/conv_engine.h"

namespace roentgen::kernels {

// Whether oneDNN is here and has instructions for bfloat16 to use. It can also emulate them, slower than
// float.
bool onednn_has_bfloat16();

// rows: the usual height of a band, for which the choice is made.
template <class E>
std::unique_ptr<ForwardEngine<E>> onednn_forward(const Correlation& shape, std::int64_t rows);
template <class E>
std::unique_ptr<GradientEngine<E>> onednn_gradient(const Correlation& shape, std::int64_t rows);

}  // namespace roentgen::kernels
