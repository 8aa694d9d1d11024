#include "kernels/cpu/amx.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/scratch.h"
#include "kernels/cpu/simd.h"

namespace roentgen::kernels {
namespace {

// A tile is 16 rows of 64 bytes: 16 x 16 floats, 16 x 32 bfloat16, or 16 pairs of rows by 16 columns.
constexpr std::int64_t edge = 16, depth = 32, tile_size = edge * depth;

// Written as assembly: GCC 12's intrinsics do not tell the compiler that they read memory, and its
// _tile_loadconfig that it reads all 64 bytes.
#define ROENTGEN_AMX __attribute__((target("amx-tile,amx-bf16")))

struct TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

// Tiles keep this shape for the length of a scope.
class TileScope {
 public:
  ROENTGEN_AMX TileScope() {
    const TileConfig config;
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  ROENTGEN_AMX ~TileScope() { asm volatile("tilerelease" : : : "memory"); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

template <int tile>
ROENTGEN_AMX inline void load_tile(const void* from, std::int64_t row_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(row_bytes), "i"(tile) : "memory");
}
template <int tile>
ROENTGEN_AMX inline void store_tile(void* to, std::int64_t row_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(row_bytes), "i"(tile) : "memory");
}
// sum += a b, b's rows interleaved in pairs.
template <int sum, int a, int b>
ROENTGEN_AMX inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
}

// Filters are packed as [group of 32][tap][block of 32 inner][two tiles of 16 pairs x 16 filters].
class AmxForward final : public ForwardEngine<bfloat16> {
 public:
  explicit AmxForward(const Correlation& shape)
      : s_(shape),
        row_taps_(s_.dilation_w == 1),
        taps_(row_taps_ ? s_.r : s_.r * s_.s),
        inner_(row_taps_ ? s_.s * s_.c : s_.c),
        blocks_((inner_ + depth - 1) / depth),
        columns_(round_up(s_.k, 2 * edge)) {}

  std::int64_t packed_size() const override { return columns_ * taps_ * blocks_ * depth; }
  void pack(const bfloat16* filters, bfloat16* packed) const override {
    std::fill_n(packed, packed_size(), bfloat16{});
    for (std::int64_t k = 0; k < s_.k; ++k)
      for (std::int64_t tap = 0; tap < taps_; ++tap)
        for (std::int64_t i = 0; i < inner_; ++i) {
          const std::int64_t block = (k / (2 * edge) * taps_ + tap) * blocks_ + i / depth;
          const std::int64_t tile = block * 2 + k % (2 * edge) / edge;
          packed[tile * tile_size + i % depth / 2 * depth + k % edge * 2 + i % 2] = *filters++;
        }
  }
  std::int64_t out_pixel() const override { return columns_; }
  bool overreads() const override { return inner_ % depth != 0; }

  ROENTGEN_AMX void run(std::int64_t rows, const bfloat16* src, const bfloat16* packed, const float* bias,
                        float* out) const override {
    const TileScope tiles;
    const std::int64_t pixel = s_.stride_w * s_.c, line = s_.in_w * s_.c;
    const std::int64_t out_bytes = columns_ * 4, last = s_.out_w - edge;
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t first = 0; first < columns_; first += 2 * edge)
        for (std::int64_t x = 0; x < s_.out_w; x += 2 * edge) {
          // The last tiles move back into the row and compute some outputs twice.
          const std::int64_t x0 = std::min(x, last), x1 = std::min(x + edge, last);
          load_tile<0>(bias + first, 0);
          load_tile<1>(bias + first + edge, 0);
          load_tile<2>(bias + first, 0);
          load_tile<3>(bias + first + edge, 0);
          const bfloat16* b = packed + first * taps_ * blocks_ * depth;
          for (std::int64_t tap = 0; tap < taps_; ++tap) {
            const std::int64_t r = row_taps_ ? tap : tap / s_.s, q = row_taps_ ? 0 : tap % s_.s;
            const bfloat16* a =
                src + (row * s_.stride_h + r * s_.dilation_h) * line + q * s_.dilation_w * s_.c;
            for (std::int64_t block = 0; block < blocks_; ++block, a += depth, b += 2 * tile_size) {
              load_tile<4>(a + x0 * pixel, pixel * 2);
              load_tile<6>(b, 64);
              load_tile<7>(b + tile_size, 64);
              multiply_tiles<0, 4, 6>();
              load_tile<5>(a + x1 * pixel, pixel * 2);
              multiply_tiles<1, 4, 7>();
              multiply_tiles<2, 5, 6>();
              multiply_tiles<3, 5, 7>();
            }
          }
          float* to = out + row * s_.out_w * columns_ + first;
          store_tile<0>(to + x0 * columns_, out_bytes);
          store_tile<1>(to + x0 * columns_ + edge, out_bytes);
          store_tile<2>(to + x1 * columns_, out_bytes);
          store_tile<3>(to + x1 * columns_ + edge, out_bytes);
        }
  }

 private:
  Correlation s_;
  bool row_taps_;
  std::int64_t taps_, inner_, blocks_, columns_;
};

using Line [[gnu::vector_size(32), gnu::aligned(2), gnu::may_alias]] = std::uint16_t;

// to[j][i] = from[i][j] for i, j < 16; rows from_row and to_row elements apart. Four times, rows i and i + 8
// are merged like the halves of a deck of cards, after which every element has changed its row for its
// column.
void transpose_block(const bfloat16* from, std::int64_t from_row, bfloat16* to, std::int64_t to_row) {
  Line rows[16], merged[16];
  for (int i = 0; i < 16; ++i) rows[i] = *reinterpret_cast<const Line*>(from + i * from_row);
  const auto merge = [](const Line(&in)[16], Line(&out)[16]) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      out[2 * i] =
          __builtin_shufflevector(in[i], in[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      out[2 * i + 1] = __builtin_shufflevector(in[i], in[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
                                               14, 30, 15, 31);
    }
  };
  merge(rows, merged);
  merge(merged, rows);
  merge(rows, merged);
  merge(merged, rows);
  for (int i = 0; i < 16; ++i) *reinterpret_cast<Line*>(to + i * to_row) = rows[i];
}

// Filters of up to so many taps and channels together have their inputs laid out tap by tap, or the tiles of
// a picture's three channels would be nearly empty.
constexpr std::int64_t unfolded_taps = 64;

// The gradient of a filter tap is a product over pixels: inputs are transposed to [row][c][pixel] and output
// gradients interleaved to [block of 32 k][row][pair of pixels][32][2]. Partials are [tap][c, rounded up][k,
// rounded up]. Where the taps are unfolded, they count as channels, and there is one tap.
class AmxGradient final : public GradientEngine<bfloat16> {
 public:
  explicit AmxGradient(const Correlation& shape)
      : s_(shape),
        g_(shape),
        pixels_(round_up(s_.out_w, depth)),
        transposed_line_(round_up(pixels_ + (s_.s - 1) * s_.dilation_w, depth)),
        line_(transposed_line_),
        unfolded_(s_.r * s_.s > 1 && s_.r * s_.s * s_.c <= unfolded_taps),
        columns_(round_up(s_.k, edge)) {
    if (unfolded_) {
      g_.c = s_.r * s_.s * s_.c;
      g_.r = g_.s = g_.stride_h = g_.dilation_h = 1;
      line_ = pixels_;
    }
    channels_ = round_up(g_.c, edge);
  }

  std::int64_t partial_size() const override { return g_.r * g_.s * channels_ * columns_; }
  void unpack(const float* partial, float* filters) const override {
    const std::int64_t size = s_.r * s_.s * s_.c;
    for (std::int64_t k = 0; k < s_.k; ++k)
      for (std::int64_t i = 0; i < size; ++i)
        *filters++ = partial[(i / g_.c * channels_ + i % g_.c) * columns_ + k];
  }
  bool dense() const override { return false; }

  void run(std::int64_t rows, const bfloat16* src, const bfloat16* d, std::int64_t d_row,
           float* partial) const override {
    const std::int64_t rows_in = s_.rows_in(rows);
    // The last tile of channels may reach past the last of them: its outputs there are never unpacked.
    const std::int64_t slack = edge * transposed_line_;
    bfloat16* x = scratch<bfloat16>(Slot::library, rows_in * s_.c * transposed_line_ + slack);
    std::uint32_t* pairs =
        scratch<std::uint32_t>(Slot::library2, rows * pixels_ / 2 * round_up(s_.k, 2 * edge));
    transpose(src, rows_in, x);
    if (unfolded_) x = unfold(x, rows);
    interleave(d, d_row, rows, pairs);
    multiply(rows, x, pairs, partial);
  }

 private:
  void transpose(const bfloat16* src, std::int64_t rows, bfloat16* x) const {
    const std::int64_t width = std::min(s_.in_w, transposed_line_);
    const std::int64_t whole_c = s_.c / edge * edge, whole_width = width / edge * edge;
    for (std::int64_t row = 0; row < rows; ++row, src += s_.in_w * s_.c, x += s_.c * transposed_line_) {
      for (std::int64_t i = 0; i < whole_width; i += edge)
        for (std::int64_t c = 0; c < whole_c; c += edge)
          transpose_block(src + i * s_.c + c, s_.c, x + c * transposed_line_ + i, transposed_line_);
      for (std::int64_t c = 0; c < s_.c; ++c) {
        bfloat16* line = x + c * transposed_line_;
        for (std::int64_t i = c < whole_c ? whole_width : 0; i < width; ++i) line[i] = src[i * s_.c + c];
        std::fill(line + width, line + transposed_line_, bfloat16{});
      }
    }
  }

  // [output row][r][s][c][pixel] from [row][c][pixel].
  bfloat16* unfold(const bfloat16* x, std::int64_t rows) const {
    bfloat16* out = scratch<bfloat16>(Slot::library3, rows * g_.c * line_ + edge * line_);
    bfloat16* to = out;
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t r = 0; r < s_.r; ++r)
        for (std::int64_t q = 0; q < s_.s; ++q)
          for (std::int64_t c = 0; c < s_.c; ++c, to += line_) {
            const std::int64_t at = (row * s_.stride_h + r * s_.dilation_h) * s_.c + c;
            std::copy_n(x + at * transposed_line_ + q * s_.dilation_w, line_, to);
          }
    return out;
  }

  // pairs [block of 32 k][row][pair of pixels][32]: the even pixel in the low half, zeros beyond the row.
  void interleave(const bfloat16* d, std::int64_t d_row, std::int64_t rows, std::uint32_t* pairs) const {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t x = 0; x < pixels_; x += 2) {
        const bfloat16* even = d + row * d_row + x * s_.k;
        for (std::int64_t k = 0; k < s_.k; k += 2 * edge) {
          std::uint32_t* __restrict to = pairs + ((k / 2 * rows + row * edge) * pixels_ + x * edge);
          const std::int64_t known = x < s_.out_w ? std::min(2 * edge, s_.k - k) : 0;
          if (x + 1 < s_.out_w)
            for (std::int64_t i = 0; i < known; ++i)
              to[i] = even[k + i].bits | std::uint32_t{even[s_.k + k + i].bits} << 16;
          else
            for (std::int64_t i = 0; i < known; ++i) to[i] = even[k + i].bits;
          std::fill(to + known, to + 2 * edge, 0u);
        }
      }
  }

  // A few rows at a time, so that what the taps read again and again stays in the L1 cache.
  ROENTGEN_AMX void multiply(std::int64_t rows, const bfloat16* x, const std::uint32_t* pairs,
                             float* partial) const {
    const TileScope tiles;
    const std::int64_t together = std::max<std::int64_t>(1, 8 * depth / pixels_);
    for (std::int64_t c = 0; c < channels_; c += 2 * edge)
      for (std::int64_t row = 0; row < rows; row += together)
        for (std::int64_t k = 0; k < columns_; k += 2 * edge) {
          const bool two_c = c + edge < channels_, two_k = k + edge < columns_;
          const auto run = two_c ? (two_k ? &AmxGradient::multiply_block<true, true>
                                          : &AmxGradient::multiply_block<true, false>)
                                 : (two_k ? &AmxGradient::multiply_block<false, true>
                                          : &AmxGradient::multiply_block<false, false>);
          (this->*run)(std::min(together, rows - row), x + row * g_.stride_h * g_.c * line_ + c * line_,
                       pairs + (k / 2 * rows + row * edge) * pixels_, partial + c * columns_ + k);
        }
  }

  // x from its first channel, pairs of one block of k, sums from that channel and k.
  template <bool two_c, bool two_k>
  ROENTGEN_AMX void multiply_block(std::int64_t rows, const bfloat16* x, const std::uint32_t* pairs,
                                   float* sum) const {
    const std::int64_t sum_bytes = columns_ * 4, a_bytes = line_ * 2, b_bytes = 2 * edge * 4;
    for (std::int64_t r = 0; r < g_.r; ++r)
      for (std::int64_t q = 0; q < g_.s; ++q, sum += channels_ * columns_) {
        load_tile<0>(sum, sum_bytes);
        if constexpr (two_k) load_tile<1>(sum + edge, sum_bytes);
        if constexpr (two_c) load_tile<2>(sum + edge * columns_, sum_bytes);
        if constexpr (two_c && two_k) load_tile<3>(sum + edge * columns_ + edge, sum_bytes);
        const std::uint32_t* b = pairs;
        for (std::int64_t row = 0; row < rows; ++row) {
          const bfloat16* a = x + (row * g_.stride_h + r * g_.dilation_h) * g_.c * line_ + q * g_.dilation_w;
          for (std::int64_t p = 0; p < pixels_; p += depth, a += depth, b += tile_size) {
            load_tile<4>(a, a_bytes);
            load_tile<6>(b, b_bytes);
            multiply_tiles<0, 4, 6>();
            if constexpr (two_k) {
              load_tile<7>(b + edge, b_bytes);
              multiply_tiles<1, 4, 7>();
            }
            if constexpr (two_c) {
              load_tile<5>(a + edge * line_, a_bytes);
              multiply_tiles<2, 5, 6>();
            }
            if constexpr (two_c && two_k) multiply_tiles<3, 5, 7>();
          }
        }
        store_tile<0>(sum, sum_bytes);
        if constexpr (two_k) store_tile<1>(sum + edge, sum_bytes);
        if constexpr (two_c) store_tile<2>(sum + edge * columns_, sum_bytes);
        if constexpr (two_c && two_k) store_tile<3>(sum + edge * columns_ + edge, sum_bytes);
      }
  }

  Correlation s_, g_;  // as asked, and as multiplied
  std::int64_t pixels_, transposed_line_, line_;
  bool unfolded_;
  std::int64_t columns_, channels_ = 0;
};

#undef ROENTGEN_AMX

}  // namespace

bool has_amx() {
  static const bool yes = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned bf16_bit = 1u << 22, tile_bit = 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & bf16_bit) || !(d & tile_bit)) return false;
    constexpr long request_permission = 0x1023,
                   tile_data = 18;  // Linux hands out the 8 KB of state on request
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return yes;
}

std::unique_ptr<ForwardEngine<bfloat16>> amx_forward(const Correlation& shape) {
  if (!has_amx() || shape.out_w < edge) return nullptr;
  return std::make_unique<AmxForward>(shape);
}
std::unique_ptr<GradientEngine<bfloat16>> amx_gradient(const Correlation& shape) {
  if (!has_amx() || shape.stride_w != 1) return nullptr;
  return std::make_unique<AmxGradient>(shape);
}

}  // namespace roentgen::kernels

#else

namespace roentgen::kernels {

bool has_amx() {
  return false;
}
std::unique_ptr<ForwardEngine<bfloat16>> amx_forward(const Correlation&) {
  return nullptr;
}
std::unique_ptr<GradientEngine<bfloat16>> amx_gradient(const Correlation&) {
  return nullptr;
}

}  // namespace roentgen::kernels

#endif
