# The kernel's third flavour: NAME_riscv64, objects for zkernel-riscv64 (bare metal, lp64 without F and D registers), made by
# a cross compiler beside the host's in the same build. CMake has one compiler for C++, so these are custom commands; each
# tells ninja its headers through a dependency file.
find_program(ZRUN_RISCV64_CXX riscv64-linux-gnu-g++)
find_program(ZRUN_RISCV64_OBJCOPY riscv64-linux-gnu-objcopy)
if(ZRUN_RISCV64_CXX AND ZRUN_RISCV64_OBJCOPY)
  set(ZRUN_RISCV64 ON)
else()
  set(ZRUN_RISCV64 OFF)
  message(STATUS "no riscv64-linux-gnu-g++: zrun will not have the riscv64 machine")
endif()

# Debian's C headers know no lp64 ABI: an empty gnu/stubs-lp64.h stands in for theirs.
set(ZRUN_RISCV64_FLAGS -std=gnu++20 -O2 -g -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax
    -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-stack-protector -fno-asynchronous-unwind-tables
    -fno-omit-frame-pointer -fno-common -fno-strict-aliasing -ftrivial-auto-var-init=zero -fno-pic -fno-pie
    -ffunction-sections -Wframe-larger-than=2048 -Wall -Wextra -Wshadow -Werror
    -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/hal/riscv64/include)
if(CMAKE_BUILD_TYPE MATCHES "Rel")
  list(APPEND ZRUN_RISCV64_FLAGS -DNDEBUG)
endif()

# zrun_riscv64_objects(NAME sources...): compiles them and adds the objects to the global property ZRUN_RISCV64_OBJECTS.
function(zrun_riscv64_objects name)
  if(NOT ZRUN_RISCV64)
    return()
  endif()
  set(objects)
  foreach(source ${ARGN})
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    file(RELATIVE_PATH path ${CMAKE_CURRENT_SOURCE_DIR} ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/riscv64/${path}.o)
    get_filename_component(folder ${object} DIRECTORY)
    get_source_file_property(extra ${source} OBJECT_DEPENDS)
    if(NOT extra)
      set(extra)
    endif()
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(
      OUTPUT ${object}
      DEPENDS ${source} ${extra}
      DEPFILE ${object}.d
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${ZRUN_RISCV64_CXX} ${ZRUN_RISCV64_FLAGS} -MD -MF ${object}.d -MT ${object}
              -Wa,-I${CMAKE_CURRENT_BINARY_DIR} -c ${source} -o ${object}
      COMMENT "Building riscv64 object ${path}"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  # Only commands of some target of the folder are generated.
  string(MD5 unique "${objects}")
  add_custom_target(${name}_riscv64_${unique} DEPENDS ${objects})
  set_property(GLOBAL APPEND PROPERTY ZRUN_RISCV64_OBJECTS ${objects})
endfunction()
