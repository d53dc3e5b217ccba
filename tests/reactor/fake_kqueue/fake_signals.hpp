// SPDX-License-Identifier: MIT
// Signals for the fake kqueue: like a knote of the BSDs', an eventfd counts a signal beside
// whatever its handler does. A handler of our own does it, in front of the one that is there.
#pragma once

#include <atomic>

namespace fake {

/// From now on each such signal is written to the eventfd.
void record(int signal, int eventfd);
/// From now on it is not, and no handler touches the eventfd any more.
void stop_recording(int signal, int eventfd);

}  // namespace fake
