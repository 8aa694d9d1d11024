// cuDNN's graph API, thinly: descriptors that own themselves, the few operations that convolutions need, and
// execution plans for the graphs they make. Works without a GPU where the device is described.
//
// Tensors are named by single letters, which stand for pointers when a plan runs. N,C,H,W is cuDNN's order of
// extents; the strides say that memory is N,H,W,C.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/error.h"

namespace roentgen::kernels {

// Throws DeviceError with cuDNN's own text and the place of the call.
void check(cudnnStatus_t status, Site site = Site::current());

namespace cudnn {

// cuDNN's name for the type of an attribute's elements.
template <class T>
struct AttributeType;

template <cudnnBackendAttributeType_t type>
struct AttributeTypeIs {
  static constexpr cudnnBackendAttributeType_t value = type;
};
template <>
struct AttributeType<cudnnHandle_t> : AttributeTypeIs<CUDNN_TYPE_HANDLE> {};
template <>
struct AttributeType<cudnnDataType_t> : AttributeTypeIs<CUDNN_TYPE_DATA_TYPE> {};
template <>
struct AttributeType<bool> : AttributeTypeIs<CUDNN_TYPE_BOOLEAN> {};
template <>
struct AttributeType<std::int64_t> : AttributeTypeIs<CUDNN_TYPE_INT64> {};
template <>
struct AttributeType<void*> : AttributeTypeIs<CUDNN_TYPE_VOID_PTR> {};
template <>
struct AttributeType<cudnnConvolutionMode_t> : AttributeTypeIs<CUDNN_TYPE_CONVOLUTION_MODE> {};
template <>
struct AttributeType<cudnnBackendHeurMode_t> : AttributeTypeIs<CUDNN_TYPE_HEUR_MODE> {};
template <>
struct AttributeType<cudnnPointwiseMode_t> : AttributeTypeIs<CUDNN_TYPE_POINTWISE_MODE> {};
template <>
struct AttributeType<cudnnReduceTensorOp_t> : AttributeTypeIs<CUDNN_TYPE_REDUCTION_OPERATOR_TYPE> {};
template <>
struct AttributeType<cudnnBackendNumericalNote_t> : AttributeTypeIs<CUDNN_TYPE_NUMERICAL_NOTE> {};
template <>
struct AttributeType<cudnnBackendBehaviorNote_t> : AttributeTypeIs<CUDNN_TYPE_BEHAVIOR_NOTE> {};

// Owns one backend descriptor; move-only.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type, Site site = Site::current());

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<T>& values,
                  Site site = Site::current()) {
    return set_raw(name, AttributeType<T>::value, values.size(), values.data(), site);
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value, Site site = Site::current()) {
    return set_raw(name, AttributeType<T>::value, 1, &value, site);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value, Site site = Site::current());
  Descriptor& set_descriptors(cudnnBackendAttributeName_t name,
                              const std::vector<cudnnBackendDescriptor_t>& values,
                              Site site = Site::current());
  Descriptor& set(cudnnBackendAttributeName_t name, const std::string& text, Site site = Site::current());

  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, Site site = Site::current()) const {
    std::vector<T> values(count(name, AttributeType<T>::value, site));
    get_raw(name, AttributeType<T>::value, values.size(), values.data(), site);
    return values;
  }
  std::string get_text(cudnnBackendAttributeName_t name, Site site = Site::current()) const;
  // Descriptors of `type` that cuDNN fills in.
  std::vector<Descriptor> get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          Site site = Site::current()) const;

  Descriptor& finalize(Site site = Site::current());
  // False where cuDNN does not support what is described, or cannot compile or load it.
  bool try_finalize(Site site = Site::current());

  cudnnBackendDescriptor_t raw() const { return raw_.get(); }

 private:
  struct Destroy {
    void operator()(void* raw) const noexcept { cudnnBackendDestroyDescriptor(raw); }
  };
  Descriptor& set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t count,
                      const void* values, Site site);
  std::size_t count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, Site site) const;
  void get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t count,
               void* values, Site site) const;

  std::unique_ptr<void, Destroy> raw_;
};

// The device that plans are made for: the one behind a handle, or without a GPU the one that `properties`
// describes.
struct Target {
  cudnnHandle_t handle = nullptr;
  std::shared_ptr<const Descriptor> properties;
};
// From cuDNN's JSON form of a device's properties.
Target described_device(const std::string& json);

struct Extents {
  std::int64_t n, c, h, w;
};
struct Tensor {
  char id;
  Extents extents;
  cudnnDataType_t type;
  bool is_virtual = false;  // lives only inside the graph
};

struct Window {
  std::array<std::int64_t, 2> pad{0, 0}, stride{1, 1}, dilation{1, 1};
};
enum class Pass { forward, backward_data, backward_weights };

// Operations on tensors, in order; compute type is float.
class Graph {
 public:
  // y = conv(x, w), or for the backward passes x or w from the others.
  Graph& convolution(Pass pass, const Window& window, const Tensor& x, const Tensor& w, const Tensor& y);
  // y = f(x), f(x, b).
  Graph& pointwise(cudnnPointwiseMode_t mode, const Tensor& x, const Tensor& y);
  Graph& pointwise(cudnnPointwiseMode_t mode, const Tensor& x, const Tensor& b, const Tensor& y);
  // dx = dy * f'(x). Of ReLU x may as well be its output.
  Graph& pointwise_backward(cudnnPointwiseMode_t mode, const Tensor& x, const Tensor& dy, const Tensor& dx);
  // y = x reduced over the extents that are 1 in y.
  Graph& reduction(cudnnReduceTensorOp_t op, const Tensor& x, const Tensor& y);

  // No operation can be added after this. False where cuDNN knows no such pattern.
  bool finish(const Target& target);

  const Descriptor& descriptor() const { return *graph_; }
  const Target& target() const { return target_; }
  // The letters of the tensors that are in memory, in order of their first use.
  const std::string& arguments() const { return arguments_; }

 private:
  const Descriptor& tensor(const Tensor& t);
  const Descriptor& part(Descriptor descriptor);

  std::vector<std::unique_ptr<Descriptor>> parts_, operations_;
  std::vector<std::pair<char, const Descriptor*>> tensors_;
  std::string arguments_;
  Target target_;
  std::unique_ptr<Descriptor> graph_;
};

// What an engine does to numbers and to the machine.
struct Notes {
  std::uint32_t numerical = 0, behaviour = 0;  // bit i: note i
  bool has(cudnnBackendNumericalNote_t note) const { return numerical >> note & 1u; }
  bool has(cudnnBackendBehaviorNote_t note) const { return behaviour >> note & 1u; }
};

// An engine and its knobs.
struct Configuration {
  Descriptor descriptor;
  std::int64_t engine = 0;
  Notes notes;
};
// All that heuristics propose, best first, then every other engine with its knobs as they are.
std::vector<Configuration> configurations(const Graph& graph);

// What a plan is called with: pointers[i] is the memory of the tensor arguments[i], as Graph::arguments has
// them.
Descriptor argument_pack(const std::string& arguments, const std::vector<void*>& pointers, void* workspace);

// A configuration made ready to run; move-only. Needs nothing of what it was made from.
class Plan {
 public:
  explicit Plan(Descriptor descriptor);

  // Bytes of device memory that execute needs.
  std::int64_t workspace() const { return workspace_; }
  // All that load_plan needs to make the plan again, compiled kernels included.
  std::string json() const;
  // Runs on the handle's stream. False where it turns out not to be supported; nothing was run then.
  bool execute(cudnnHandle_t handle, const Descriptor& pack) const;

 private:
  Descriptor descriptor_;
  std::int64_t workspace_;
};
// Empty where cuDNN does not support the configuration after all.
std::unique_ptr<Plan> build_plan(const Target& target, const Configuration& configuration);
// Empty where the text is none of this cuDNN's plans for this device.
std::unique_ptr<Plan> load_plan(const Target& target, const std::string& json);

}  // namespace cudnn
}  // namespace roentgen::kernels
