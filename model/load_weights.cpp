// Weights of other programs, brought into our layout at the border.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "engine/check.h"
#include "model/checkpoint.h"
#include "model/checkpoint_info.h"
#include "model/json.h"
#include "model/state.h"

namespace roentgen::model {
namespace {

enum class Layout { roentgen, pytorch, keras };

const char* name_of(Layout layout) {
  switch (layout) {
    case Layout::roentgen:
      return "roentgen";
    case Layout::pytorch:
      return "pytorch";
    case Layout::keras:
      return "keras";
  }
  throw std::logic_error("load_weights: no such layout");
}

// Where the axes of our tensor, filters [k, r, s, c] or dense [out, in], stand in the file's. Tensors of
// other ranks are the same everywhere.
std::vector<std::size_t> order(Layout layout, std::size_t rank) {
  if (rank == 4 && layout == Layout::pytorch) return {0, 2, 3, 1};
  if (rank == 4 && layout == Layout::keras) return {3, 0, 1, 2};
  if (rank == 2 && layout == Layout::keras) return {1, 0};
  std::vector<std::size_t> same(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) same[axis] = axis;
  return same;
}

Shape shape_in(Layout layout, const Shape& ours) {
  const std::vector<std::size_t> to = order(layout, ours.size());
  Shape theirs(ours.size());
  for (std::size_t axis = 0; axis < ours.size(); ++axis) theirs[to[axis]] = ours[axis];
  return theirs;
}

// Elements in our order of axes; `to` as order() gives it.
std::vector<double> transposed(const std::vector<double>& theirs, const Shape& ours,
                               const std::vector<std::size_t>& to) {
  const std::size_t rank = ours.size();
  Shape shape(rank), stride(rank);  // of the file's tensor; then its strides seen along our axes
  for (std::size_t axis = 0; axis < rank; ++axis) shape[to[axis]] = ours[axis];
  for (std::size_t axis = 0; axis < rank; ++axis) {
    stride[axis] = 1;
    for (std::size_t inner = to[axis] + 1; inner < rank; ++inner) stride[axis] *= shape[inner];
  }
  std::vector<double> result;
  result.reserve(theirs.size());
  Shape index(rank, 0);
  while (result.size() < theirs.size()) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) offset += index[axis] * stride[axis];
    result.push_back(theirs[static_cast<std::size_t>(offset)]);
    for (std::size_t axis = rank; axis-- > 0 && ++index[axis] == ours[axis];) index[axis] = 0;
  }
  return result;
}

// The images [h, w, c] that Flatten made the inputs of dense layers from, by the name of their weight.
std::map<std::string, Shape> flattened(const Sequential& net) {
  std::map<std::string, Shape> result;
  Shape shape = net.input_shape(), image;
  for (const auto& layer : net.layers().layers()) {
    if (layer->kind() == "Flatten") image = shape;
    if (layer->kind() == "Dense") {
      if (image.size() == 3) result[layer->full_name() + ".weight"] = image;
      image.clear();
    }
    shape = layer->output_shape(shape);
  }
  return result;
}

bool fits(Layout layout, const TensorFile& file, const std::vector<ParameterSpec>& specs) {
  return std::all_of(specs.begin(), specs.end(), [&](const ParameterSpec& spec) {
    const Tensor* tensor = file.find(spec.name);
    return !tensor || tensor->shape() == shape_in(layout, spec.shape);
  });
}

struct Choice {
  Layout layout = Layout::roentgen;
  std::string reason;
};

Choice choose_layout(const TensorFile& file, const std::vector<ParameterSpec>& specs,
                     const std::string& path) {
  constexpr std::array layouts{Layout::roentgen, Layout::pytorch, Layout::keras};
  if (const auto said = file.metadata.find("layout"); said != file.metadata.end()) {
    for (const Layout layout : layouts) {
      if (said->second == name_of(layout)) return {layout, "as its metadata say"};
    }
    throw CheckpointError(
        fmt::format("{}: its layout {} is none of roentgen, pytorch and keras", path, shown(said->second)));
  }
  std::vector<Layout> possible;
  std::copy_if(layouts.begin(), layouts.end(), std::back_inserter(possible),
               [&](Layout layout) { return fits(layout, file, specs); });
  if (possible.empty()) return {Layout::roentgen, ""};  // refused with the first tensor that does not fit
  if (possible.size() == 1) return {possible.front(), "as the shapes of its tensors tell"};
  return {possible.front(), "as nothing tells otherwise; metadata \"layout\" would"};
}

void check(const TensorFile& file, const std::vector<ParameterSpec>& specs, Layout layout,
           const std::string& path) {
  std::set<std::string> known;
  for (const ParameterSpec& spec : specs) {
    known.insert(spec.name);
    const Tensor* tensor = file.find(spec.name);
    if (!tensor) {
      throw CheckpointError(fmt::format("{}: the network's tensor {} is missing", path, shown(spec.name)));
    }
    const Shape expected = shape_in(layout, spec.shape);
    if (tensor->shape() != expected || !is_floating(tensor->dtype())) {
      throw CheckpointError(fmt::format("{}: the tensor {} is {} {} where the network needs {} in layout {}",
                                        path, shown(spec.name), engine::to_string(tensor->dtype()),
                                        engine::to_string(tensor->shape()), engine::to_string(expected),
                                        name_of(layout)));
    }
  }
  const bool checkpoint = file.metadata.contains(checkpoint_key);
  for (const auto& [name, tensor] : file.tensors) {
    if (known.contains(name) || (checkpoint && name.starts_with(optimizer_prefix))) continue;
    throw CheckpointError(fmt::format("{}: the tensor {} does not belong to the network", path, shown(name)));
  }
}

}  // namespace

std::string load_weights(Sequential& net, const std::filesystem::path& path) {
  engine::require(net.built(), "load_weights: the network is not built");
  const TensorFile file = read_safetensors(path);
  const std::vector<ParameterSpec> specs = net.parameter_specs();
  const auto [layout, reason] = choose_layout(file, specs, path.string());
  check(file, specs, layout, path.string());

  const std::map<std::string, Shape> images = flattened(net);
  for (const NamedTensor& target : net.state()) {
    const Tensor& source = *file.find(target.name);
    const Shape& shape = target.tensor.shape();
    if (const auto image = images.find(target.name); image != images.end() && layout == Layout::pytorch) {
      // Columns [h, w, c] of ours stand in the file as [c, h, w].
      const Shape columns{shape[0], image->second[0], image->second[1], image->second[2]};
      assign(target.tensor, transposed(source.to_doubles(), columns, {0, 2, 3, 1}));
    } else if (const std::vector<std::size_t> to = order(layout, shape.size());
               std::is_sorted(to.begin(), to.end())) {
      assign(target.tensor, source);
    } else {
      assign(target.tensor, transposed(source.to_doubles(), shape, to));
    }
  }
  return fmt::format("{}: weights taken in layout {}, {}", path.string(), name_of(layout), reason);
}

}  // namespace roentgen::model
