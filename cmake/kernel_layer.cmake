# zrun_kernel_layer(NAME [EXCLUDE regex]): one layer of the kernel, every .cc below the current folder, built thrice:
#   NAME_trap    freestanding objects for zkernel-trap
#   NAME_riscv64 objects for zkernel-riscv64 (cmake/riscv64.cmake)
#   NAME_hosted  the same sources for unit tests and fuzzers
# and NAME_test from every *_test.cc, and a fuzzer from each *_fuzz.cc, linked over hal/fake. A file dropped in is found
# by itself.
set(ZRUN_KERNEL_FLAGS
    -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-stack-protector
    -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-common -fno-strict-aliasing
    -ftrivial-auto-var-init=zero -fno-pic -fno-pie -mcmodel=large)
set(ZRUN_TRAP_FLAGS ${ZRUN_KERNEL_FLAGS} -mgeneral-regs-only -O2 -g -Wframe-larger-than=2048)

function(zrun_kernel_layer name)
  cmake_parse_arguments(arg "" "" "EXCLUDE;TEST_LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  file(GLOB_RECURSE fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_fuzz.cc)
  if(arg_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX ${arg_EXCLUDE})
    list(FILTER tests EXCLUDE REGEX ${arg_EXCLUDE})
  endif()
  if(sources)
    add_library(${name}_trap OBJECT ${sources})
    target_compile_options(${name}_trap PRIVATE ${ZRUN_TRAP_FLAGS})
    target_include_directories(${name}_trap PRIVATE ${PROJECT_SOURCE_DIR})
    zrun_riscv64_objects(${name} ${sources})
    add_library(${name}_hosted STATIC ${sources})
    # With type information: tests derive from its classes.
    target_compile_options(${name}_hosted PRIVATE -fno-exceptions)
    zrun_hosted(${name}_hosted)
  endif()
  if(ZRUN_TESTS AND tests)
    add_executable(${name}_test ${tests})
    zrun_hosted(${name}_test)
    target_link_libraries(${name}_test PRIVATE ${arg_TEST_LIBS} GTest::gtest_main)
    zrun_unit_test(${name}_test)
  endif()
  foreach(fuzzer ${fuzzers})
    zrun_fuzzer(${fuzzer} ${arg_TEST_LIBS})
  endforeach()
endfunction()
