// SPDX-License-Identifier: MIT
// What every public header needs: visibility. All else in libweft.so is hidden.
#pragma once

#define WEFT_API __attribute__((visibility("default")))
