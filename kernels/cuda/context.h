// What stands behind a Cuda tag: one GPU's stream and memory. No CUDA header is needed to read this one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <typeindex>

#include "kernels/cuda/pool.h"
#include "kernels/device.h"

struct CUstream_st;

namespace roentgen::kernels {

// Number of usable GPUs: 0 without driver or device.
int cuda_device_count() noexcept;

// The device with this number. Its context is made on first use and lives as long as the process. Throws
// DeviceError where there is no such device.
Cuda cuda_device(int ordinal);

// How NVIDIA's libraries may compute. The hand-written kernels use float32 and repeat every bit as they are.
struct CudaOptions {
  bool tf32 = false;           // products of float on tensor cores, rounded to 10 bits of mantissa
  bool deterministic = false;  // the same bits in every run, at the price of no autotuning
  std::size_t workspace = std::size_t{256} << 20;  // most bytes of memory that a kernel may take for itself
};

class CudaContext {
 public:
  explicit CudaContext(int ordinal);
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  int ordinal() const { return ordinal_; }
  // All work on the device is given to this stream, in order.
  CUstream_st* stream() const { return stream_; }
  Pool& pool() { return pool_; }
  CudaOptions& options() { return options_; }
  // This device's only T, made from the context at first use: a library's handle and plans.
  template <class T>
  T& part() {
    std::lock_guard lock(parts_mutex_);
    std::shared_ptr<void>& part = parts_[typeid(T)];
    if (!part) part = std::make_shared<T>(*this);
    return *static_cast<T*>(part.get());
  }
  // Makes the device this thread's current one: before every call of the runtime.
  void activate() const;
  // Waits until the stream is done.
  void synchronize() const;

 private:
  const int ordinal_;
  CUstream_st* stream_ = nullptr;
  Pool pool_;
  CudaOptions options_;
  std::mutex parts_mutex_;
  std::map<std::type_index, std::shared_ptr<void>> parts_;
};

// Device memory that a kernel's launcher needs for the time of its launches.
template <class T>
class Scratch {
 public:
  Scratch(Cuda device, std::int64_t count)
      : context_(*device.context),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(static_cast<T*>(context_.pool().allocate(bytes_))) {}
  ~Scratch() { context_.pool().deallocate(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() const { return data_; }

 private:
  CudaContext& context_;
  std::size_t bytes_;
  T* data_;
};

}  // namespace roentgen::kernels
