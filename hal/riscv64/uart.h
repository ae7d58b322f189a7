#pragma once
#include <cstdint>
#include <string_view>

// The serial port (ns16550): the kernel's own messages, and the terminal of a machine started by
// hand.
namespace zrun::hal {

void UartWrite(std::string_view text);
// The kernel is dying, perhaps in here: from now on nobody waits for anybody.
void UartSeize();
// Interrupts whenever there is input; |notify| runs with interrupts off.
void UartListen(void (*notify)());

}  // namespace zrun::hal
