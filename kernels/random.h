// Kernels that draw random numbers.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"
#include "kernels/philox.h"

namespace roentgen::kernels {

// y[i] = x[i] / (1 - rate) where element i is kept, else 0. Kept: random_bits(key, i) >=
// drop_threshold(rate), 0 <= rate < 1. The backward is the same call on dy: the mask is drawn again, never
// stored.
template <class T>
void dropout(Reference, const T* x, T* y, std::int64_t n, float rate, const RandomKey& key);
template <class T>
void dropout(Cpu, const T* x, T* y, std::int64_t n, float rate, const RandomKey& key);
template <class T>
void dropout(Cuda, const T* x, T* y, std::int64_t n, float rate, const RandomKey& key);

// y uniform in [low, high) before it is rounded to T, element i from the key's number i.
template <class T>
void random_uniform(Reference, T* y, std::int64_t n, double low, double high, const RandomKey& key);
template <class T>
void random_uniform(Cpu, T* y, std::int64_t n, double low, double high, const RandomKey& key);
template <class T>
void random_uniform(Cuda, T* y, std::int64_t n, double low, double high, const RandomKey& key);

// y normal with the given mean and deviation, by Box and Muller.
template <class T>
void random_normal(Reference, T* y, std::int64_t n, double mean, double deviation, const RandomKey& key);
template <class T>
void random_normal(Cpu, T* y, std::int64_t n, double mean, double deviation, const RandomKey& key);
template <class T>
void random_normal(Cuda, T* y, std::int64_t n, double mean, double deviation, const RandomKey& key);

}  // namespace roentgen::kernels
