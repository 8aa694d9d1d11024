#include "kernels/cuda/cublaslt_library.h"

#include <dlfcn.h>

#include <stdexcept>

namespace roentgen::kernels {

void check(cublasStatus_t status, Site site) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const cublaslt::Functions* lt = cublaslt::functions();
  throw DeviceError(std::string("cuBLASLt: ") + (lt ? lt->status_name(status) : "not loaded") + " at " +
                    site.file + ":" + std::to_string(site.line));
}

namespace cublaslt {
namespace {

void* open_library() {
  const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  // Where the loader looks, then where the toolkit lay that we were built with. Never closed: kernels and
  // handles of it may be in use until the process ends.
  for (const std::string& path : {name, std::string(ROENTGEN_CUBLASLT_FOLDER "/") + name})
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  throw std::runtime_error(dlerror());
}

template <class F>
void resolve(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  if (!function) throw std::runtime_error(dlerror());
}

Functions load() {
  void* library = open_library();
  Functions f{};
  resolve(library, "cublasLtGetVersion", f.version);
  if (f.version() < CUBLAS_VERSION)
    throw std::runtime_error("cuBLASLt " + std::to_string(f.version()) + " is older than " +
                             std::to_string(CUBLAS_VERSION) + ", which this program was built with");
  resolve(library, "cublasLtGetStatusName", f.status_name);
  resolve(library, "cublasLtCreate", f.create);
  resolve(library, "cublasLtDestroy", f.destroy);
  resolve(library, "cublasLtMatmulDescCreate", f.operation_create);
  resolve(library, "cublasLtMatmulDescDestroy", f.operation_destroy);
  resolve(library, "cublasLtMatmulDescSetAttribute", f.operation_set);
  resolve(library, "cublasLtMatmulDescGetAttribute", f.operation_get);
  resolve(library, "cublasLtMatrixLayoutCreate", f.layout_create);
  resolve(library, "cublasLtMatrixLayoutDestroy", f.layout_destroy);
  resolve(library, "cublasLtMatrixLayoutSetAttribute", f.layout_set);
  resolve(library, "cublasLtMatrixLayoutGetAttribute", f.layout_get);
  resolve(library, "cublasLtMatmulPreferenceCreate", f.preference_create);
  resolve(library, "cublasLtMatmulPreferenceDestroy", f.preference_destroy);
  resolve(library, "cublasLtMatmulPreferenceSetAttribute", f.preference_set);
  resolve(library, "cublasLtMatmulAlgoGetHeuristic", f.heuristic);
  resolve(library, "cublasLtMatmul", f.matmul);
  return f;
}

struct Loaded {
  std::unique_ptr<const Functions> functions;
  std::string reason;
  Loaded() {
    try {
      functions = std::make_unique<const Functions>(load());
    } catch (const std::exception& e) {
      reason = e.what();
    }
  }
};

}  // namespace

const Functions* functions(std::string* reason) noexcept {
  static const Loaded loaded;
  if (reason) *reason = loaded.reason;
  return loaded.functions.get();
}

}  // namespace cublaslt
}  // namespace roentgen::kernels
