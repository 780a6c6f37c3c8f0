// A client that was let in.
#pragma once

#include "server/admission.h"
#include "server/client_shares.h"

#include <memory>
#include <string>

namespace tus::server {

struct AcceptedSocket {
  int fd = -1;  // of whoever takes it over
  std::string peer;
  Admission::Place place;
  std::unique_ptr<ClientShares::Share> share;  // of what its address may have; none: not limited
};

}  // namespace tus::server
