// Chunked bodies: the same payload and the same end however the bytes arrive.
#include "server/chunk_decoder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

namespace {

using tus::server::ChunkDecoder;

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::framing;
  std::string body;
  std::size_t used = 0;
  std::size_t trailers = 0;
  bool operator==(const Decoded&) const = default;
};

bool is_over(const ChunkDecoder& decoder) {
  return decoder.state() == ChunkDecoder::State::done ||
         decoder.state() == ChunkDecoder::State::malformed;
}

std::size_t step_over(ChunkDecoder& decoder, std::span<const std::byte> here, Decoded& out) {
  if (decoder.data_left() == 0) return decoder.read_framing(here);
  const auto n =
      static_cast<std::size_t>(std::min<std::uint64_t>(decoder.data_left(), here.size()));
  out.body.append(reinterpret_cast<const char*>(here.data()), n);
  decoder.took(n);
  return n;
}

Decoded decode(std::span<const std::byte> wire, std::size_t step) {
  ChunkDecoder decoder;
  Decoded out;
  while (out.used < wire.size() && !is_over(decoder)) {
    auto piece = wire.subspan(out.used, std::min(step, wire.size() - out.used));
    const auto used = step_over(decoder, piece, out);
    if (used == 0) std::abort();
    out.used += used;
  }
  out.state = decoder.state();
  out.trailers = decoder.trailers().size();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto wire = std::as_bytes(std::span(data, size));
  const auto whole = decode(wire, size);
  for (std::size_t step : {1u, 2u, 5u}) {
    if (decode(wire, step) != whole) std::abort();
  }
  return 0;
}
