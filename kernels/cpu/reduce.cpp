// Sums are gathered in double: the memory is slower than the conversions. Work is cut by the shape alone and
// partial sums are combined in the order of the data, so results do not depend on the number of threads.
#include "kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/nest.h"
#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;    // elements of x a task takes
constexpr std::int64_t columns_max = 256;  // sums a task holds on its stack
constexpr int lanes = 32;                  // sums of one run side by side, since floating point has an order

std::int64_t tasks_of(std::int64_t n, std::int64_t grain_n) {
  return (n + grain_n - 1) / grain_n;
}

template <class T, class F>
double lane_sum(const T* x, std::int64_t stride, std::int64_t n, F f) {
  double sums[lanes] = {}, total = 0;
  std::int64_t i = 0;
  if (stride == 1)
    for (; i + lanes <= n; i += lanes)
      for (int lane = 0; lane < lanes; ++lane) sums[lane] += f(static_cast<double>(x[i + lane]));
  for (; i < n; ++i) total += f(static_cast<double>(x[i * stride]));
  for (const double s : sums) total += s;
  return total;
}

constexpr auto same = [](double v) { return v; };

// The kept and the reduced axes of a reduction.
struct Axes {
  Nest<1> kept, reduced;

  explicit Axes(const Reduction& shape) {
    for (int axis = 0; axis < shape.kept_rank; ++axis)
      kept.push(shape.kept[axis], {shape.kept_strides[axis]});
    for (int axis = 0; axis < shape.reduced_rank; ++axis)
      reduced.push(shape.reduced[axis], {shape.reduced_strides[axis]});
  }
};

// A box of a reduction: outputs [y_begin, y_end) over reduced elements [r_begin, r_end).
struct Box {
  std::int64_t y_begin, y_end, r_begin, r_end;
};

// sums[0 .. y_end - y_begin): each output on its own, along runs of the reduced axes.
template <class T>
void sum_rows(const T* x, const Axes& axes, const Box& box, double* sums) {
  axes.kept.runs(box.y_begin, box.y_end, [&](const std::int64_t(&start)[1], std::int64_t length) {
    for (std::int64_t i = 0; i < length; ++i, ++sums) {
      const T* from = x + start[0] + i * axes.kept.inner_stride(0);
      *sums = 0;
      axes.reduced.runs(box.r_begin, box.r_end, [&](const std::int64_t(&at)[1], std::int64_t n) {
        *sums += lane_sum(from + at[0], axes.reduced.inner_stride(0), n, same);
      });
    }
  });
}

// The same where outputs lie side by side in x: row upon row of x is added to a row of sums.
template <class T>
void sum_columns(const T* x, const Axes& axes, const Box& box, double* sums) {
  axes.kept.runs(box.y_begin, box.y_end, [&](const std::int64_t(&start)[1], std::int64_t length) {
    std::fill(sums, sums + length, 0.0);
    axes.reduced.runs(box.r_begin, box.r_end, [&](const std::int64_t(&at)[1], std::int64_t n) {
      for (std::int64_t j = 0; j < n; ++j) {
        const T* row = x + start[0] + at[0] + j * axes.reduced.inner_stride(0);
        for (std::int64_t i = 0; i < length; ++i) sums[i] += static_cast<double>(row[i]);
      }
    });
    sums += length;
  });
}

}  // namespace

template <class T>
void sum(Cpu, const T* x, T* y, const Reduction& shape, double factor) {
  const Axes axes(shape);
  const std::int64_t n_y = axes.kept.size(), n_r = axes.reduced.size();
  const bool columns = n_y > 1 && axes.kept.inner_stride(0) == 1;
  // Outputs per task: as many as fill it, or in columns a stretch of neighbours.
  const std::int64_t y_grain = std::clamp<std::int64_t>(
      columns ? std::min(n_y, axes.kept.inner()) : grain / std::max<std::int64_t>(n_r, 1), 1, columns_max);
  const std::int64_t r_grain = std::max<std::int64_t>(grain / y_grain, 1);
  const std::int64_t y_tasks = tasks_of(n_y, y_grain),
                     r_tasks = std::max<std::int64_t>(tasks_of(n_r, r_grain), 1);
  std::vector<double> partial(static_cast<std::size_t>(r_tasks > 1 ? r_tasks * n_y : 0));
  parallel_for(y_tasks * r_tasks, [&](std::int64_t task) {
    const std::int64_t r = task / y_tasks, y_begin = task % y_tasks * y_grain;
    const Box box{y_begin, std::min(n_y, y_begin + y_grain), r * r_grain, std::min(n_r, (r + 1) * r_grain)};
    double sums[columns_max];
    (columns ? sum_columns<T> : sum_rows<T>)(x, axes, box, sums);
    const std::int64_t count = box.y_end - box.y_begin;
    if (r_tasks > 1)
      std::copy(sums, sums + count, partial.data() + r * n_y + y_begin);
    else
      for (std::int64_t i = 0; i < count; ++i) y[y_begin + i] = static_cast<T>(factor * sums[i]);
  });
  if (r_tasks == 1) return;
  parallel_ranges(n_y, columns_max, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double total = 0;
      for (std::int64_t r = 0; r < r_tasks; ++r) total += partial[static_cast<std::size_t>(r * n_y + i)];
      y[i] = static_cast<T>(factor * total);
    }
  });
}

template <class T>
void max_forward(Cpu, const T* x, T* y, std::int64_t* argmax, const Reduction& shape) {
  const Axes axes(shape);
  const std::int64_t stride = axes.reduced.inner_stride(0), n_r = axes.reduced.size();
  const std::int64_t y_grain = std::max<std::int64_t>(grain / std::max<std::int64_t>(n_r, 1), 1);
  parallel_ranges(axes.kept.size(), y_grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t out = begin;
    axes.kept.runs(begin, end, [&](const std::int64_t(&start)[1], std::int64_t length) {
      for (std::int64_t i = 0; i < length; ++i, ++out) {
        const std::int64_t from = start[0] + i * axes.kept.inner_stride(0);
        float best = -std::numeric_limits<float>::infinity();
        std::int64_t where = -1;
        axes.reduced.runs(0, n_r, [&](const std::int64_t(&at)[1], std::int64_t n) {
          for (std::int64_t j = 0; j < n; ++j) {
            const std::int64_t place = from + at[0] + j * stride;
            const float v = static_cast<float>(x[place]);
            if (where < 0 || v > best || (std::isnan(v) && !std::isnan(best))) {
              best = v;
              where = place;
            }
          }
        });
        y[out] = static_cast<T>(best);
        argmax[out] = where;
      }
    });
  });
}

// Outputs have their maxima in places of their own, so the second loop's tasks never meet.
template <class T>
void max_backward(Cpu, const T* dy, const std::int64_t* argmax, T* dx, std::int64_t n_x, std::int64_t n_y) {
  parallel_ranges(n_x, grain,
                  [&](std::int64_t begin, std::int64_t end) { std::fill(dx + begin, dx + end, T{}); });
  parallel_ranges(n_y, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      if (argmax[i] >= 0) dx[argmax[i]] = dy[i];
  });
}

template <class T>
double sum_of_squares(Cpu, const T* x, std::int64_t n) {
  std::vector<double> partial(static_cast<std::size_t>(tasks_of(n, grain)));
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    partial[static_cast<std::size_t>(begin / grain)] =
        lane_sum(x + begin, 1, end - begin, [](double v) { return v * v; });
  });
  double total = 0;
  for (const double p : partial) total += p;
  return total;
}

#define ROENTGEN_INSTANTIATE(T)                                                                   \
  template void sum(Cpu, const T*, T*, const Reduction&, double);                                 \
  template void max_forward(Cpu, const T*, T*, std::int64_t*, const Reduction&);                  \
  template void max_backward(Cpu, const T*, const std::int64_t*, T*, std::int64_t, std::int64_t); \
  template double sum_of_squares(Cpu, const T*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels
