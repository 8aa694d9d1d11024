// Convolutions as cuDNN graphs: what there is to compute, which engines may compute it, and under which name
// the choice is remembered. Needs no GPU.
#pragma once

#include <string>

#include "kernels/conv2d.h"
#include "kernels/cuda/cudnn_graph.h"

namespace roentgen::kernels::cudnn {

// Tensors by letter: x [n,h,w,c], w [k,r,s,c], b [k] float, y [n,out_h,out_w,k], r the output of a ReLU that
// has x's shape. The backward passes take y's gradient as y and write x's or w's as x or w.
enum class ConvKind {
  forward,                  // y = x * w
  forward_bias,             // y = x * w + b
  forward_bias_relu,        // y = max(x * w + b, 0)
  backward_data,            // x = gradient
  backward_data_relu,       // x = gradient where r > 0, else 0
  backward_weights,         // w = gradient, in float whatever the others are
  backward_weights_rounded  // w = gradient, in the type of the others
};

enum class Precision {
  float32,  // products of float, as the reference defines them
  tf32,     // of float rounded to 10 bits of mantissa, on tensor cores
  bfloat16  // bfloat16 in memory, sums in float
};

struct ConvProblem {
  ConvKind kind = ConvKind::forward;
  Conv2dShape shape;
  Precision precision = Precision::float32;
  bool deterministic = false;

  bool operator==(const ConvProblem&) const = default;
};

// Names the problem within one device and one cuDNN.
std::string key(const ConvProblem& problem);

// False where cuDNN knows no such pattern. `graph` must be new.
bool make_graph(const ConvProblem& problem, const Target& target, Graph& graph);

// Whether an engine with these notes computes what the problem asks for.
bool is_allowed(const ConvProblem& problem, const Notes& notes);

// The allowed configurations in the heuristics' order. Empty where cuDNN has none.
std::vector<Configuration> allowed_configurations(const ConvProblem& problem, const Graph& graph);

}  // namespace roentgen::kernels::cudnn
