// The only file that knows oneDNN: versions 2.5 to 3.x. Every thread runs its own bands, so OpenMP, which
// most builds of oneDNN use, is told to stay on the calling thread.
#include "kernels/cpu/onednn.h"

#if ROENTGEN_WITH_ONEDNN

#include <dlfcn.h>

#include <cstring>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <tuple>
#include <type_traits>

#include "kernels/cpu/scratch.h"

namespace roentgen::kernels {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& processor() {
  // Never destroyed: the streams of the pool's threads end after every static object made later than the
  // pool.
  static const dnnl::engine& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// This thread's stream; its first use keeps OpenMP from starting a team here.
dnnl::stream& stream() {
  thread_local dnnl::stream instance = [] {
    using SetThreads = void (*)(int);
    if (const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set(1);
    return dnnl::stream(processor());
  }();
  return instance;
}

template <class E>
constexpr memory::data_type data_type() {
  return std::is_same_v<E, float> ? memory::data_type::f32 : memory::data_type::bf16;
}

struct Descriptions {
  memory::desc src, weights, bias, dst;
  memory::dims strides, dilations, padding{0, 0};

  Descriptions(const Correlation& s, std::int64_t rows, memory::data_type type,
               memory::data_type weights_type, memory::data_type dst_type, const memory::desc* packed)
      : src({1, s.c, s.rows_in(rows), s.in_w}, type, Tag::nhwc),
        weights(packed ? *packed : memory::desc({s.k, s.c, s.r, s.s}, weights_type, Tag::any)),
        bias({s.k}, memory::data_type::f32, Tag::x),
        dst({1, s.k, rows, s.out_w}, dst_type, Tag::nhwc),
        strides{s.stride_h, s.stride_w},
        dilations{s.dilation_h - 1, s.dilation_w - 1} {}
};

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

dnnl::convolution_forward::primitive_desc forward_desc(const Descriptions& d) {
  constexpr auto kind = dnnl::prop_kind::forward_training;
  constexpr auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {processor(), kind,      algorithm,   d.src,     d.weights, d.bias,
          d.dst,       d.strides, d.dilations, d.padding, d.padding, attributes()};
#else
  return {{kind, algorithm, d.src, d.weights, d.bias, d.dst, d.strides, d.dilations, d.padding, d.padding},
          attributes(),
          processor()};
#endif
}

dnnl::convolution_backward_weights::primitive_desc gradient_desc(const Descriptions& d,
                                                                 const Descriptions& hint) {
  constexpr auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {processor(), algorithm, d.src,     d.weights,          d.dst,       d.strides,
          d.dilations, d.padding, d.padding, forward_desc(hint), attributes()};
#else
  return {{algorithm, d.src, d.weights, d.dst, d.strides, d.dilations, d.padding, d.padding},
          attributes(),
          processor(),
          forward_desc(hint)};
#endif
}

// A primitive with what it needs at run time.
struct Compiled {
  dnnl::primitive primitive;
  memory::desc src, weights, bias, dst, scratchpad;
};

enum class Pass { forward, gradient };

template <class E>
Compiled compile(Pass pass, const Correlation& s, std::int64_t rows, const memory::desc* packed) {
  stream();
  const auto accept = [](const auto& desc) {
    if (std::strstr(desc.impl_info_str(), "ref"))
      throw dnnl::error(dnnl_unimplemented, "only a reference kernel");
  };
  constexpr auto f32 = memory::data_type::f32;
  if (pass == Pass::forward) {
    const Descriptions d(s, rows, data_type<E>(), data_type<E>(), f32, packed);
    const auto desc = forward_desc(d);
    accept(desc);
    return {dnnl::convolution_forward(desc), d.src, desc.weights_desc(), d.bias, d.dst,
            desc.scratchpad_desc()};
  }
  const Descriptions d(s, rows, data_type<E>(), f32, data_type<E>(), packed);
  const Descriptions hint(s, rows, data_type<E>(), data_type<E>(), data_type<E>(), nullptr);
  const auto desc = gradient_desc(d, hint);
  accept(desc);
  return {dnnl::convolution_backward_weights(desc),
          d.src,
          desc.diff_weights_desc(),
          d.bias,
          d.dst,
          desc.scratchpad_desc()};
}

// Compiled primitives by shape, usual height and height; null where there is none. `packed` is the layout
// that the usual height chose, null for that one itself: other heights of the same shape may choose another.
template <class E>
const Compiled* compiled(Pass pass, const Correlation& s, std::int64_t usual, std::int64_t rows,
                         const memory::desc* packed) {
  static std::mutex mutex;
  static std::map<std::tuple<Pass, Correlation, std::int64_t, std::int64_t>, std::unique_ptr<Compiled>> known;
  std::lock_guard lock(mutex);
  const auto [place, is_new] = known.try_emplace({pass, s, usual, rows});
  if (is_new) try {
      place->second = std::make_unique<Compiled>(compile<E>(pass, s, rows, packed));
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
    }
  return place->second.get();
}

memory at(const memory::desc& desc, const void* data) {
  return memory(desc, processor(), const_cast<void*>(data));
}

void execute(const Compiled& c, std::unordered_map<int, memory> arguments) {
  void* space = scratch<std::byte>(Slot::library, static_cast<std::int64_t>(c.scratchpad.get_size()));
  arguments.emplace(DNNL_ARG_SCRATCHPAD, at(c.scratchpad, space));
  c.primitive.execute(stream(), arguments);
  stream().wait();
}

void reorder(const memory::desc& from_desc, const void* from, const memory::desc& to_desc, void* to) {
  memory source = at(from_desc, from), target = at(to_desc, to);
  dnnl::reorder(source, target).execute(stream(), source, target);
  stream().wait();
}

memory::desc plain_filters(const Correlation& s, memory::data_type type) {
  return {{s.k, s.c, s.r, s.s}, type, Tag::ohwi};
}

template <class E>
class OnednnForward final : public ForwardEngine<E> {
 public:
  OnednnForward(const Correlation& shape, std::int64_t rows, const Compiled& usual)
      : s_(shape), rows_(rows), usual_(usual) {}

  std::int64_t packed_size() const override {
    return static_cast<std::int64_t>((usual_.weights.get_size() + sizeof(E) - 1) / sizeof(E));
  }
  void pack(const E* filters, E* packed) const override {
    reorder(plain_filters(s_, data_type<E>()), filters, usual_.weights, packed);
  }
  std::int64_t out_pixel() const override { return s_.k; }

  void run(std::int64_t rows, const E* src, const E* packed, const float* bias, float* out) const override {
    const Compiled* c = compiled<E>(Pass::forward, s_, rows_, rows, &usual_.weights);
    if (!c) throw dnnl::error(dnnl_unimplemented, "a band of another height has no kernel");
    execute(*c, {{DNNL_ARG_SRC, at(c->src, src)},
                 {DNNL_ARG_WEIGHTS, at(c->weights, packed)},
                 {DNNL_ARG_BIAS, at(c->bias, bias)},
                 {DNNL_ARG_DST, at(c->dst, out)}});
  }

 private:
  Correlation s_;
  std::int64_t rows_;  // the usual height
  const Compiled& usual_;
};

template <class E>
class OnednnGradient final : public GradientEngine<E> {
 public:
  OnednnGradient(const Correlation& shape, std::int64_t rows, const Compiled& usual)
      : s_(shape), rows_(rows), usual_(usual) {}

  std::int64_t partial_size() const override {
    return static_cast<std::int64_t>((usual_.weights.get_size() + sizeof(float) - 1) / sizeof(float));
  }
  void unpack(const float* partial, float* filters) const override {
    reorder(usual_.weights, partial, plain_filters(s_, memory::data_type::f32), filters);
  }
  bool dense() const override { return true; }

  void run(std::int64_t rows, const E* src, const E* d, std::int64_t, float* partial) const override {
    const Compiled* c = compiled<E>(Pass::gradient, s_, rows_, rows, &usual_.weights);
    if (!c) throw dnnl::error(dnnl_unimplemented, "a band of another height has no kernel");
    const std::int64_t n = partial_size();
    float* own = scratch<float>(Slot::output, n);
    execute(*c, {{DNNL_ARG_SRC, at(c->src, src)},
                 {DNNL_ARG_DIFF_DST, at(c->dst, d)},
                 {DNNL_ARG_DIFF_WEIGHTS, at(c->weights, own)}});
    for (std::int64_t i = 0; i < n; ++i) partial[i] += own[i];
  }

 private:
  Correlation s_;
  std::int64_t rows_;  // the usual height
  const Compiled& usual_;
};

template <class E>
const Compiled* usual_compiled(Pass pass, const Correlation& shape, std::int64_t rows) {
  if (rows <= 0 || (std::is_same_v<E, bfloat16> && !onednn_has_bfloat16())) return nullptr;
  return compiled<E>(pass, shape, rows, rows, nullptr);
}

}  // namespace

bool onednn_has_bfloat16() {
  constexpr auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

template <class E>
std::unique_ptr<ForwardEngine<E>> onednn_forward(const Correlation& shape, std::int64_t rows) {
  const Compiled* usual = usual_compiled<E>(Pass::forward, shape, rows);
  if (!usual) return nullptr;
  return std::make_unique<OnednnForward<E>>(shape, rows, *usual);
}
template <class E>
std::unique_ptr<GradientEngine<E>> onednn_gradient(const Correlation& shape, std::int64_t rows) {
  const Compiled* usual = usual_compiled<E>(Pass::gradient, shape, rows);
  if (!usual) return nullptr;
  return std::make_unique<OnednnGradient<E>>(shape, rows, *usual);
}

#else

namespace roentgen::kernels {

bool onednn_has_bfloat16() {
  return false;
}

template <class E>
std::unique_ptr<ForwardEngine<E>> onednn_forward(const Correlation&, std::int64_t) {
  return nullptr;
}
template <class E>
std::unique_ptr<GradientEngine<E>> onednn_gradient(const Correlation&, std::int64_t) {
  return nullptr;
}

#endif

template std::unique_ptr<ForwardEngine<float>> onednn_forward<float>(const Correlation&, std::int64_t);
template std::unique_ptr<ForwardEngine<bfloat16>> onednn_forward<bfloat16>(const Correlation&, std::int64_t);
template std::unique_ptr<GradientEngine<float>> onednn_gradient<float>(const Correlation&, std::int64_t);
template std::unique_ptr<GradientEngine<bfloat16>> onednn_gradient<bfloat16>(const Correlation&,
                                                                             std::int64_t);

}  // namespace roentgen::kernels
