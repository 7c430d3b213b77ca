// libsrtp 2.5 for Swift; everything used imports as it is.
#ifndef CSRTP_SHIM_H
#define CSRTP_SHIM_H

#include <srtp2/srtp.h>

#endif
