# Warnings are errors, for every target of the project.
add_compile_options(-Wall -Wextra -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wthread-safety>)
endif()
if(ZRUN_SANITIZE)
  set(ZRUN_SANITIZE_FLAGS -fsanitize=${ZRUN_SANITIZE} -fno-omit-frame-pointer)
  string(REPLACE "address,undefined" "address,undefined -fno-sanitize-recover=all" ZRUN_SANITIZE_FLAGS
         "${ZRUN_SANITIZE_FLAGS}")
  separate_arguments(ZRUN_SANITIZE_FLAGS UNIX_COMMAND "${ZRUN_SANITIZE_FLAGS}")
endif()

# Hosted targets are built with the sanitizers that were asked for; the kernel never is.
function(zrun_hosted target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  if(ZRUN_SANITIZE_FLAGS)
    target_compile_options(${target} PRIVATE ${ZRUN_SANITIZE_FLAGS})
    target_link_options(${target} PRIVATE ${ZRUN_SANITIZE_FLAGS})
  endif()
endfunction()
