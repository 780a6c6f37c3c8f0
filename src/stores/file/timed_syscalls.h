// System calls that tell how long the disk took.
#pragma once

#include "stores/file/syscalls.h"

#include <tus/metrics_sink.h>

#include <memory>

namespace tus::file_store {

std::shared_ptr<Syscalls> make_timed_syscalls(std::shared_ptr<MetricsSink> metrics);

}  // namespace tus::file_store
