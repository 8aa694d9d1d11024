// Every case of the ops' table, forward and backward through the tape: small and odd shapes, where what
// counts is the cost of an op beside its kernel.
#if ROENTGEN_WITH_OP_TABLE

#include <benchmark/benchmark.h>

#include "bench/rows.h"
#include "bench/target.h"
#include "engine/dispatch.h"
#include "engine/tape.h"
#include "kernels/memory.h"
#include "tests/engine/op_table.h"

namespace roentgen::bench {

namespace {

using engine::Tensor;

void time(benchmark::State& state, const tests::OpCase& op_case, const Target& target, engine::DType dtype) {
  std::vector<Tensor> inputs = tests::make_inputs(op_case, dtype, target.device);
  for (Tensor& input : inputs) {
    const bool floating = input.dtype() == engine::DType::float32 || input.dtype() == engine::DType::bfloat16;
    if (op_case.differentiable && floating) input.collect_gradient();
  }
  Tensor cotangent;
  for (auto _ : state) {
    const Tensor y = op_case.f(inputs);
    if (y.requires_grad()) {
      if (!cotangent.defined()) cotangent = Tensor::full(y.shape(), 1, y.dtype(), target.device);
      for (const Tensor& input : inputs) input.clear_grad();
      engine::backward(y, cotangent);
    }
    engine::on(target.device, [](auto device) { kernels::synchronize(device); });
  }
}

}  // namespace

void add_op_rows(const Settings& settings) {
  for (const Target& target : targets()) {
    if (std::holds_alternative<kernels::Reference>(target.device)) continue;
    for (const engine::DType dtype : {engine::DType::float32, engine::DType::bfloat16}) {
      for (const tests::OpCase& op_case : tests::op_cases()) {
        const std::string row = "op/" + op_case.label + "/" + target.name + "/" + engine::to_string(dtype);
        auto* benchmark = benchmark::RegisterBenchmark(
            row.c_str(), [&, dtype](benchmark::State& state) { time(state, op_case, target, dtype); });
        benchmark->UseRealTime();
        if (settings.smoke) benchmark->Iterations(1);
      }
    }
  }
}

}  // namespace roentgen::bench

#endif
