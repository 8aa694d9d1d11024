// One thread for each output, channels side by side; backward gathers, so that no two threads write one
// place.
#include "kernels/pool.h"

#include "kernels/cuda/nest.h"

namespace roentgen::kernels {
namespace {

// Pool2dShape for kernels; `columns`, `rows` and `channels` take apart the number of an element of [n, p, q,
// c].
struct Window {
  int h, w, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  std::int64_t c;
  Divisor channels, columns, rows;

  Window(const Pool2dShape& s, std::int64_t p, std::int64_t q)
      : h(static_cast<int>(s.h)),
        w(static_cast<int>(s.w)),
        out_h(static_cast<int>(s.out_h())),
        out_w(static_cast<int>(s.out_w())),
        kernel_h(static_cast<int>(s.kernel_h)),
        kernel_w(static_cast<int>(s.kernel_w)),
        stride_h(static_cast<int>(s.stride_h)),
        stride_w(static_cast<int>(s.stride_w)),
        pad_h(static_cast<int>(s.pad_h)),
        pad_w(static_cast<int>(s.pad_w)),
        dilation_h(static_cast<int>(s.dilation_h)),
        dilation_w(static_cast<int>(s.dilation_w)),
        c(s.c),
        channels(s.c),
        columns(q),
        rows(p) {}

  struct Place {
    int y, x;
    std::int64_t image, channel;
  };
  __device__ Place place(std::uint32_t number) const {
    Place result;
    result.channel = channels.split(number);
    result.x = static_cast<int>(columns.split(number));
    result.y = static_cast<int>(rows.split(number));
    result.image = number;
    return result;
  }
  // Calls f(iy, ix) for the pixels of an output's window inside the image, row-major.
  template <class F>
  __device__ void for_each_pixel(int oy, int ox, F f) const {
    for (int r = 0; r < kernel_h; ++r)
      for (int s = 0; s < kernel_w; ++s) {
        const int iy = oy * stride_h - pad_h + r * dilation_h, ix = ox * stride_w - pad_w + s * dilation_w;
        if (iy >= 0 && iy < h && ix >= 0 && ix < w) f(iy, ix);
      }
  }
  // Calls f(oy, ox) for the outputs whose windows hold an input pixel.
  template <class F>
  __device__ void for_each_output(int iy, int ix, F f) const {
    for (int r = 0; r < kernel_h; ++r)
      for (int s = 0; s < kernel_w; ++s) {
        const int y = iy + pad_h - r * dilation_h, x = ix + pad_w - s * dilation_w;
        if (y < 0 || x < 0 || y % stride_h != 0 || x % stride_w != 0) continue;
        if (y / stride_h < out_h && x / stride_w < out_w) f(y / stride_h, x / stride_w);
      }
  }
  __device__ std::int64_t input(const Place& p, int iy, int ix) const {
    return ((p.image * h + iy) * w + ix) * c + p.channel;
  }
  __device__ std::int64_t output(const Place& p, int oy, int ox) const {
    return ((p.image * out_h + oy) * out_w + ox) * c + p.channel;
  }
};

template <class T>
__global__ void __launch_bounds__(block_threads)
    max_forward_kernel(Window window, std::uint32_t n, const T* x, T* y, std::int32_t* argmax) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto place = window.place(static_cast<std::uint32_t>(i));
    float best = 0;
    int where = -1;
    window.for_each_pixel(place.y, place.x, [&](int iy, int ix) {
      const float value = widen(x[window.input(place, iy, ix)]);
      if (where < 0 || value > best || (value != value && best == best)) {
        best = value;
        where = iy * window.w + ix;
      }
    });
    y[i] = narrow<T>(best);
    argmax[i] = where;
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    max_backward_kernel(Window window, std::uint32_t n, const T* dy, const std::int32_t* argmax, T* dx) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto place = window.place(static_cast<std::uint32_t>(i));
    float sum = 0;
    window.for_each_output(place.y, place.x, [&](int oy, int ox) {
      const std::int64_t out = window.output(place, oy, ox);
      if (argmax[out] == place.y * window.w + place.x) sum += widen(dy[out]);
    });
    dx[i] = narrow<T>(sum);
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    avg_forward_kernel(Window window, std::uint32_t n, const T* x, T* y) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto place = window.place(static_cast<std::uint32_t>(i));
    float sum = 0;
    int count = 0;
    window.for_each_pixel(place.y, place.x, [&](int iy, int ix) {
      sum += widen(x[window.input(place, iy, ix)]);
      ++count;
    });
    y[i] = narrow<T>(count > 0 ? sum / static_cast<float>(count) : 0.0f);
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    avg_backward_kernel(Window window, std::uint32_t n, const T* dy, T* dx) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto place = window.place(static_cast<std::uint32_t>(i));
    float sum = 0;
    window.for_each_output(place.y, place.x, [&](int oy, int ox) {
      int count = 0;
      window.for_each_pixel(oy, ox, [&](int, int) { ++count; });
      sum += widen(dy[window.output(place, oy, ox)]) / static_cast<float>(count);
    });
    dx[i] = narrow<T>(sum);
  }
}

// One thread for each element of y, or of x.
template <class... P, class... A>
void over_outputs(Cuda device, const Pool2dShape& s, void (*kernel)(Window, std::uint32_t, P...),
                  A... arguments) {
  const std::uint32_t n = checked_items("pool", s.n * s.out_h() * s.out_w() * s.c);
  if (n > 0)
    launch(device, kernel, blocks_for(n), block_threads, Window(s, s.out_h(), s.out_w()), n, arguments...);
}
template <class... P, class... A>
void over_inputs(Cuda device, const Pool2dShape& s, void (*kernel)(Window, std::uint32_t, P...),
                 A... arguments) {
  const std::uint32_t n = checked_items("pool", s.n * s.h * s.w * s.c);
  if (n > 0) launch(device, kernel, blocks_for(n), block_threads, Window(s, s.h, s.w), n, arguments...);
}

}  // namespace

template <class T>
void max_pool_forward(Cuda device, const Pool2dShape& shape, const T* x, T* y, std::int32_t* argmax) {
  over_outputs(device, shape, max_forward_kernel<T>, x, y, argmax);
}
template <class T>
void max_pool_backward(Cuda device, const Pool2dShape& shape, const T* dy, const std::int32_t* argmax,
                       T* dx) {
  over_inputs(device, shape, max_backward_kernel<T>, dy, argmax, dx);
}
template <class T>
void avg_pool_forward(Cuda device, const Pool2dShape& shape, const T* x, T* y) {
  over_outputs(device, shape, avg_forward_kernel<T>, x, y);
}
template <class T>
void avg_pool_backward(Cuda device, const Pool2dShape& shape, const T* dy, T* dx) {
  over_inputs(device, shape, avg_backward_kernel<T>, dy, dx);
}

#define ROENTGEN_INSTANTIATE(T)                                                                 \
  template void max_pool_forward(Cuda, const Pool2dShape&, const T*, T*, std::int32_t*);        \
  template void max_pool_backward(Cuda, const Pool2dShape&, const T*, const std::int32_t*, T*); \
  template void avg_pool_forward(Cuda, const Pool2dShape&, const T*, T*);                       \
  template void avg_pool_backward(Cuda, const Pool2dShape&, const T*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
