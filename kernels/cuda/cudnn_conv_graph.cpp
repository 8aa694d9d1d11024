#include "kernels/cuda/cudnn_conv_graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace roentgen::kernels::cudnn {

std::string key(const ConvProblem& p) {
  static constexpr const char* kinds[] = {"forward",
                                          "forward+bias",
                                          "forward+bias+relu",
                                          "backward_data",
                                          "backward_data+relu",
                                          "backward_weights",
                                          "backward_weights_rounded"};
  static constexpr const char* precisions[] = {"float32", "tf32", "bfloat16"};
  const Conv2dShape& s = p.shape;
  return fmt::format("conv2d {} n{} h{} w{} c{} k{} r{} s{} stride {}x{} pad {}x{} dilation {}x{} {}{}",
                     kinds[static_cast<int>(p.kind)], s.n, s.h, s.w, s.c, s.k, s.r, s.s, s.stride_h,
                     s.stride_w, s.pad_h, s.pad_w, s.dilation_h, s.dilation_w,
                     precisions[static_cast<int>(p.precision)], p.deterministic ? " deterministic" : "");
}

bool make_graph(const ConvProblem& p, const Target& target, Graph& graph) {
  const Conv2dShape& s = p.shape;
  const Window window{{s.pad_h, s.pad_w}, {s.stride_h, s.stride_w}, {s.dilation_h, s.dilation_w}};
  const bool low = p.precision == Precision::bfloat16;
  const cudnnDataType_t type = low ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  const Tensor x{'x', {s.n, s.c, s.h, s.w}, type}, w{'w', {s.k, s.c, s.r, s.s}, type},
      y{'y', {s.n, s.k, s.out_h(), s.out_w()}, type}, b{'b', {1, s.k, 1, 1}, CUDNN_DATA_FLOAT};
  // Sums stay in float until they leave the graph.
  const auto inner = [](const Tensor& t, char id) { return Tensor{id, t.extents, CUDNN_DATA_FLOAT, true}; };
  switch (p.kind) {
    case ConvKind::forward:
      graph.convolution(Pass::forward, window, x, w, y);
      break;
    case ConvKind::forward_bias:
      graph.convolution(Pass::forward, window, x, w, inner(y, 't'))
          .pointwise(CUDNN_POINTWISE_ADD, inner(y, 't'), b, y);
      break;
    case ConvKind::forward_bias_relu:
      graph.convolution(Pass::forward, window, x, w, inner(y, 't'))
          .pointwise(CUDNN_POINTWISE_ADD, inner(y, 't'), b, inner(y, 'u'))
          .pointwise(CUDNN_POINTWISE_RELU_FWD, inner(y, 'u'), y);
      break;
    case ConvKind::backward_data:
      graph.convolution(Pass::backward_data, window, x, w, y);
      break;
    case ConvKind::backward_data_relu:
      graph.convolution(Pass::backward_data, window, inner(x, 't'), w, y)
          .pointwise_backward(CUDNN_POINTWISE_RELU_BWD, {'r', x.extents, type}, inner(x, 't'), x);
      break;
    case ConvKind::backward_weights: {
      const Tensor dw{'w', w.extents, CUDNN_DATA_FLOAT};
      if (low)  // no engine writes float from bfloat16; an identity fused to it at run time does
        graph.convolution(Pass::backward_weights, window, x, inner(w, 't'), y)
            .pointwise(CUDNN_POINTWISE_IDENTITY, inner(w, 't'), dw);
      else
        graph.convolution(Pass::backward_weights, window, x, dw, y);
      break;
    }
    case ConvKind::backward_weights_rounded:
      graph.convolution(Pass::backward_weights, window, x, w, y);
      break;
  }
  return graph.finish(target);
}

bool is_allowed(const ConvProblem& p, const Notes& notes) {
  // The ALGO_0 and ALGO_3 kinds of backward passes, which add with atomics.
  if (p.deterministic && notes.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
  if (notes.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return false;
  if (p.precision == Precision::bfloat16) return true;
  if (notes.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return false;  // float16 inside
  if (p.precision == Precision::tf32) return true;
  // Transformed convolutions are off by more than the order of additions explains.
  for (const auto note : {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_FFT,
                          CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
                          CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13})
    if (notes.has(note)) return false;
  return true;
}

std::vector<Configuration> allowed_configurations(const ConvProblem& problem, const Graph& graph) {
  std::vector<Configuration> found = configurations(graph);
  found.erase(std::remove_if(found.begin(), found.end(),
                             [&](const Configuration& c) { return !is_allowed(problem, c.notes); }),
              found.end());
  return found;
}

}  // namespace roentgen::kernels::cudnn
