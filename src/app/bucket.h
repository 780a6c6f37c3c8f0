// The bucket that an operator speaks of, for the server and for what looks into it without one.
#pragma once

#include "app/config.h"
#include "app/wiring.h"
#include "hooks/bucket/objects.h"
#include "stores/s3/connected_store.h"

#include <expected>
#include <memory>
#include <string>

namespace tus::app {

// Uses pool, loops and logger of `server`; metrics may be null. The error is one sentence for the operator.
std::expected<s3::ConnectedStore, std::string> connect_bucket(const Config& config,
                                                              const Server& server,
                                                              std::shared_ptr<Clock> clock,
                                                              std::shared_ptr<S3Metrics> metrics);

// Where events wait in it.
hooks::BucketPlace outbox_in(s3::ConnectedStore connected);

}  // namespace tus::app
