// How fast is a WebSocket message, beside a copy of its bytes?
//
// Unit: GB a second (10^9 bytes), medians of rounds in which each contestant runs once; the ratio is to the copy of as
// many bytes in the same rounds. Only figures of one run compare. A server reads masked frames, a client bare ones; in
// pieces stands for a message that arrives in reads of 64 KiB, and is put together. Texts are JSON in ASCII, as
// configurations are, and Greek, of which every letter has two bytes.
//
// Tried, and lost: keeping the memory of a message for the next one. A message of 1 MB in pieces goes at 13 GB/s then
// instead of 0.6, for all the rest is page faults; but each idle connection costs its largest message.
//
// usage: bench_websocket [--quick]

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/websocket/masking.hpp"
#include "adapters/websocket/message_reader.hpp"
#include "adapters/websocket/message_writer.hpp"
#include "adapters/websocket/utf8_check.hpp"

using namespace cellroute::websocket;

namespace {

constexpr mask_key mask = {0x37, 0xfa, 0x21, 0x3d};
constexpr std::size_t piece_bytes = 65536;

class same_mask final : public mask_source {
 public:
  mask_key next_mask() override { return mask; }
};

std::string repeated(std::string_view unit, std::size_t size_bytes) {
  std::string text;
  while (text.size() + unit.size() <= size_bytes) text += unit;
  return text;
}

std::string json(std::size_t size_bytes) {
  return repeated(R"({"key":"customer-0004711","placement":"tier1"},)", size_bytes);
}

std::string greek(std::size_t size_bytes) { return repeated("\xce\xb1\xce\xb2\xce\xb3\xce\xb4\xce\xb5 ", size_bytes); }

// What the compiler must not see through.
void use(const void* at) { asm volatile("" : : "r"(at) : "memory"); }

/// Something that is measured: `run` goes once over the bytes of `text`.
class contestant {
 public:
  explicit contestant(std::string given) : text(std::move(given)) {}
  virtual ~contestant() = default;
  virtual void run() = 0;

  std::string text;
  std::vector<double> rates;  ///< GB/s, one a round
};

class copy final : public contestant {
 public:
  explicit copy(std::string given) : contestant(std::move(given)), to_(text.size(), '\0') {}
  void run() override {
    std::memcpy(to_.data(), text.data(), text.size());
    use(to_.data());
  }

 private:
  std::string to_;
};

class plain_mask final : public contestant {
 public:
  using contestant::contestant;
  void run() override {
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(text[i] ^ mask[i % 4]);
    use(text.data());
  }
};

class fast_mask final : public contestant {
 public:
  using contestant::contestant;
  void run() override {
    apply_mask(text, mask, 1);
    use(text.data());
  }
};

class text_check final : public contestant {
 public:
  using contestant::contestant;
  void run() override {
    utf8_check check;
    const bool is_good = check.take(text);
    use(&is_good);
  }
};

// Reading takes the mask off in place. A mask of nothing costs the same and leaves the input as it was, for the next
// time.
class reading final : public contestant {
 public:
  reading(role self, message_kind kind, std::string given, std::size_t step)
      : contestant(std::move(given)), self_(self), step_(step) {
    no_mask none;
    message_writer writer = self == role::server ? message_writer{none} : message_writer{};
    writer.append_message(sent_, kind, text);
  }
  void run() override {
    message_reader reader{self_};
    for (std::size_t begin = 0; begin < sent_.size(); begin += step_) {
      std::span<char> left = std::span<char>(sent_).subspan(begin, std::min(step_, sent_.size() - begin));
      while (!left.empty()) {
        const read_event event = reader.next(left);
        use(&event);
      }
    }
  }

 private:
  class no_mask final : public mask_source {
   public:
    mask_key next_mask() override { return {}; }
  };

  std::string sent_;
  role self_;
  std::size_t step_;
};

class writing final : public contestant {
 public:
  using contestant::contestant;
  void run() override {
    message_writer writer{masks_};
    out_.clear();
    writer.append_message(out_, message_kind::text, text);
    use(out_.data());
  }

 private:
  same_mask masks_;
  std::string out_;
};

double seconds_of(contestant& one, std::size_t times) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < times; ++i) one.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> of) {
  std::ranges::sort(of);
  return of[of.size() / 2];
}

void compare(std::size_t size_bytes, std::size_t rounds, std::size_t bytes_a_round) {
  copy copied{json(size_bytes)};
  plain_mask plain{json(size_bytes)};
  fast_mask fast{json(size_bytes)};
  text_check ascii{json(size_bytes)};
  text_check letters{greek(size_bytes)};
  reading client_text{role::client, message_kind::text, json(size_bytes), ~std::size_t{0}};
  reading server_text{role::server, message_kind::text, json(size_bytes), ~std::size_t{0}};
  reading server_binary{role::server, message_kind::binary, json(size_bytes), ~std::size_t{0}};
  reading client_pieces{role::client, message_kind::text, json(size_bytes), piece_bytes};
  writing written{json(size_bytes)};
  const struct {
    std::string_view says;
    contestant* one;
  } rows[] = {{"copy (the anchor)", &copied},
              {"mask, byte by byte", &plain},
              {"mask", &fast},
              {"is it text: JSON", &ascii},
              {"is it text: Greek", &letters},
              {"read at a client, text", &client_text},
              {"read at a server, text", &server_text},
              {"read at a server, binary", &server_binary},
              {"read at a client, text in pieces", &client_pieces},
              {"written by a client", &written}};
  const std::size_t times = bytes_a_round / size_bytes;
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (const auto& row : rows) {
      const double seconds = seconds_of(*row.one, times);
      const double bytes = static_cast<double>(row.one->text.size() * times);
      if (round > 0) row.one->rates.push_back(bytes / seconds / 1e9);  // the first one warms up
    }
  }
  std::printf("\n%zu bytes a message\n", size_bytes);
  for (const auto& row : rows) {
    std::printf("  %-34.*s %7.2f GB/s   %5.2f of the copy\n", static_cast<int>(row.says.size()), row.says.data(),
                median(row.one->rates), median(row.one->rates) / median(copied.rates));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string_view(argv[1]) == "--quick";
  for (const std::size_t size_bytes : {std::size_t{1024}, std::size_t{65536}, std::size_t{1000000}}) {
    compare(size_bytes, quick ? 5 : 31, quick ? 4'000'000 : 32'000'000);
  }
}
