#pragma once
#include <string_view>

// A hart's "riscv,isa" of the device tree: "rv64", a letter for each standard extension, and names
// behind underscores. Source: RISC-V unprivileged specification, "ISA Extension Naming
// Conventions".
namespace zrun::hal {

class Isa {
 public:
  explicit constexpr Isa(std::string_view text) : text_(text) {}
  // The boot hart's; the kernel takes all harts to be alike.
  static Isa OfBootHart();

  constexpr std::string_view text() const { return text_; }
  constexpr std::string_view letters() const {
    const std::string_view base = text_.substr(0, text_.find('_'));
    return base.size() < kBase ? std::string_view() : base.substr(kBase);
  }
  // |name|: a letter, or the whole name of an extension.
  constexpr bool Has(std::string_view name) const {
    if (name.size() == 1) return letters().find(name) != std::string_view::npos;
    for (size_t at = text_.find('_'); at != std::string_view::npos; at = text_.find('_', at + 1)) {
      const std::string_view rest = text_.substr(at + 1);
      if (rest.substr(0, rest.find('_')) == name) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kBase = 4;  // "rv64"
  std::string_view text_;
};

static_assert(Isa("rv64imac").Has("m") && !Isa("rv64imac").Has("v") && !Isa("rv64imac").Has("r"));
static_assert(Isa("rv64i_zba_zvfh").Has("zvfh") && !Isa("rv64i_zba_zvfh").Has("zv"));
static_assert(!Isa("rv64i_zba_zvfh").Has("v") && !Isa("").Has("i") && !Isa("rv").Has("zba"));

}  // namespace zrun::hal
