# Adds cuDNN and cuBLASLt to roentgen_kernels where they are wanted and found.
option(ROENTGEN_CUDNN "Use cuDNN for convolution on cuda where it is found" ON)
option(ROENTGEN_CUBLASLT "Use cuBLASLt for matrix products on cuda where its header is found" ON)

if(ROENTGEN_CUDNN)
  list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
  find_package(CUDNN 9.8 QUIET)
  if(CUDNN_FOUND)
    # A small library that loads the rest of cuDNN when it is called: it may be linked.
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/cudnn_*.cpp)
    target_sources(roentgen_kernels PRIVATE ${sources})
    target_link_libraries(roentgen_kernels PUBLIC CUDNN::cudnn)
    target_compile_definitions(roentgen_kernels PUBLIC ROENTGEN_WITH_CUDNN=1)
    message(STATUS "roentgen: cuDNN ${CUDNN_VERSION} for convolution on cuda")
  else()
    message(STATUS "roentgen: cuDNN 9.8 or later not found (set CUDNN_ROOT), own convolution kernels on cuda")
  endif()
endif()

find_path(ROENTGEN_CUBLASLT_INCLUDE_DIR cublasLt.h PATHS ${CUDAToolkit_INCLUDE_DIRS} NO_DEFAULT_PATH)
mark_as_advanced(ROENTGEN_CUBLASLT_INCLUDE_DIR)
if(ROENTGEN_CUBLASLT AND ROENTGEN_CUBLASLT_INCLUDE_DIR)
  # Loaded at run time, not linked: cublaslt_library.h says why.
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/cublaslt_*.cpp)
  target_sources(roentgen_kernels PRIVATE ${sources})
  target_include_directories(roentgen_kernels SYSTEM PUBLIC ${ROENTGEN_CUBLASLT_INCLUDE_DIR})
  target_compile_definitions(roentgen_kernels PUBLIC ROENTGEN_WITH_CUBLASLT=1
    PRIVATE ROENTGEN_CUBLASLT_FOLDER="${CUDAToolkit_LIBRARY_DIR}")
  message(STATUS "roentgen: cuBLASLt for matrix products on cuda, loaded when first used")
elseif(ROENTGEN_CUBLASLT)
  message(STATUS "roentgen: cublasLt.h not found, own matrix products on cuda")
endif()
