// hiredis 0.14 for Swift: its reply reader and command formatter; everything used imports as it is.
#pragma once

#include <hiredis/hiredis.h>
