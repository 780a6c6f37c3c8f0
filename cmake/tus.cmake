# The functions from which every CMakeLists.txt of the project is made.
#
#   tus_layer(<folder> [PURE] [SOURCES a.cpp ...] [DEPS <folders of other layers> ...] [LIBS <external targets> ...])
#       One layer = one folder of src/. Becomes the object library tus_<folder> (INTERFACE while it has no sources).
#       PURE: no Asio, neither to include nor to link nor from the precompiled header.
#   tus_unit_test(<layer> [SOURCES a_test.cpp ...] [LAYERS <more layers> ...] [LIBS ...] [THREADED] [TIMEOUT s])
#       The tests beside the sources: one binary <layer>_test, ctest label `unit`. It links the layer and what is below
#       it and nothing else, so it can be built (ninja core_test) while another layer is broken.
#   tus_contract_test(<name> SOURCES ... LAYERS <layers> ... [LIBS ...] [THREADED] [TIMEOUT s])
#       A contract suite run over one backend, ctest label `contract`.
#   tus_test(<name> LABELS ... SOURCES ... LAYERS ... [LIBS ...] [LAUNCHER <command> ...] [THREADED] [TIMEOUT s])
#       Any other compiled test (conformance, ...). LAUNCHER: what starts it, with a service that it needs.
#   tus_test_kit(<name> SOURCES ... LAYERS <layers> ... [LIBS ...])
#       What several of these tests share, compiled once; they name it among their LIBS, and have its layers among theirs.
#   tus_e2e_test(<name> COMMAND ... [SERIAL] [THREADED] [TIMEOUT s] [ENVIRONMENT ...])
#       Runs a command against the built server; TUSD_BINARY in its environment is the path of tusd. Label `e2e`.
#       Also registered in the release preset. SERIAL: runs while no other test does (it measures time).
#   tus_fuzz_program(<name> SOURCES ... LAYERS ...)
#       A libFuzzer program, in the presets fuzz and dev.
#   tus_fuzz_test(<target> PROGRAM <name> SEEDS <folder> [DICTIONARY <file>])
#       One of its targets: a unit test that replays its seeds, and one with the label `fuzz` that searches for five seconds.
#   tus_link_layers(<target> <layers> ...)
#       Links layers and everything below them into a target.
#
# THREADED tests also carry the label `threaded` and run in the tsan preset.

# ---- precompiled headers -------------------------------------------------------------------------------------------

# One small object library a precompiled header; the others reuse it. tus_pch_std must never contain Asio: the pure
# layers get it.
function(_tus_pch name header)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LIBS")
  if(NOT TUS_PCH)
    return()
  endif()
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/pch/${name}.cpp" CONTENT "// carries the precompiled header\n")
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/pch/${name}.cpp")
  target_link_libraries(${name} PRIVATE tus_flags ${arg_LIBS})
  target_precompile_headers(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/pch/${header}")
endfunction()

_tus_pch(tus_pch_std std.h)
_tus_pch(tus_pch_boost boost.h LIBS tus_boost)
if(TUS_BUILD_TESTS)
  _tus_pch(tus_pch_std_test std_test.h LIBS GTest::gtest GTest::gmock)
  _tus_pch(tus_pch_boost_test boost_test.h LIBS tus_boost GTest::gtest GTest::gmock)
endif()

# ---- layers --------------------------------------------------------------------------------------------------------

function(_tus_target_name out layer)
  string(REPLACE "/" "_" id "${layer}")
  set(${out} "tus_${id}" PARENT_SCOPE)
endfunction()

# The layer, and everything below it.
function(_tus_closure out)
  set(all "")
  foreach(layer IN LISTS ARGN)
    get_property(known GLOBAL PROPERTY "TUS_CLOSURE_${layer}" SET)
    if(NOT known)
      message(FATAL_ERROR "Layer '${layer}' is not known here: layers are added bottom up in src/CMakeLists.txt.")
    endif()
    get_property(closure GLOBAL PROPERTY "TUS_CLOSURE_${layer}")
    list(APPEND all ${closure})
  endforeach()
  list(REMOVE_DUPLICATES all)
  set(${out} "${all}" PARENT_SCOPE)
endfunction()

function(_tus_is_pure out)
  set(pure TRUE)
  foreach(layer IN LISTS ARGN)
    get_property(layer_pure GLOBAL PROPERTY "TUS_PURE_${layer}")
    if(NOT layer_pure)
      set(pure FALSE)
    endif()
  endforeach()
  set(${out} ${pure} PARENT_SCOPE)
endfunction()

function(tus_layer layer)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PURE" "" "SOURCES;DEPS;LIBS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tus_layer(${layer}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  _tus_target_name(target ${layer})
  if(arg_SOURCES)
    add_library(${target} OBJECT ${arg_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
  target_link_libraries(${target} ${scope} tus_flags ${arg_LIBS})
  if(NOT arg_PURE)
    target_link_libraries(${target} ${scope} tus_boost)
  endif()
  foreach(dep IN LISTS arg_DEPS)
    _tus_target_name(dep_target ${dep})
    target_link_libraries(${target} ${scope} ${dep_target})
  endforeach()
  if(arg_SOURCES AND TUS_PCH)
    if(arg_PURE)
      target_precompile_headers(${target} REUSE_FROM tus_pch_std)
    else()
      target_precompile_headers(${target} REUSE_FROM tus_pch_boost)
    endif()
  endif()

  _tus_closure(below ${arg_DEPS})
  set_property(GLOBAL PROPERTY "TUS_CLOSURE_${layer}" ${layer} ${below})
  set_property(GLOBAL PROPERTY "TUS_PURE_${layer}" ${arg_PURE})
  set_property(GLOBAL APPEND PROPERTY TUS_LAYERS ${layer})
  set_property(GLOBAL PROPERTY "TUS_LIBS_${layer}" ${arg_LIBS})
endfunction()

function(tus_link_layers target)
  _tus_closure(layers ${ARGN})
  _tus_is_pure(pure ${layers})
  foreach(layer IN LISTS layers)
    _tus_target_name(layer_target ${layer})
    target_link_libraries(${target} PRIVATE ${layer_target})
  endforeach()
  if(NOT pure)
    target_link_libraries(${target} PRIVATE tus_boost_impl)
  endif()
endfunction()

# ---- tests ---------------------------------------------------------------------------------------------------------

add_custom_target(threaded_tests) # what the tsan preset builds

# Reports of the sanitizers with line numbers, and stricter than by default.
find_program(TUS_SYMBOLIZER NAMES llvm-symbolizer PATHS /usr/lib/llvm-19/bin NO_DEFAULT_PATH)
set(TUS_TEST_ENVIRONMENT
  "ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"
  "LSAN_OPTIONS=report_objects=1")
if(TUS_SYMBOLIZER)
  list(APPEND TUS_TEST_ENVIRONMENT "ASAN_SYMBOLIZER_PATH=${TUS_SYMBOLIZER}" "UBSAN_SYMBOLIZER_PATH=${TUS_SYMBOLIZER}"
    "TSAN_SYMBOLIZER_PATH=${TUS_SYMBOLIZER}")
endif()

function(tus_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "THREADED" "TIMEOUT" "LABELS;SOURCES;LAYERS;LIBS;LAUNCHER")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TUS_BUILD_TESTS OR NOT arg_SOURCES)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  tus_link_layers(${name} ${arg_LAYERS})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gmock GTest::gtest_main)
  if(TUS_PCH)
    _tus_closure(layers ${arg_LAYERS})
    _tus_is_pure(pure ${layers})
    if(pure)
      target_precompile_headers(${name} REUSE_FROM tus_pch_std_test)
    else()
      target_precompile_headers(${name} REUSE_FROM tus_pch_boost_test)
    endif()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 240)
  endif()
  add_test(NAME ${name} COMMAND ${arg_LAUNCHER} $<TARGET_FILE:${name}> --gtest_brief=1)
  if(arg_THREADED)
    list(APPEND arg_LABELS threaded)
    add_dependencies(threaded_tests ${name})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "${TUS_TEST_ENVIRONMENT}")
endfunction()

function(tus_test_kit name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LAYERS;LIBS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TUS_BUILD_TESTS)
    return()
  endif()
  add_library(${name} OBJECT ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  tus_link_layers(${name} ${arg_LAYERS})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gmock GTest::gtest)
  if(TUS_PCH)
    target_precompile_headers(${name} REUSE_FROM tus_pch_boost_test)
  endif()
endfunction()

function(tus_unit_test layer)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LAYERS")
  string(REPLACE "/" "_" id "${layer}")
  tus_test(${id}_test LABELS unit LAYERS ${layer} ${arg_LAYERS} ${arg_UNPARSED_ARGUMENTS})
endfunction()

function(tus_contract_test name)
  tus_test(${name}_contract_test LABELS contract ${ARGN})
endfunction()

function(tus_e2e_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL;THREADED" "TIMEOUT" "COMMAND;ENVIRONMENT")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "e2e_${name}: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_test(NAME e2e_${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  set(labels e2e)
  if(arg_THREADED)
    list(APPEND labels threaded)
    add_dependencies(threaded_tests tusd)
  endif()
  set_tests_properties(e2e_${name} PROPERTIES LABELS "${labels}" TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${arg_SERIAL}
    ENVIRONMENT "${TUS_TEST_ENVIRONMENT};TUSD_BINARY=$<TARGET_FILE:tusd>;${arg_ENVIRONMENT}")
endfunction()

# Whether this preset has what libFuzzer needs.
function(_tus_can_fuzz out)
  set(can FALSE)
  if(TUS_SANITIZE STREQUAL "fuzzer" OR (TUS_BUILD_TESTS AND TUS_SANITIZE STREQUAL "address"))
    set(can TRUE)
  endif()
  set(${out} ${can} PARENT_SCOPE)
endfunction()

function(tus_fuzz_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LAYERS")
  _tus_can_fuzz(can)
  if(NOT can)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  tus_link_layers(${name} ${arg_LAYERS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  if(TUS_PCH)
    target_precompile_headers(${name} REUSE_FROM tus_pch_boost)
  endif()
endfunction()

# The seeds first, then what five seconds find. What breaks a target is left in the build folder.
function(tus_fuzz_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROGRAM;SEEDS;DICTIONARY" "")
  _tus_can_fuzz(can)
  if(NOT can)
    return()
  endif()
  if(NOT IS_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SEEDS}")
    message(FATAL_ERROR "fuzz target ${target}: there is no folder fuzz/${arg_SEEDS}")
  endif()
  set(seeds "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SEEDS}")
  set(dictionary "")
  if(arg_DICTIONARY)
    set(dictionary "-dict=${CMAKE_CURRENT_SOURCE_DIR}/${arg_DICTIONARY}")
  endif()
  add_test(NAME fuzz_${target}_seeds COMMAND ${arg_PROGRAM} -target=${target} -runs=0 -timeout=20 ${seeds})
  set_tests_properties(fuzz_${target}_seeds PROPERTIES LABELS unit TIMEOUT 60 ENVIRONMENT "${TUS_TEST_ENVIRONMENT}")
  # The corpus is the build folder's: what is found stays for the next time, and nothing is written among the seeds.
  set(corpus "${PROJECT_BINARY_DIR}/fuzz/corpus/${target}")
  file(MAKE_DIRECTORY "${corpus}" "${PROJECT_BINARY_DIR}/fuzz/found")
  # Always the same beginning, so that a change does not fail for what it has not touched; `tools/soak fuzz` goes other ways.
  add_test(NAME fuzz_${target} COMMAND ${arg_PROGRAM} -target=${target} -seed=1 -max_total_time=5 -timeout=20
    -rss_limit_mb=2048 -artifact_prefix=${PROJECT_BINARY_DIR}/fuzz/found/${target}- ${dictionary} ${corpus} ${seeds})
  set_tests_properties(fuzz_${target} PROPERTIES LABELS fuzz TIMEOUT 120 ENVIRONMENT "${TUS_TEST_ENVIRONMENT}")
endfunction()
