// Augmentation, pooling, batch normalisation: kernels on images and feature maps, at the network's shapes.
#include <fmt/format.h>

#include "bench/kernel_rows.h"
#include "kernels/augment.h"
#include "kernels/norm.h"
#include "kernels/pool.h"

namespace roentgen::bench {

namespace {

using kernels::AugmentShape;
using kernels::BatchNormShape;
using kernels::Master;
using kernels::Pool2dShape;

void add_augment(const KernelTable& table, const char* label, bool turned) {
  table.add("augment", label, [turned]<class T>(auto device, T, const Geometry& g) {
    const std::int64_t side = g.extent(256), n = g.batch * side * side * 3;
    const AugmentShape s{.n = g.batch, .h = side, .w = side, .c = 3};
    return Case{.shape = fmt::format("{}x{}x{}x3", g.batch, side, side),
                .images = static_cast<double>(g.batch),
                .buffers = {pixels(n), maps(g.batch, side), output<T>(n)},
                .run = [=](const Memory& m) {
                  const auto* affine = reinterpret_cast<const kernels::Affine*>(m[1].raw());
                  kernels::augment(device, s, at<std::uint8_t>(m, 0), turned ? affine : nullptr, 1.0 / 255,
                                   at<T>(m, 2));
                }};
  });
}

// Convolution outputs of the network, which its pools see.
struct Map {
  const char* label;
  std::int64_t side, c;
};
constexpr Map maps_of_network[] = {{"pool1", 254, 32}, {"pool2", 125, 64}, {"pool3", 60, 128}};

struct Pool {
  Pool2dShape s;
  std::int64_t x, y;
  Pool(const Map& map, const Geometry& g)
      : s{.n = g.batch, .h = g.extent(map.side), .w = g.extent(map.side), .c = map.c},
        x(s.n * s.h * s.w * s.c),
        y(s.n * s.out_h() * s.out_w() * s.c) {}
  std::string describe() const { return fmt::format("{}x{}x{}x{}, 2x2", s.n, s.h, s.w, s.c); }
};

void add_max_pool(const KernelTable& table, const Map& map) {
  table.add("max_pool_forward", map.label, [map]<class T>(auto device, T, const Geometry& g) {
    const Pool p(map, g);
    return Case{.shape = p.describe(),
                .buffers = {input<T>(p.x), output<T>(p.y), output<std::int32_t>(p.y)},
                .run = [=](const Memory& m) {
                  kernels::max_pool_forward(device, p.s, at<T>(m, 0), at<T>(m, 1), at<std::int32_t>(m, 2));
                }};
  });
  table.add("max_pool_backward", map.label, [map]<class T>(auto device, T, const Geometry& g) {
    const Pool p(map, g);
    return Case{
        .shape = p.describe(),
        .buffers = {input<T>(p.y), hidden<std::int32_t>(p.y), output<T>(p.x)},
        .run =
            [=](const Memory& m) {
              kernels::max_pool_backward(device, p.s, at<T>(m, 0), at<std::int32_t>(m, 1), at<T>(m, 2));
            },
        .prepare =
            [=](const Memory& m) {
              const Memory xy = allocate({.buffers = {input<T>(p.x), output<T>(p.y)}}, device);
              kernels::max_pool_forward(device, p.s, at<T>(xy, 0), at<T>(xy, 1), at<std::int32_t>(m, 1));
            }};
  });
}

void add_avg_pool(const KernelTable& table, const Map& map) {
  table.add("avg_pool_forward", map.label, [map]<class T>(auto device, T, const Geometry& g) {
    const Pool p(map, g);
    return Case{
        .shape = p.describe(), .buffers = {input<T>(p.x), output<T>(p.y)}, .run = [=](const Memory& m) {
          kernels::avg_pool_forward(device, p.s, at<T>(m, 0), at<T>(m, 1));
        }};
  });
  table.add("avg_pool_backward", map.label, [map]<class T>(auto device, T, const Geometry& g) {
    const Pool p(map, g);
    return Case{
        .shape = p.describe(), .buffers = {input<T>(p.y), output<T>(p.x)}, .run = [=](const Memory& m) {
          kernels::avg_pool_backward(device, p.s, at<T>(m, 0), at<T>(m, 1));
        }};
  });
}

void add_batch_norm(const KernelTable& table, const Map& map) {
  table.add("batch_norm_forward", map.label, [map]<class T>(auto device, T, const Geometry& g) {
    const BatchNormShape s{.rows = g.batch * g.extent(map.side) * g.extent(map.side), .c = map.c};
    return Case{.shape = fmt::format("{}x{}", s.rows, s.c),
                .buffers = {input<T>(s.rows * s.c), input<Master<T>>(s.c), input<Master<T>>(s.c),
                            output<T>(s.rows * s.c), output<Master<T>>(s.c), output<Master<T>>(s.c)},
                .run = [=](const Memory& m) {
                  kernels::batch_norm_forward(device, s, at<T>(m, 0), at<Master<T>>(m, 1),
                                              at<Master<T>>(m, 2), at<T>(m, 3), at<Master<T>>(m, 4),
                                              at<Master<T>>(m, 5));
                }};
  });
  table.add("batch_norm_backward", map.label, [map]<class T>(auto device, T, const Geometry& g) {
    const BatchNormShape s{.rows = g.batch * g.extent(map.side) * g.extent(map.side), .c = map.c};
    return Case{.shape = fmt::format("{}x{}", s.rows, s.c),
                .buffers = {input<T>(s.rows * s.c), input<T>(s.rows * s.c), input<Master<T>>(s.c),
                            input<Master<T>>(s.c), input<Master<T>>(s.c), output<T>(s.rows * s.c),
                            output<Master<T>>(s.c), output<Master<T>>(s.c)},
                .run = [=](const Memory& m) {
                  kernels::batch_norm_backward(device, s, at<T>(m, 0), at<T>(m, 1), at<Master<T>>(m, 2),
                                               at<Master<T>>(m, 3), at<Master<T>>(m, 4), at<T>(m, 5),
                                               at<Master<T>>(m, 6), at<Master<T>>(m, 7));
                }};
  });
}

}  // namespace

void add_image_cases(const KernelTable& table) {
  add_augment(table, "turned", true);
  add_augment(table, "scaled", false);
  for (const Map& map : maps_of_network) add_max_pool(table, map);
  add_avg_pool(table, maps_of_network[1]);
  add_batch_norm(table, maps_of_network[1]);
}

}  // namespace roentgen::bench
