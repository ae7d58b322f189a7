#include "runtime-cli/kernel_image.h"

#include <cxxabi.h>
#include <gelf.h>
#include <libelf.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace zrun {
namespace {

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};
using ElfHandle = std::unique_ptr<Elf, ElfCloser>;

ElfHandle OpenElf(std::span<const std::byte> image) {
  elf_version(EV_CURRENT);
  // libelf does not write to an image that is only read.
  ElfHandle elf(
      elf_memory(const_cast<char*>(reinterpret_cast<const char*>(image.data())), image.size()));
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF)
    throw std::runtime_error("the kernel is not an ELF file");
  return elf;
}

template <typename Visit>
void ForEachSymbol(std::span<const std::byte> image, Visit visit) {
  const ElfHandle elf = OpenElf(image);
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    for (size_t i = 0; data && i < header.sh_size / header.sh_entsize; i++) {
      GElf_Sym symbol;
      if (!gelf_getsym(data, int(i), &symbol)) continue;
      const char* name = elf_strptr(elf.get(), header.sh_link, symbol.st_name);
      if (name) visit(symbol, name);
    }
  }
}

}  // namespace

KernelImage::KernelImage(std::span<const std::byte> image) : elf_(image) {
  const ElfHandle elf = OpenElf(image);
  GElf_Ehdr header;
  if (!gelf_getehdr(elf.get(), &header))
    throw std::runtime_error("the kernel's ELF header is broken");
  entry_ = header.e_entry;
  for (int i = 0; i < header.e_phnum; i++) {
    GElf_Phdr program;
    if (!gelf_getphdr(elf.get(), i, &program) || program.p_type != PT_LOAD) continue;
    if (program.p_offset + program.p_filesz > image.size())
      throw std::runtime_error("the kernel's ELF file is cut short");
    segments_.push_back({program.p_vaddr, program.p_offset, program.p_filesz, program.p_memsz,
                         (program.p_flags & PF_W) != 0, (program.p_flags & PF_X) != 0});
  }
}

uint64_t KernelImage::Symbol(const char* name) const {
  uint64_t value = 0;
  ForEachSymbol(elf_, [&](const GElf_Sym& symbol, const char* found) {
    if (std::strcmp(found, name) == 0) value = symbol.st_value;
  });
  if (value == 0) throw std::runtime_error(std::string("the kernel lacks the symbol ") + name);
  return value;
}

std::string KernelImage::Describe(uint64_t address) const {
  std::string description;
  ForEachSymbol(elf_, [&](const GElf_Sym& symbol, const char* name) {
    if (name[0] == '$') return;  // the assembler's marks
    if (address < symbol.st_value ||
        address >= symbol.st_value + std::max<uint64_t>(symbol.st_size, 1))
      return;
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> plain(
        abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
    char offset[32];
    std::snprintf(offset, sizeof offset, "+0x%lx", address - symbol.st_value);
    description = std::string(status == 0 ? plain.get() : name) + offset;
  });
  return description;
}

}  // namespace zrun
