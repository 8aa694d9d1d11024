// Vectorised over channels. Backward gathers: each input pixel asks the windows that hold it, so that no two
// tasks write the same place and dx is written once.
#include "kernels/pool.h"

#include <algorithm>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t channels_max = 128;  // sums a loop holds on its stack

using Positions = std::vector<std::int64_t>;

// One axis of the pooling.
struct Axis {
  std::int64_t in, out, kernel, stride, pad, dilation;

  // Input positions of output o's window that lie inside.
  void inputs_of(std::int64_t o, Positions& found) const {
    found.clear();
    for (std::int64_t tap = 0; tap < kernel; ++tap) {
      const std::int64_t i = o * stride - pad + tap * dilation;
      if (i >= 0 && i < in) found.push_back(i);
    }
  }

  // Outputs whose windows hold input i.
  void outputs_of(std::int64_t i, Positions& found) const {
    found.clear();
    for (std::int64_t tap = 0; tap < kernel; ++tap) {
      const std::int64_t start = i + pad - tap * dilation;
      if (start >= 0 && start % stride == 0 && start / stride < out) found.push_back(start / stride);
    }
  }
};

Axis rows(const Pool2dShape& s) {
  return {s.h, s.out_h(), s.kernel_h, s.stride_h, s.pad_h, s.dilation_h};
}
Axis columns(const Pool2dShape& s) {
  return {s.w, s.out_w(), s.kernel_w, s.stride_w, s.pad_w, s.dilation_w};
}

// Calls f(image, rows, out, columns) for each output pixel: number `out` of the batch, over those rows and
// columns of the image; a task is a row of one image.
template <class F>
void for_each_output(const Pool2dShape& shape, F f) {
  const Axis vertical = rows(shape), horizontal = columns(shape);
  parallel_for(shape.n * std::max<std::int64_t>(vertical.out, 0), [&](std::int64_t task) {
    Positions down, across;
    vertical.inputs_of(task % vertical.out, down);
    for (std::int64_t ox = 0; ox < horizontal.out; ++ox) {
      horizontal.inputs_of(ox, across);
      f(task / vertical.out, down, task * horizontal.out + ox, across);
    }
  });
}

// Calls f(iy, ix, pixel, windows) for each input pixel, `windows` being the output pixels that hold it,
// counted over the whole batch; a task is a row of one image.
template <class F>
void for_each_input(const Pool2dShape& shape, F f) {
  const Axis vertical = rows(shape), horizontal = columns(shape);
  parallel_for(shape.n * shape.h, [&](std::int64_t task) {
    const std::int64_t image = task / shape.h, iy = task % shape.h;
    Positions down, across, windows;
    vertical.outputs_of(iy, down);
    for (std::int64_t ix = 0; ix < shape.w; ++ix) {
      horizontal.outputs_of(ix, across);
      windows.clear();
      for (const std::int64_t r : down)
        for (const std::int64_t s : across)
          windows.push_back((image * vertical.out + r) * horizontal.out + s);
      f(iy, ix, task * shape.w + ix, windows);
    }
  });
}

// dx of one pixel = sum over `windows` of term(window, channel), in blocks of channels.
template <class T, class F>
void gather(T* dx, std::int64_t c, const Positions& windows, F term) {
  for (std::int64_t begin = 0; begin < c; begin += channels_max) {
    const std::int64_t n = std::min(channels_max, c - begin);
    float sums[channels_max];
    std::fill(sums, sums + n, 0.0f);
    for (const std::int64_t window : windows)
      for (std::int64_t i = 0; i < n; ++i) sums[i] += term(window, begin + i);
    for (std::int64_t i = 0; i < n; ++i) dx[begin + i] = static_cast<T>(sums[i]);
  }
}

// Takes v where it is greater, or the first NaN.
template <class T>
void take_larger(const T* __restrict x, std::int32_t pixel, T* __restrict y, std::int32_t* __restrict argmax,
                 std::int64_t c) {
  for (std::int64_t i = 0; i < c; ++i) {
    const float v = static_cast<float>(x[i]), best = static_cast<float>(y[i]);
    const bool take = !(v <= best) && best == best;
    y[i] = take ? x[i] : y[i];
    argmax[i] = take ? pixel : argmax[i];
  }
}

}  // namespace

template <class T>
void max_pool_forward(Cpu, const Pool2dShape& shape, const T* x, T* y, std::int32_t* argmax) {
  const std::int64_t c = shape.c;
  for_each_output(shape,
                  [=](std::int64_t image, const Positions& down, std::int64_t out, const Positions& across) {
                    T* best = y + out * c;
                    std::int32_t* where = argmax + out * c;
                    bool first = true;
                    for (const std::int64_t r : down)
                      for (const std::int64_t s : across) {
                        const std::int64_t pixel = r * shape.w + s;
                        const T* from = x + (image * shape.h * shape.w + pixel) * c;
                        if (first) {
                          std::copy(from, from + c, best);
                          std::fill(where, where + c, static_cast<std::int32_t>(pixel));
                        } else {
                          take_larger(from, static_cast<std::int32_t>(pixel), best, where, c);
                        }
                        first = false;
                      }
                    if (first) {
                      std::fill(best, best + c, T{});
                      std::fill(where, where + c, -1);
                    }
                  });
}

template <class T>
void max_pool_backward(Cpu, const Pool2dShape& shape, const T* dy, const std::int32_t* argmax, T* dx) {
  const std::int64_t c = shape.c;
  for_each_input(shape, [=](std::int64_t iy, std::int64_t ix, std::int64_t pixel, const Positions& windows) {
    const auto here = static_cast<std::int32_t>(iy * shape.w + ix);
    gather(dx + pixel * c, c, windows, [=](std::int64_t window, std::int64_t i) {
      return argmax[window * c + i] == here ? static_cast<float>(dy[window * c + i]) : 0.0f;
    });
  });
}

template <class T>
void avg_pool_forward(Cpu, const Pool2dShape& shape, const T* x, T* y) {
  const std::int64_t c = shape.c;
  for_each_output(shape,
                  [=](std::int64_t image, const Positions& down, std::int64_t out, const Positions& across) {
                    const double count = static_cast<double>(down.size() * across.size());
                    for (std::int64_t begin = 0; begin < c; begin += channels_max) {
                      const std::int64_t n = std::min(channels_max, c - begin);
                      double sums[channels_max];  // global average pooling sums whole images
                      std::fill(sums, sums + n, 0.0);
                      for (const std::int64_t r : down)
                        for (const std::int64_t s : across) {
                          const T* from = x + ((image * shape.h + r) * shape.w + s) * c + begin;
                          for (std::int64_t i = 0; i < n; ++i) sums[i] += static_cast<double>(from[i]);
                        }
                      for (std::int64_t i = 0; i < n; ++i)
                        y[out * c + begin + i] = static_cast<T>(count > 0 ? sums[i] / count : 0.0);
                    }
                  });
}

template <class T>
void avg_pool_backward(Cpu, const Pool2dShape& shape, const T* dy, T* dx) {
  const std::int64_t c = shape.c;
  const Axis vertical = rows(shape), horizontal = columns(shape);
  // 1 / the size of each output's window; the empty ones are never asked.
  std::vector<float> shares;
  Positions down, across;
  for (std::int64_t oy = 0; oy < vertical.out; ++oy)
    for (std::int64_t ox = 0; ox < horizontal.out; ++ox) {
      vertical.inputs_of(oy, down);
      horizontal.inputs_of(ox, across);
      shares.push_back(1.0f / static_cast<float>(down.size() * across.size()));
    }
  const std::int64_t outputs = static_cast<std::int64_t>(shares.size());
  for_each_input(shape, [&](std::int64_t, std::int64_t, std::int64_t pixel, const Positions& windows) {
    gather(dx + pixel * c, c, windows, [=, share = shares.data()](std::int64_t window, std::int64_t i) {
      return static_cast<float>(dy[window * c + i]) * share[window % outputs];
    });
  });
}

#define ROENTGEN_INSTANTIATE(T)                                                                \
  template void max_pool_forward(Cpu, const Pool2dShape&, const T*, T*, std::int32_t*);        \
  template void max_pool_backward(Cpu, const Pool2dShape&, const T*, const std::int32_t*, T*); \
  template void avg_pool_forward(Cpu, const Pool2dShape&, const T*, T*);                       \
  template void avg_pool_backward(Cpu, const Pool2dShape&, const T*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
