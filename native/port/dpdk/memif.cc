#include "port/dpdk/memif.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace rxnf::dpdk {
namespace {

void (*wait_for_lanes)() = nullptr;

int unmap_when_lanes_left(void *address, size_t length) noexcept {
  wait_for_lanes();
  return munmap(address, length);
}

// What of a loaded library's dynamic section finds its calls into others (ELF gABI, "Dynamic
// Section").
struct Calls {
  const ElfW(Rela) * relocations;
  size_t count;
  const ElfW(Sym) * symbols;
  const char *names;
};

Calls calls_of(const dl_phdr_info &library) {
  Calls calls{};
  const auto at = [&](ElfW(Addr) address) {  // relocated by the loader, or not
    return address < library.dlpi_addr ? library.dlpi_addr + address : address;
  };
  for (uint16_t i = 0; i < library.dlpi_phnum; i++) {
    if (library.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    auto entry =
        reinterpret_cast<const ElfW(Dyn) *>(library.dlpi_addr + library.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) switch (entry->d_tag) {
        case DT_JMPREL:
          calls.relocations = reinterpret_cast<const ElfW(Rela) *>(at(entry->d_un.d_ptr));
          break;
        case DT_PLTRELSZ:
          calls.count = entry->d_un.d_val / sizeof(ElfW(Rela));
          break;
        case DT_SYMTAB:
          calls.symbols = reinterpret_cast<const ElfW(Sym) *>(at(entry->d_un.d_ptr));
          break;
        case DT_STRTAB:
          calls.names = reinterpret_cast<const char *>(at(entry->d_un.d_ptr));
          break;
      }
  }
  return calls;
}

int redirect(dl_phdr_info *library, size_t, void *) {
  if (std::strstr(library->dlpi_name, "librte_net_memif") == nullptr) return 0;
  const Calls calls = calls_of(*library);
  for (size_t i = 0; i < calls.count; i++) {
    const auto &call = calls.relocations[i];
    if (std::strcmp(calls.names + calls.symbols[ELF64_R_SYM(call.r_info)].st_name, "munmap") != 0)
      continue;
    auto slot = reinterpret_cast<decltype(&munmap) *>(library->dlpi_addr + call.r_offset);
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    void *start = reinterpret_cast<void *>(reinterpret_cast<uintptr_t>(slot) & ~(page - 1));
    // The loader has made it read-only.
    if (mprotect(start, page, PROT_READ | PROT_WRITE) == 0) *slot = unmap_when_lanes_left;
  }
  return 1;
}

}  // namespace

void wait_before_memif_unmaps(void (*wait)()) {
  wait_for_lanes = wait;
  dl_iterate_phdr(redirect, nullptr);
}

}  // namespace rxnf::dpdk
