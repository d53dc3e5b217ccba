// SPDX-License-Identifier: MIT
// All of weft for C++.
#pragma once

#include "weft/always.hpp"
#include "weft/channel.hpp"
#include "weft/choose.hpp"
#include "weft/error.hpp"
#include "weft/event.hpp"
#include "weft/guard.hpp"
#include "weft/net.hpp"
#include "weft/operation.hpp"
#include "weft/result.hpp"
#include "weft/runtime.hpp"
#include "weft/scope.hpp"
#include "weft/spawn.hpp"
#include "weft/task.hpp"
#include "weft/time.hpp"
#include "weft/wrap.hpp"
