// Keeps memif's memory mapped while lanes may be reading it.
#pragma once

namespace rxnf::dpdk {

// When a peer goes away, EAL's thread takes its memory away at once, also from under a lane that is
// inside a burst, which then crashes (DPDK 22.11, memif_disconnect: seen within 20 kills of a busy
// peer). The driver marks the link as down first, so a lane that comes in later keeps out by
// itself: from here on, before it unmaps, it calls `wait` to have those leave that were inside.
void wait_before_memif_unmaps(void (*wait)());

}  // namespace rxnf::dpdk
