// The coroutine type of every asynchronous call in the library.
#pragma once

#include <tus/export.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

TUS_NAMESPACE_BEGIN

namespace asio = boost::asio;

// Runs, and resumes, on the executor of the coroutine that awaits it. The library never cancels a
// coroutine: a wait ends because its source ends (see BodySource::interrupt) or its deadline passes, so
// that clean-up code runs like any other code (docs/adr/0004).
template <class T = void>
using Awaitable = boost::asio::awaitable<T>;

TUS_NAMESPACE_END
