// What the scheduler tells AddressSanitizer and ThreadSanitizer. Without them everything here is nothing.
// The scheduler is compiled without instrumentation, so the build says which sanitizer watches the kernels.
#pragma once

#include <cstddef>

#if ROENTGEN_EMULATOR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if ROENTGEN_EMULATOR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace roentgen::emulator {

#if ROENTGEN_EMULATOR_ASAN
inline void forbid(const void* memory, std::size_t bytes) {
  __asan_poison_memory_region(memory, bytes);
}
inline void permit(const void* memory, std::size_t bytes) {
  __asan_unpoison_memory_region(memory, bytes);
}
// Around a change of stacks: leaving this one for another, and having arrived.
inline void leave_stack(void** fake, const void* bottom, std::size_t bytes) {
  __sanitizer_start_switch_fiber(fake, bottom, bytes);
}
inline void arrive_on_stack(void* fake, const void** old_bottom, std::size_t* old_bytes) {
  __sanitizer_finish_switch_fiber(fake, old_bottom, old_bytes);
}
#else
inline void forbid(const void*, std::size_t) {}
inline void permit(const void*, std::size_t) {}
inline void leave_stack(void**, const void*, std::size_t) {}
inline void arrive_on_stack(void*, const void**, std::size_t*) {}
#endif

#if ROENTGEN_EMULATOR_TSAN
inline constexpr bool race_detection = true;
// All that was done before release(p) happened before what follows acquire(p).
inline void release(void* p) {
  __tsan_release(p);
}
inline void acquire(void* p) {
  __tsan_acquire(p);
}
// An identity under which ThreadSanitizer books memory accesses: one for each emulated thread. Taking on
// another orders nothing.
inline void* current_identity() {
  return __tsan_get_current_fiber();
}
inline void* new_identity() {
  return __tsan_create_fiber(0);
}
inline void delete_identity(void* identity) {
  __tsan_destroy_fiber(identity);
}
inline void take_on(void* identity) {
  __tsan_switch_to_fiber(identity, __tsan_switch_to_fiber_no_sync);
}
#else
inline constexpr bool race_detection = false;
inline void release(void*) {}
inline void acquire(void*) {}
inline void* current_identity() {
  return nullptr;
}
inline void* new_identity() {
  return nullptr;
}
inline void delete_identity(void*) {}
inline void take_on(void*) {}
#endif

}  // namespace roentgen::emulator
