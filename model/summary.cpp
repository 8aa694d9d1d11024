// Keras' table of a network.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/sequential.h"

namespace roentgen::model {
namespace {

// 7466307 as "7,466,307".
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  }
  return digits;
}

}  // namespace

std::string Sequential::summary(const std::string& title) const {
  struct Row {
    std::string layer, output, parameters;
  };
  std::vector<Row> rows;
  const std::vector<std::string> names = layers_.layer_names();
  Shape shape = input_;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Layer& layer = *layers_.layers()[i];
    std::int64_t count = 0;
    for (const ParameterSpec& spec : layer.parameters(shape)) count += engine::element_count(spec.shape);
    shape = layer.output_shape(shape);
    rows.push_back({fmt::format("{} ({})", names[i], layer.kind()),
                    fmt::format("(None, {})", fmt::join(shape, ", ")), grouped(count)});
  }

  // Keras' columns start at 1, 29 and 55 of 65; longer names move the later ones.
  std::size_t widest = 27;
  for (const Row& row : rows) widest = std::max(widest, row.layer.size() + 1);
  const std::size_t width = widest + 38;
  const auto line = [&](const std::string& a, const std::string& b, const std::string& c) {
    return fmt::format(" {:<{}} {:<25} {}\n", a, widest, b, c);
  };
  std::string table = fmt::format("Model: \"{}\"\n{}\n", title, std::string(width, '_'));
  table += line("Layer (type)", "Output Shape", "Param #") + std::string(width, '=') + "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) table += "\n";
    table += line(rows[i].layer, rows[i].output, rows[i].parameters);
  }
  const std::int64_t all = parameter_count(), trainable = parameter_count(true);
  table += fmt::format("{}\nTotal params: {}\nTrainable params: {}\nNon-trainable params: {}\n{}\n",
                       std::string(width, '='), grouped(all), grouped(trainable), grouped(all - trainable),
                       std::string(width, '_'));
  return table;
}

}  // namespace roentgen::model
