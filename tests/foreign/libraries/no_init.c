/* SPDX-License-Identifier: MIT */
int weft_test_nothing_to_start(void);
int weft_test_nothing_to_start(void) { return 0; }
