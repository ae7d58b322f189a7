#pragma once
// The C library has no lp64 ABI; nothing of it is used.
