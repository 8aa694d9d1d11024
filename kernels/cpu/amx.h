// Convolution in bfloat16 on Intel's matrix extension (AMX), written by hand because oneDNN's reaches a
// fraction of its speed here. Decided at run time, whatever the program was compiled for.
#pragma once

#include <memory>

#include "kernels/cpu/conv_engine.h"

namespace roentgen::kernels {

// Whether processor and operating system let this process use AMX.
bool has_amx();

// Null without AMX and for shapes it does not serve: rows of less than 16 outputs, or a horizontal stride in
// the gradient.
std::unique_ptr<ForwardEngine<bfloat16>> amx_forward(const Correlation& shape);
std::unique_ptr<GradientEngine<bfloat16>> amx_gradient(const Correlation& shape);

}  // namespace roentgen::kernels
