# ENGINE in either form below: the test starts container engines, so it runs on a machine of its own (tests/support/own_machine), one at a time.
set(slipway_own_machine ${PROJECT_SOURCE_DIR}/tests/support/own_machine)

# slipway_add_test(NAME x LABELS unit TIMEOUT 60 SOURCES a.cpp LIBS slipway::domain [ENGINE]): the only way to add a test.
# One Catch2 program per test; Catch2's main is compiled once.
function(slipway_add_test)
  cmake_parse_arguments(arg "ENGINE" "NAME;TIMEOUT" "LABELS;SOURCES;LIBS;ARGS" ${ARGN})
  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE slipway_options slipway_test_main ${arg_LIBS})
  # Tests are compiled once and run once: build time matters more than run time.
  target_compile_options(${arg_NAME} PRIVATE -O0)
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(arg_ENGINE)
    set(launcher ${slipway_own_machine})
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${launcher} $<TARGET_FILE:${arg_NAME}> --warn NoTests ${arg_ARGS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
  if(arg_ENGINE)
    set_tests_properties(${arg_NAME} PROPERTIES RESOURCE_LOCK engine)
  endif()
endfunction()

# slipway_add_script_test(NAME x LABELS e2e TIMEOUT 300 [ENGINE] COMMAND ...): a black-box test that is a program of its own.
function(slipway_add_script_test)
  cmake_parse_arguments(arg "ENGINE" "NAME;TIMEOUT" "LABELS;COMMAND" ${ARGN})
  if(arg_ENGINE)
    set(launcher ${slipway_own_machine})
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${launcher} ${arg_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "SLIPWAY_BIN=${CMAKE_BINARY_DIR}/bin;SLIPWAY_SSH_ADDRESS=127.0.0.1:0")
  if(arg_ENGINE)
    set_tests_properties(${arg_NAME} PROPERTIES RESOURCE_LOCK engine)
  endif()
endfunction()

# slipway_add_fuzzer(NAME x SOURCES a.cpp LIBS ...): a libFuzzer target, and always a ctest that replays tests/fuzz/corpus/NAME.
function(slipway_add_fuzzer)
  cmake_parse_arguments(arg "" "NAME" "SOURCES;LIBS" ${ARGN})
  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE slipway_options ${arg_LIBS})
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(SLIPWAY_FUZZ)
    target_compile_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
    target_link_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${arg_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${arg_NAME})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()
