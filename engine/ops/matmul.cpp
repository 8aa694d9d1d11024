#include "kernels/matmul.h"

#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {
namespace {

// Matrices are the last two axes, the others a batch; a matrix alone is shared over the other's batch.
std::int64_t batch_of(const Tensor& x) {
  std::int64_t batch = 1;
  for (std::int64_t i = 0; i + 2 < x.rank(); ++i) batch *= x.dim(i);
  return batch;
}

// op(a) op(b) into a tensor of shape y_shape, which holds y_batch matrices.
Tensor product(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b, Shape y_shape) {
  Tensor y(std::move(y_shape), a.dtype(), a.device());
  const kernels::MatmulShape shape{.batch = batch_of(y),
                                   .m = y.dim(-2),
                                   .n = y.dim(-1),
                                   .k = a.dim(transpose_a ? -2 : -1),
                                   .transpose_a = transpose_a,
                                   .transpose_b = transpose_b,
                                   .a_stride = a.rank() == 2 ? 0 : a.dim(-2) * a.dim(-1),
                                   .b_stride = b.rank() == 2 ? 0 : b.dim(-2) * b.dim(-1)};
  dispatch("matmul", y, [&]<class T>(auto device, T) {
    kernels::matmul(device, shape, a.data<T>(), b.data<T>(), y.data<T>());
  });
  return y;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  require_same_device("matmul", a, b);
  const bool matrices = a.rank() >= 2 && b.rank() >= 2 && (b.rank() == 2 || b.rank() == a.rank()) &&
                        a.dtype() == b.dtype() &&
                        a.dim(transpose_a ? -2 : -1) == b.dim(transpose_b ? -1 : -2);
  bool leading = matrices;
  for (std::int64_t i = 0; matrices && b.rank() > 2 && i + 2 < a.rank(); ++i) {
    leading = leading && a.dim(i) == b.dim(i);
  }
  require(leading,
          "matmul: takes a [..., m, k] and b [..., k, n] or [k, n] of one type, not {} {}{} and {} {}{}",
          to_string(a.dtype()), to_string(a.shape()), transpose_a ? " transposed" : "", to_string(b.dtype()),
          to_string(b.shape()), transpose_b ? " transposed" : "");
  const std::int64_t m = a.dim(transpose_a ? -1 : -2), n = b.dim(transpose_b ? -2 : -1);
  Shape y_shape = a.shape();
  y_shape[y_shape.size() - 2] = m;
  y_shape.back() = n;
  // One large product instead of many small ones where the batch can be rows.
  const bool folds = b.rank() == 2 && !transpose_a;
  const Tensor rows = folds ? a.view({batch_of(a) * m, a.dim(-1)}) : a.detach();
  const Shape rows_shape = folds ? Shape{rows.dim(0), n} : y_shape;
  const Tensor y = product(rows, b, transpose_a, transpose_b, rows_shape).view(y_shape);
  const bool to_a = wants_gradient(a), to_b = wants_gradient(b);
  return record(
      y, {a, b},
      [=, a = rows, b = b.detach(), a_shape = a.shape()](const Tensor& gradient) -> std::vector<Tensor> {
        const Tensor dy = gradient.view(rows_shape);
        Tensor da, db;
        if (to_a) {
          da = transpose_a ? product(b, dy, transpose_b, true, a.shape())
                           : product(dy, b, false, !transpose_b, a.shape());
          da = da.view(a_shape);
        }
        if (to_b) {
          Shape shape = a.shape();
          shape[shape.size() - 2] = b.dim(-2);
          shape.back() = b.dim(-1);
          db = transpose_b ? product(dy, a, true, transpose_a, shape)
                           : product(a, dy, !transpose_a, false, shape);
          if (shape != b.shape()) db = sum(db.view({batch_of(db), b.dim(-2), b.dim(-1)}), {0});
        }
        return {da, db};
      });
}

}  // namespace roentgen::engine
