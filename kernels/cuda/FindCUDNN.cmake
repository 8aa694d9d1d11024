# Finds cuDNN 9 or later: target CUDNN::cudnn, CUDNN_FOUND, CUDNN_VERSION, CUDNN_INCLUDE_DIR, CUDNN_LIBRARY.
#
# Places, the first that holds both header and library wins: CUDNN_ROOT (CMake or environment), CUDNN_PATH,
# the CUDA toolkit, the wheel nvidia-cudnn-* of a Python at hand, the system. libcudnn.so.9 alone, without the
# development link, will do.
set(_cudnn_places ${CUDNN_ROOT} $ENV{CUDNN_ROOT} $ENV{CUDNN_PATH}
    ${CUDAToolkit_TARGET_DIR} ${CUDAToolkit_LIBRARY_ROOT} $ENV{CUDA_HOME} $ENV{CUDA_PATH})
foreach(_cudnn_include IN LISTS CUDAToolkit_INCLUDE_DIRS)
  cmake_path(GET _cudnn_include PARENT_PATH _cudnn_place)
  list(APPEND _cudnn_places ${_cudnn_place})
endforeach()
find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_Interpreter_FOUND)
  execute_process(COMMAND ${Python3_EXECUTABLE} -c
    "import site, sysconfig; print(';'.join([sysconfig.get_paths()['purelib'], *site.getsitepackages(), site.getusersitepackages()]))"
    OUTPUT_VARIABLE _cudnn_sites OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(TRANSFORM _cudnn_sites APPEND /nvidia/cudnn)
  list(APPEND _cudnn_places ${_cudnn_sites})
endif()
list(APPEND _cudnn_places /usr/local /usr)
list(REMOVE_DUPLICATES _cudnn_places)

# Header and library of one place, or they may be of two versions.
foreach(_cudnn_place IN LISTS _cudnn_places)
  if(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
    unset(CUDNN_INCLUDE_DIR CACHE)
    unset(CUDNN_LIBRARY CACHE)
    find_path(CUDNN_INCLUDE_DIR cudnn.h PATHS ${_cudnn_place}
      PATH_SUFFIXES include include/${CMAKE_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
    find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 NAMES_PER_DIR PATHS ${_cudnn_place}
      PATH_SUFFIXES lib64 lib lib/${CMAKE_LIBRARY_ARCHITECTURE} targets/${CMAKE_SYSTEM_PROCESSOR}-linux/lib
      NO_DEFAULT_PATH)
  endif()
endforeach()

unset(CUDNN_VERSION)
if(CUDNN_INCLUDE_DIR AND EXISTS ${CUDNN_INCLUDE_DIR}/cudnn_version.h)
  file(READ ${CUDNN_INCLUDE_DIR}/cudnn_version.h _cudnn_header)
  if(_cudnn_header MATCHES "define CUDNN_MAJOR ([0-9]+).*define CUDNN_MINOR ([0-9]+).*define CUDNN_PATCHLEVEL ([0-9]+)")
    set(CUDNN_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)
if(CUDNN_FOUND AND NOT TARGET CUDNN::cudnn)
  add_library(CUDNN::cudnn UNKNOWN IMPORTED)
  # Its header includes the CUDA runtime's.
  set_target_properties(CUDNN::cudnn PROPERTIES IMPORTED_LOCATION ${CUDNN_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR};${CUDAToolkit_INCLUDE_DIRS}")
endif()
mark_as_advanced(CUDNN_LIBRARY CUDNN_INCLUDE_DIR)
