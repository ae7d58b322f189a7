#pragma once
#include <string_view>

#if defined(__x86_64__)
#include "compat/abi/arch/x86_64/arch.h"
#elif defined(__riscv)
#include "compat/abi/arch/riscv64/arch.h"
#endif
