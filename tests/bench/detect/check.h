/* SPDX-License-Identifier: BSD-3-Clause */
/* The yardstick measured itself: formulas against known values and against simulation. */
#pragma once

/* Prints a line for each check. Returns 0, or -1 when one failed. */
int check_all(void);
