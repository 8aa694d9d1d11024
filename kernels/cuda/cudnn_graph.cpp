#include "kernels/cuda/cudnn_graph.h"

#include <algorithm>

namespace roentgen::kernels {

void check(cudnnStatus_t status, Site site) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 1024> text{};
  cudnnGetLastErrorString(text.data(), text.size());
  throw DeviceError(std::string("cuDNN: ") + cudnnGetErrorString(status) + " (" + text.data() + ") at " +
                    site.file + ":" + std::to_string(site.line));
}

namespace cudnn {

// A plan that cannot be compiled or loaded is as good as one that is not supported.
bool is_unsupported(cudnnStatus_t status) {
  const int category = CUDNN_STATUS_CATEGORY(static_cast<int>(status));
  return category == CUDNN_STATUS_NOT_SUPPORTED || category == CUDNN_STATUS_INTERNAL_ERROR ||
         status == CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER;
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type, Site site) {
  cudnnBackendDescriptor_t raw = nullptr;
  check(cudnnBackendCreateDescriptor(type, &raw), site);
  raw_.reset(raw);
}

Descriptor& Descriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                std::size_t count, const void* values, Site site) {
  check(cudnnBackendSetAttribute(raw(), name, type, static_cast<std::int64_t>(count), values), site);
  return *this;
}
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value, Site site) {
  return set_descriptors(name, {value.raw()}, site);
}
Descriptor& Descriptor::set_descriptors(cudnnBackendAttributeName_t name,
                                        const std::vector<cudnnBackendDescriptor_t>& values, Site site) {
  return set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, values.size(), values.data(), site);
}
Descriptor& Descriptor::set(cudnnBackendAttributeName_t name, const std::string& text, Site site) {
  return set_raw(name, CUDNN_TYPE_CHAR, text.size(), text.data(), site);
}

std::size_t Descriptor::count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                              Site site) const {
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(raw(), name, type, 0, &count, nullptr), site);
  return static_cast<std::size_t>(count);
}
void Descriptor::get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                         std::size_t count, void* values, Site site) const {
  std::int64_t got = 0;
  if (count > 0)
    check(cudnnBackendGetAttribute(raw(), name, type, static_cast<std::int64_t>(count), &got, values), site);
}
std::string Descriptor::get_text(cudnnBackendAttributeName_t name, Site site) const {
  std::string text(count(name, CUDNN_TYPE_CHAR, site), '\0');
  get_raw(name, CUDNN_TYPE_CHAR, text.size(), text.data(), site);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}
std::vector<Descriptor> Descriptor::get_descriptors(cudnnBackendAttributeName_t name,
                                                    cudnnBackendDescriptorType_t type, Site site) const {
  std::vector<Descriptor> descriptors;
  std::vector<cudnnBackendDescriptor_t> raws;
  for (std::size_t left = count(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, site); left > 0; --left)
    raws.push_back(descriptors.emplace_back(type, site).raw());
  std::int64_t got = 0;
  if (!raws.empty())
    check(cudnnBackendGetAttribute(raw(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                   static_cast<std::int64_t>(raws.size()), &got, raws.data()),
          site);
  descriptors.erase(descriptors.begin() + got, descriptors.end());
  return descriptors;
}

Descriptor& Descriptor::finalize(Site site) {
  check(cudnnBackendFinalize(raw()), site);
  return *this;
}
bool Descriptor::try_finalize(Site site) {
  const cudnnStatus_t status = cudnnBackendFinalize(raw());
  if (is_unsupported(status)) return false;
  check(status, site);
  return true;
}

Target described_device(const std::string& json) {
  auto properties = std::make_shared<Descriptor>(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, json).finalize();
  return {nullptr, std::move(properties)};
}

const Descriptor& Graph::part(Descriptor descriptor) {
  return *parts_.emplace_back(std::make_unique<Descriptor>(std::move(descriptor)));
}

const Descriptor& Graph::tensor(const Tensor& t) {
  for (const auto& [id, descriptor] : tensors_)
    if (id == t.id) return *descriptor;
  const auto& [n, c, h, w] = t.extents;
  Descriptor descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{t.id})
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, t.type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector<std::int64_t>{n, c, h, w})
      .set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<std::int64_t>{h * w * c, 1, w * c, c})
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16})
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, t.is_virtual)
      .finalize();
  if (!t.is_virtual) arguments_ += t.id;
  return *tensors_.emplace_back(t.id, &part(std::move(descriptor))).second;
}

Graph& Graph::convolution(Pass pass, const Window& window, const Tensor& x, const Tensor& w,
                          const Tensor& y) {
  struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t convolution, x, w, y;
  };
  static constexpr Names names[] = {
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}};
  const Names& name = names[static_cast<int>(pass)];
  const auto pair = [](const std::array<std::int64_t, 2>& a) {
    return std::vector<std::int64_t>(a.begin(), a.end());
  };
  Descriptor convolution(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, pair(window.pad))
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, pair(window.pad))
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, pair(window.stride))
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, pair(window.dilation))
      .finalize();
  auto& operation = *operations_.emplace_back(std::make_unique<Descriptor>(name.type));
  operation.set(name.convolution, part(std::move(convolution)))
      .set(name.x, tensor(x))
      .set(name.w, tensor(w))
      .set(name.y, tensor(y))
      .finalize();
  return *this;
}

namespace {

Descriptor pointwise_descriptor(cudnnPointwiseMode_t mode) {
  Descriptor pointwise(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  pointwise.set(CUDNN_ATTR_POINTWISE_MODE, mode)
      .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)
      .finalize();
  return pointwise;
}

}  // namespace

Graph& Graph::pointwise(cudnnPointwiseMode_t mode, const Tensor& x, const Tensor& y) {
  auto& operation =
      *operations_.emplace_back(std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, part(pointwise_descriptor(mode)))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(x))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensor(y))
      .finalize();
  return *this;
}
Graph& Graph::pointwise(cudnnPointwiseMode_t mode, const Tensor& x, const Tensor& b, const Tensor& y) {
  auto& operation =
      *operations_.emplace_back(std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, part(pointwise_descriptor(mode)))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(x))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensor(b))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensor(y))
      .finalize();
  return *this;
}
Graph& Graph::pointwise_backward(cudnnPointwiseMode_t mode, const Tensor& x, const Tensor& dy,
                                 const Tensor& dx) {
  auto& operation =
      *operations_.emplace_back(std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, part(pointwise_descriptor(mode)))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensor(x))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, tensor(dy))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, tensor(dx))
      .finalize();
  return *this;
}

Graph& Graph::reduction(cudnnReduceTensorOp_t op, const Tensor& x, const Tensor& y) {
  Descriptor reduction(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  reduction.set(CUDNN_ATTR_REDUCTION_OPERATOR, op)
      .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .finalize();
  auto& operation =
      *operations_.emplace_back(std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR));
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, part(std::move(reduction)))
      .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, tensor(x))
      .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, tensor(y))
      .finalize();
  return *this;
}

bool Graph::finish(const Target& target) {
  target_ = target;
  std::vector<cudnnBackendDescriptor_t> raws;
  for (const auto& operation : operations_) raws.push_back(operation->raw());
  graph_ = std::make_unique<Descriptor>(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle) graph_->set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
  graph_->set_descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS, raws);
  return graph_->try_finalize();
}

namespace {

template <class Note>
std::uint32_t note_bits(const Descriptor& engine, cudnnBackendAttributeName_t name) {
  std::uint32_t bits = 0;
  for (const Note note : engine.get<Note>(name)) bits |= 1u << note;
  return bits;
}

Configuration described(Descriptor descriptor) {
  Configuration configuration{std::move(descriptor), 0, {}};
  const auto engines =
      configuration.descriptor.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  const Descriptor& engine = engines.at(0);
  configuration.engine = engine.get<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX).at(0);
  configuration.notes = {note_bits<cudnnBackendNumericalNote_t>(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE),
                         note_bits<cudnnBackendBehaviorNote_t>(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE)};
  return configuration;
}

}  // namespace

std::vector<Configuration> configurations(const Graph& graph) {
  std::vector<Configuration> found;
  const auto properties = graph.target().properties;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor())
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    if (properties) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *properties);
    if (!heuristics.try_finalize()) continue;
    for (Descriptor& proposal :
         heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR))
      found.push_back(described(std::move(proposal)));
  }
  const auto engines =
      graph.descriptor().get<std::int64_t>(CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT).at(0);
  for (std::int64_t index = 0; index < engines; ++index) {
    if (std::any_of(found.begin(), found.end(), [&](const auto& c) { return c.engine == index; })) continue;
    Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph.descriptor())
        .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, index);
    if (properties) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *properties);
    if (!engine.try_finalize()) continue;
    Descriptor configuration(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    configuration.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    if (configuration.try_finalize()) found.push_back(described(std::move(configuration)));
  }
  return found;
}

Plan::Plan(Descriptor descriptor)
    : descriptor_(std::move(descriptor)),
      workspace_(descriptor_.get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE).at(0)) {}

std::string Plan::json() const {
  return descriptor_.get_text(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
}

Descriptor argument_pack(const std::string& arguments, const std::vector<void*>& pointers, void* workspace) {
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::vector<std::int64_t>(arguments.begin(), arguments.end()))
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
      .finalize();
  return pack;
}

bool Plan::execute(cudnnHandle_t handle, const Descriptor& pack) const {
  const cudnnStatus_t status = cudnnBackendExecute(handle, descriptor_.raw(), pack.raw());
  if (CUDNN_STATUS_CATEGORY(static_cast<int>(status)) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status);
  return true;
}

namespace {

Descriptor new_plan(const Target& target) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (target.handle)
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
  else
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
  return plan;
}

}  // namespace

std::unique_ptr<Plan> build_plan(const Target& target, const Configuration& configuration) {
  Descriptor plan = new_plan(target);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration.descriptor);
  if (!plan.try_finalize()) return nullptr;
  return std::make_unique<Plan>(std::move(plan));
}

std::unique_ptr<Plan> load_plan(const Target& target, const std::string& json) {
  Descriptor plan = new_plan(target);
  const cudnnStatus_t status =
      cudnnBackendSetAttribute(plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                               static_cast<std::int64_t>(json.size()), json.data());
  if (status != CUDNN_STATUS_SUCCESS || cudnnBackendFinalize(plan.raw()) != CUDNN_STATUS_SUCCESS)
    return nullptr;
  return std::make_unique<Plan>(std::move(plan));
}

}  // namespace cudnn
}  // namespace roentgen::kernels
