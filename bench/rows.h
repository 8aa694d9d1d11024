// The rows that are no kernels. Each function registers its family.
#pragma once

#include "bench/settings.h"

namespace roentgen::bench {

void add_training_rows(const Settings& settings);
void add_image_rows(const Settings& settings);
void add_startup_rows(const Settings& settings);
#if ROENTGEN_WITH_OP_TABLE
void add_op_rows(const Settings& settings);
#endif

}  // namespace roentgen::bench
