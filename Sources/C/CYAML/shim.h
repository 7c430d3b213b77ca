// libyaml 0.2 for Swift; everything used imports as it is.
#ifndef CYAML_SHIM_H
#define CYAML_SHIM_H

#include <yaml.h>

#endif
