# Everything comes from Debian 12 packages; scripts/setup installs them. Nothing is downloaded here.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(CAF REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Catch2 2 REQUIRED)
find_package(RocksDB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CURL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(ZLIB REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(JWT REQUIRED IMPORTED_TARGET libjwt)
pkg_check_modules(GIT2 REQUIRED IMPORTED_TARGET libgit2)
pkg_check_modules(SSH REQUIRED IMPORTED_TARGET libssh)
find_library(SPDLOG_LIBRARY spdlog REQUIRED)
find_library(FMT_LIBRARY fmt REQUIRED)

# Header-only or oddly packaged libraries get a target each, so that definitions travel with them.
add_library(slipway_msgpack INTERFACE)
target_compile_definitions(slipway_msgpack INTERFACE MSGPACK_NO_BOOST)

add_library(slipway_spdlog INTERFACE)
target_compile_definitions(slipway_spdlog INTERFACE SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
target_link_libraries(slipway_spdlog INTERFACE ${SPDLOG_LIBRARY} ${FMT_LIBRARY})

add_library(slipway_asio INTERFACE)
# One executor type and no deprecated names: shorter compiles and errors.
target_compile_definitions(slipway_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION)
# GCC 12 warns at -O2 of Asio's own pair of operators for coroutine frames.
target_compile_options(slipway_asio INTERFACE -Wno-mismatched-new-delete)
target_link_libraries(slipway_asio INTERFACE Boost::headers Threads::Threads)
