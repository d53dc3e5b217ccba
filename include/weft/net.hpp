// SPDX-License-Identifier: MIT
// The network: TCP, names, other people's descriptors.
#pragma once

#include "weft/address.hpp"
#include "weft/byte_stream.hpp"
#include "weft/pollable.hpp"
#include "weft/tcp.hpp"
