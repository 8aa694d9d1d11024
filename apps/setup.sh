# Sourced by apps/demo and tests/run: installs what is missing and builds. Functions only.

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'roentgen: %s\n' "$*" >&2; exit 1; }

packages=(g++ cmake ninja-build pkg-config libfmt-dev nlohmann-json3-dev libcli11-dev libdnnl-dev
          libjpeg-dev libspng-dev libstb-dev libxxhash-dev libssl-dev)

# install_packages PACKAGE...: through apt, as root or with sudo; touches nothing and needs no network when all are
# there already.
install_packages() {
  command -v dpkg-query >/dev/null || { check_tools; return; }
  local missing=() name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "please install, as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q >&2 || say "apt-get update failed; trying with the lists at hand"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 ||
    fail "apt-get could not install them; please install: ${missing[*]}"
}

check_tools() {
  local tool
  for tool in c++ cmake ninja pkg-config; do
    command -v "$tool" >/dev/null ||
      fail "$tool is missing and this system has no apt; install a C++20 compiler, CMake 3.25, Ninja, pkg-config, fmt, nlohmann-json, CLI11, oneDNN, libjpeg-turbo, libspng, stb, xxHash and OpenSSL"
  done
}

# build PRESET TARGET... [-- CMAKE_OPTION...]: configures and builds with all cores.
build() {
  local preset=$1 targets=() launcher=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake --preset "$preset" -DROENTGEN_WERROR="${ROENTGEN_WERROR:-OFF}" "${launcher[@]}" "$@" >&2 ||
    fail "configuring failed; the reason stands above"
  cmake --build --preset "$preset" --target "${targets[@]}" >&2 || fail "building failed; the reason stands above"
}
