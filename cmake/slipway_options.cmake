# Options, warnings and sanitizers. Targets take them from `slipway_options`; nothing here is global.
option(SLIPWAY_TESTS "Build the tests" ON)
option(SLIPWAY_BENCH "Build the benchmarks" ON)
option(SLIPWAY_WERROR "Treat warnings as errors" ON)
option(SLIPWAY_FUZZ "Build libFuzzer targets (clang only)" OFF)
set(SLIPWAY_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(SLIPWAY_CCACHE ccache)
if(SLIPWAY_CCACHE)
  # base_dir and no hash of the directory: several checkouts of this tree share one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${SLIPWAY_CCACHE})
endif()

add_library(slipway_options INTERFACE)
target_compile_features(slipway_options INTERFACE cxx_std_20)
target_include_directories(slipway_options INTERFACE ${PROJECT_SOURCE_DIR})
# Some 130 programs link statically against the same libraries: lld takes a seventh of the time of GNU ld.
find_program(SLIPWAY_LLD ld.lld)
if(SLIPWAY_LLD)
  target_link_options(slipway_options INTERFACE -fuse-ld=lld)
endif()
target_compile_options(slipway_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
target_compile_definitions(slipway_options INTERFACE SLIPWAY_VERSION="${PROJECT_VERSION}")
# GCC 12 reports false positives in variants and strings of the standard library, with -O2 and with sanitizers.
target_compile_options(slipway_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(SLIPWAY_WERROR)
  target_compile_options(slipway_options INTERFACE -Werror)
endif()
if(SLIPWAY_SANITIZE)
  target_compile_options(slipway_options INTERFACE -fsanitize=${SLIPWAY_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(slipway_options INTERFACE -fsanitize=${SLIPWAY_SANITIZE})
  if(SLIPWAY_SANITIZE MATCHES undefined)
    # A CAF 0.17 header binds a null reference.
    target_compile_options(slipway_options INTERFACE -fno-sanitize=null -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(slipway_options INTERFACE -Wno-tsan)
endif()

function(slipway_print_options)
  message(STATUS "slipway ${PROJECT_VERSION}: build=${CMAKE_BUILD_TYPE} tests=${SLIPWAY_TESTS} "
                 "bench=${SLIPWAY_BENCH} werror=${SLIPWAY_WERROR} sanitize=[${SLIPWAY_SANITIZE}] "
                 "fuzz=${SLIPWAY_FUZZ} ccache=${SLIPWAY_CCACHE}")
endfunction()

# slipway_add_library(NAME SOURCES ... LIBS ... [PRIVATE_LIBS ...]): one library per folder, alias slipway::NAME.
function(slipway_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;PRIVATE_LIBS" ${ARGN})
  add_library(slipway_${name} STATIC ${arg_SOURCES})
  add_library(slipway::${name} ALIAS slipway_${name})
  target_link_libraries(slipway_${name} PUBLIC slipway_options ${arg_LIBS} PRIVATE ${arg_PRIVATE_LIBS})
endfunction()
