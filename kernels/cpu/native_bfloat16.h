// Whether bfloat16 is worth choosing here.
#pragma once

namespace roentgen::kernels {

// True where the processor multiplies bfloat16 itself. Elsewhere bfloat16 works too: bands are converted to
// float, which saves memory but no time.
bool native_bfloat16();

}  // namespace roentgen::kernels
