// Cases of reductions and of ops that move elements.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using Inputs = std::vector<Tensor>;
using Axes = std::vector<std::int64_t>;

struct Reduced {
  Shape shape;
  Axes axes;
  bool keep = false;
};

// The whole, one axis at either end, between, several, all kept; primes; more than one block.
const std::vector<Reduced> reductions = {{{}, {}},
                                         {{1, 1}, {0}},
                                         {{7}, {}},
                                         {{7, 13}, {0}},
                                         {{7, 13}, {1}},
                                         {{13, 7}, {-1}, true},
                                         {{2, 3, 5}, {0, 2}},
                                         {{2, 3, 5}, {1}, true},
                                         {{3, 5, 7, 2}, {1, 2}},
                                         {{3, 5, 2, 7}, {3, 0}},
                                         {{11, 31}, {}, true},
                                         {{0, 3}, {1}},
                                         {{131, 257}, {0}},
                                         {{131, 257}, {1}},
                                         {{40009}, {}}};

void add_reduction(CaseList& cases, const std::string& op,
                   Tensor (*f)(const Tensor&, const std::vector<std::int64_t>&, bool), bool of_nothing) {
  const auto add = [&](const Reduced& r) {
    cases.add(
        op, {{r.shape, Sample::distinct}}, [f, r](const Inputs& x) { return f(x[0], r.axes, r.keep); },
        std::max<std::int64_t>(engine::element_count(r.shape), 1),
        fmt::format("axes [{}]{}", fmt::join(r.axes, ", "), r.keep ? " kept" : ""));
  };
  for (const Reduced& r : reductions) add(r);
  if (of_nothing) {
    add({{0}, {}});
    add({{3, 0, 2}, {1}});
  }
}

void add_movers(CaseList& cases) {
  const std::vector<std::pair<Shape, Shape>> reshapes = {{{}, {1}},
                                                         {{1}, {}},
                                                         {{0}, {0, 3}},
                                                         {{1, 1}, {1}},
                                                         {{7}, {7, 1}},
                                                         {{7, 13}, {-1}},
                                                         {{13, 7}, {7, -1}},
                                                         {{2, 3, 5}, {5, 6}},
                                                         {{2, 3, 5}, {3, -1, 2}},
                                                         {{31}, {1, 31, 1}},
                                                         {{11, 4, 4}, {11, -1}},
                                                         {{129, 131}, {131, 129}}};
  for (const auto& [from, to] : reshapes) {
    cases.add(
        "reshape", {{from}}, [to = to](const Inputs& x) { return engine::reshape(x[0], to); }, 1,
        "to " + engine::to_string(to));
  }
  for (const Shape& shape : std::vector<Shape>{{1},
                                               {7},
                                               {0, 3},
                                               {3, 0},
                                               {1, 1},
                                               {13, 7},
                                               {2, 3, 5},
                                               {11, 3, 2, 2},
                                               {31, 2},
                                               {4, 0, 3},
                                               {2, 3, 5, 7},
                                               {11, 30, 30, 8}}) {
    cases.add("flatten", {{shape}}, [](const Inputs& x) { return engine::flatten(x[0]); });
  }
  const std::vector<std::pair<Shape, Axes>> orders = {{{}, {}},
                                                      {{0, 3}, {1, 0}},
                                                      {{1, 1}, {1, 0}},
                                                      {{7}, {0}},
                                                      {{7, 13}, {1, 0}},
                                                      {{13, 7}, {-1, 0}},
                                                      {{2, 3, 5}, {0, 2, 1}},
                                                      {{2, 3, 5}, {2, 0, 1}},
                                                      {{2, 3, 5}, {2, 1, 0}},
                                                      {{3, 5, 7, 2}, {0, 3, 1, 2}},
                                                      {{2, 2, 3, 2, 2}, {4, 2, 0, 3, 1}},
                                                      {{11, 31}, {1, 0}},
                                                      {{129, 131}, {1, 0}},
                                                      {{3, 64, 65, 8}, {0, 3, 1, 2}}};
  for (const auto& [shape, order] : orders) {
    cases.add(
        "permute", {{shape}}, [order = order](const Inputs& x) { return engine::permute(x[0], order); }, 1,
        fmt::format("order [{}]", fmt::join(order, ", ")));
  }

  struct Joined {
    std::vector<Shape> shapes;
    std::int64_t axis;
  };
  const std::vector<Joined> joins = {{{{1}}, 0},
                                     {{{7}, {13}}, 0},
                                     {{{1, 1}, {1, 1}}, 1},
                                     {{{2, 3}, {5, 3}}, 0},
                                     {{{2, 3}, {2, 5}}, 1},
                                     {{{2, 3}, {2, 5}, {2, 1}}, -1},
                                     {{{0, 3}, {2, 3}}, 0},
                                     {{{0}, {0}}, 0},
                                     {{{2, 3, 5}, {2, 1, 5}}, 1},
                                     {{{2, 3, 5}, {2, 3, 5}, {2, 3, 5}}, 2},
                                     {{{11, 2, 2, 3}, {11, 2, 2, 4}}, 3},
                                     {{{31, 7}, {31, 13}}, 1},
                                     {{{129, 131}, {129, 7}}, 1}};
  for (const Joined& j : joins) {
    std::vector<Input> inputs;
    for (const Shape& shape : j.shapes) inputs.push_back({shape});
    cases.add(
        "concat", inputs, [axis = j.axis](const Inputs& x) { return engine::concat(x, axis); }, 1,
        fmt::format("axis {}", j.axis));
  }

  struct Cut {
    Shape shape;
    std::int64_t axis, first, last, step = 1;
  };
  const std::vector<Cut> cuts = {{{1}, 0, 0, 1},
                                 {{1, 1}, 1, 0, 0},
                                 {{0}, 0, 0, 0},
                                 {{7}, 0, 2, 5},
                                 {{13}, 0, 0, 13, 2},
                                 {{31}, 0, 1, 30, 7},
                                 {{7, 13}, 0, 1, 7, 3},
                                 {{7, 13}, 1, 0, 12, 5},
                                 {{13, 7}, -1, 6, 7},
                                 {{2, 3, 5}, 1, 1, 3},
                                 {{2, 3, 5}, 2, 0, 5, 4},
                                 {{11, 4, 4, 3}, 1, 1, 4, 2},
                                 {{129, 131}, 1, 3, 130, 2},
                                 {{129, 131}, 0, 1, 128}};
  for (const Cut& c : cuts) {
    cases.add(
        "slice", {{c.shape}},
        [c](const Inputs& x) { return engine::slice(x[0], c.axis, c.first, c.last, c.step); }, 1,
        fmt::format("axis {} from {} to {} by {}", c.axis, c.first, c.last, c.step));
  }

  struct Padded {
    Shape shape;
    Axes before, after;
    double value = 0;
  };
  const std::vector<Padded> pads = {{{}, {}, {}},
                                    {{0}, {2}, {1}},
                                    {{1, 1}, {1, 1}, {1, 1}},
                                    {{7}, {0}, {3}},
                                    {{13}, {5}, {0}, -2},
                                    {{31}, {0}, {0}},
                                    {{7, 13}, {1, 0}, {0, 2}, 0.5},
                                    {{2, 3, 5}, {0, 1, 2}, {3, 0, 1}},
                                    {{2, 5, 5, 3}, {0, 1, 1, 0}, {0, 1, 1, 0}},
                                    {{2, 5, 5, 3}, {0, 0, 0, 0}, {0, 1, 1, 0}},
                                    {{11, 3, 2, 2}, {0, 2, 0, 0}, {0, 0, 2, 0}, 1},
                                    {{4, 0, 3}, {0, 1, 0}, {0, 1, 0}},
                                    {{129, 131}, {1, 2}, {2, 1}}};
  for (const Padded& p : pads) {
    cases.add(
        "pad", {{p.shape}}, [p](const Inputs& x) { return engine::pad(x[0], p.before, p.after, p.value); }, 1,
        fmt::format("before [{}] after [{}] value {}", fmt::join(p.before, ", "), fmt::join(p.after, ", "),
                    p.value));
  }
}

}  // namespace

void add_shape_cases(CaseList& cases) {
  add_reduction(cases, "sum", engine::sum, true);
  add_reduction(cases, "mean", engine::mean, false);
  add_reduction(cases, "max", engine::max, false);
  add_movers(cases);
}

}  // namespace roentgen::tests
