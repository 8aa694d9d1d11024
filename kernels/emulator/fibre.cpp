#include "kernels/emulator/fibre.h"

#include <sys/mman.h>

#include <new>

#include "kernels/emulator/sanitize.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__x86_64__)
// Saves what a call must preserve, swaps stacks, restores. ucontext would do, at 15 to 30 times the cost: it
// asks the kernel for the signal mask.
extern "C" void roentgen_emulator_switch(void** save, void* load);
asm(R"(
.text
.globl roentgen_emulator_switch
.type roentgen_emulator_switch,@function
roentgen_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size roentgen_emulator_switch,.-roentgen_emulator_switch
)");
#endif

namespace roentgen::emulator {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t stack_bytes = 256 * 1024;  // an AddressSanitizer report alone needs more than 16 KiB

// Who left and who arrives in the switch being made.
thread_local Fibre* leaving = nullptr;
thread_local Fibre* arriving = nullptr;

}  // namespace

Fibre::Fibre(void (*entry)()) : entry_(entry), bytes_(stack_bytes) {
  void* block = mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  mprotect(block, page, PROT_NONE);  // overflowing the stack faults
  bottom_ = static_cast<char*>(block) + page;
#if !defined(__x86_64__)
  context_ = new ucontext_t;
#endif
  restart();
}

Fibre::~Fibre() {
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(context_);
#endif
  if (entry_) munmap(static_cast<char*>(const_cast<void*>(bottom_)) - page, stack_bytes + page);
}

void Fibre::restart() {
  permit(bottom_, bytes_);
  fake_stack_ = nullptr;
#if defined(__x86_64__)
  // The first switch pops six registers and returns into start, where the stack pointer must be 16 n + 8, as
  // after a call.
  void** top = reinterpret_cast<void**>(static_cast<char*>(const_cast<void*>(bottom_)) + bytes_) - 3;
  *top = nullptr;
  *--top = reinterpret_cast<void*>(&Fibre::start);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  context_ = top;
#else
  auto* context = static_cast<ucontext_t*>(context_);
  getcontext(context);
  context->uc_stack.ss_sp = const_cast<void*>(bottom_);
  context->uc_stack.ss_size = bytes_;
  context->uc_link = nullptr;
  makecontext(context, &Fibre::start, 0);
#endif
}

void Fibre::arrive(Fibre* from) {
  const void* old_bottom = nullptr;
  std::size_t old_bytes = 0;
  arrive_on_stack(fake_stack_, &old_bottom, &old_bytes);
  if (!from->bottom_) {  // the OS thread's own stack, whose place is learnt on leaving it
    from->bottom_ = old_bottom;
    from->bytes_ = old_bytes;
  }
}

void Fibre::start() {
  arriving->arrive(leaving);
  arriving->entry_();
}

void Fibre::switch_to(Fibre& to) {
  leaving = this;
  arriving = &to;
  leave_stack(&fake_stack_, to.bottom_, to.bytes_);
#if defined(__x86_64__)
  roentgen_emulator_switch(&context_, to.context_);
#else
  ucontext_t here;
  if (!context_) context_ = &here;
  swapcontext(static_cast<ucontext_t*>(context_), static_cast<ucontext_t*>(to.context_));
  if (context_ == &here) context_ = nullptr;
#endif
  arrive(leaving);
}

}  // namespace roentgen::emulator
