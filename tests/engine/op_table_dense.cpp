// Cases of matrix products, dense layers, normalisation and losses.
#include <fmt/format.h>

#include <algorithm>

#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using Inputs = std::vector<Tensor>;

void add_matmul(CaseList& cases) {
  struct Product {
    Shape a, b;
    bool transpose_a = false, transpose_b = false;
  };
  const std::vector<Product> products = {{{1, 1}, {1, 1}},
                                         {{7, 13}, {13, 5}},
                                         {{13, 7}, {13, 5}, true, false},
                                         {{7, 13}, {5, 13}, false, true},
                                         {{13, 7}, {5, 13}, true, true},
                                         {{3, 4, 5}, {3, 5, 2}},
                                         {{3, 5, 4}, {3, 2, 5}, true, true},
                                         {{3, 4, 5}, {5, 2}},
                                         {{3, 4, 5}, {2, 5}, false, true},
                                         {{3, 5, 4}, {5, 2}, true, false},
                                         {{3, 5, 4}, {2, 5}, true, true},
                                         {{2, 3, 4, 5}, {2, 3, 5, 2}},
                                         {{2, 3, 4, 5}, {5, 2}},
                                         {{0, 5}, {5, 2}},
                                         {{3, 0}, {0, 2}},
                                         {{0, 4, 5}, {0, 5, 2}},
                                         {{11, 31}, {31, 3}},
                                         {{131, 67}, {67, 71}},
                                         {{67, 131}, {71, 67}, true, true},
                                         {{2, 65, 300}, {2, 300, 33}}};
  for (const Product& p : products) {
    const std::int64_t terms =
        std::max({std::int64_t{1}, engine::element_count(p.a), engine::element_count(p.b)});
    cases.add(
        "matmul", {{p.a}, {p.b}},
        [p](const Inputs& x) { return engine::matmul(x[0], x[1], p.transpose_a, p.transpose_b); }, terms,
        fmt::format("{}{}", p.transpose_a ? "a^T " : "", p.transpose_b ? "b^T" : ""));
  }
}

void add_linear(CaseList& cases) {
  struct Dense {
    Shape x;
    std::int64_t out;
    bool bias = true;
  };
  const std::vector<Dense> layers = {
      {{1, 1}, 1},          {{7}, 5},         {{1, 13}, 7},    {{7, 13}, 5},    {{7, 13}, 5, false},
      {{13, 7}, 1},         {{0, 5}, 3},      {{2, 3, 5}, 4},  {{11, 31}, 3},   {{16, 64}, 3},
      {{31, 7}, 13, false}, {{11, 1153}, 64}, {{131, 67}, 71}, {{16, 4096}, 64}};
  for (const Dense& d : layers) {
    const std::int64_t in = d.x.back();
    std::vector<Input> inputs = {{d.x}, weights({d.out, in})};
    if (d.bias) inputs.push_back(weights({d.out}));
    const std::int64_t terms = std::max(in, std::max(d.out, engine::element_count(d.x) / in));
    cases.add(
        "linear", inputs,
        [](const Inputs& x) { return engine::linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor{}); }, terms);
    for (const double rate : {0.0, 0.4}) {
      const engine::RandomKey key{.seed = 7, .purpose = kernels::Purpose::dropout, .stream = 4};
      OpCase& block = cases.add(
          "linear_block", inputs,
          [=](const Inputs& x) {
            return engine::linear_block(x[0], x[1], x.size() > 2 ? x[2] : Tensor{}, rate, key);
          },
          terms, fmt::format("rate {}", rate));
      block.branches = true;
    }
  }
}

void add_batch_norm(CaseList& cases) {
  for (const Shape& shape : std::vector<Shape>{{1, 1},
                                               {2, 1},
                                               {1, 7},
                                               {7, 13},
                                               {13, 7},
                                               {31, 5},
                                               {11, 3},
                                               {3, 2, 2, 4},
                                               {2, 5, 3, 1},
                                               {11, 4, 4, 3},
                                               {257, 67},
                                               {3, 40, 41, 8}}) {
    const std::int64_t c = shape.back(), rows = engine::element_count(shape) / c;
    for (const bool training : {true, false}) {
      cases.add(
          "batch_norm", {{shape}, {{c}, Sample::positive, Kind::master}, weights({c})},
          [=](const Inputs& x) {
            const DType type = engine::master_of(x[0].dtype());
            const Tensor mean = random_tensor({c}, type, x[0].device(), -0.5, 0.5, 100);
            const Tensor variance = random_tensor({c}, type, x[0].device(), 0.5, 2, 101);
            return engine::batch_norm(x[0], x[1], x[2], mean, variance, {.training = training});
          },
          4 * rows, training ? "training" : "inference");
    }
  }
}

void add_losses(CaseList& cases) {
  for (const Shape& shape : std::vector<Shape>{{1},
                                               {7},
                                               {1, 1},
                                               {3, 1},
                                               {0, 3},
                                               {7, 13},
                                               {13, 7},
                                               {31, 5},
                                               {11, 3},
                                               {16, 3},
                                               {2, 3, 5},
                                               {3, 4001},
                                               {2003, 10}}) {
    cases.add(
        "softmax", {{shape}}, [](const Inputs& x) { return engine::softmax(x[0]); }, shape.back());
    cases.add(
        "log_softmax", {{shape}}, [](const Inputs& x) { return engine::log_softmax(x[0]); }, shape.back());
  }
  for (const Shape& shape : std::vector<Shape>{{1, 1},
                                               {1, 3},
                                               {7, 13},
                                               {13, 7},
                                               {31, 5},
                                               {11, 3},
                                               {16, 3},
                                               {3, 1},
                                               {64, 7},
                                               {5, 31},
                                               {3, 4001},
                                               {2003, 10}}) {
    const std::int64_t n = shape[0], c = shape[1];
    for (const bool weighted : {false, true}) {
      for (const double smoothing : {0.0, 0.1}) {
        cases.add(
            "cross_entropy", {{shape}, {{n}, Sample::signed_, Kind::labels, c}},
            [=](const Inputs& x) {
              const Tensor class_weights =
                  weighted ? random_tensor({c}, engine::master_of(x[0].dtype()), x[0].device(), 0.5, 2, 102)
                           : Tensor{};
              return engine::cross_entropy(x[0], x[1], class_weights, {.label_smoothing = smoothing});
            },
            n * c, fmt::format("{}smoothing {}", weighted ? "weighted " : "", smoothing));
      }
    }
  }
}

}  // namespace

void add_dense_cases(CaseList& cases) {
  add_matmul(cases);
  add_linear(cases);
  add_batch_norm(cases);
  add_losses(cases);
}

}  // namespace roentgen::tests
