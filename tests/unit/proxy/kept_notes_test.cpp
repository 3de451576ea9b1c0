// The small files beside contents that were pushed, and what is counted in one of them.
#include "adapters/proxy/kept_notes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "adapters/proxy/boot_counter.hpp"
#include "adapters/wire/crc32c.hpp"
#include "tests/support/simulated_disk.hpp"

namespace cellroute::proxy {
namespace {

wire::digest sum_of(int number) {
  wire::digest sum{};
  sum.front() = static_cast<std::byte>(number);
  return sum;
}

const std::string hex_one = "01" + std::string(62, '0');

/// A text as a stranger writes it, with a sum that fits.
std::string sealed(std::string text) {
  const std::uint32_t sum = wire::crc32c(std::as_bytes(std::span(text)));
  text += "crc32c ";
  for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[sum >> shift & 15];
  return text + "\n";
}

TEST_CASE("kept notes: they are texts") {
  CHECK(write_mark({"1-2-abc", sum_of(1)}) == sealed("cellroute chain 1\n1-2-abc " + hex_one + "\n"));
  const std::vector<boot_record> boots{{sum_of(1), 2, false}, {sum_of(1), 0, true}};
  CHECK(write_boots(boots) == sealed("cellroute boots 1\n" + hex_one + " 2\n" + hex_one + " survived\n"));
  const std::vector<wire::quarantined_content> refused{{sum_of(1), "crash_loop"}};
  CHECK(write_quarantine(refused) == sealed("cellroute quarantine 1\n" + hex_one + " crash_loop\n"));
}

TEST_CASE("kept notes: what is written is read") {
  const chain_mark mark{"1-2-abc.1", sum_of(7)};
  CHECK((read_mark(write_mark(mark)) == expected<chain_mark, std::string>(mark)));
  std::vector<boot_record> boots;
  std::vector<wire::quarantined_content> refused;
  for (int count = 0; count <= 64; ++count) {
    const auto boots_read = read_boots(write_boots(boots));
    REQUIRE(boots_read);
    CHECK((*boots_read == boots));
    const auto refused_read = read_quarantine(write_quarantine(refused));
    REQUIRE(refused_read);
    CHECK((*refused_read == refused));
    const bool has_survived = count % 3 == 0;
    boots.push_back({sum_of(count), has_survived ? 0U : 4'000'000'000U, has_survived});
    refused.push_back({sum_of(count), "guard_moved"});
  }
  // One more than there is room for: the oldest is forgotten.
  const auto last = read_quarantine(write_quarantine(refused));
  REQUIRE(last);
  CHECK(last->size() == 64);
  CHECK((last->front().sum == sum_of(1)));
  refused = {{sum_of(1), "no word"}, {sum_of(2), ""}, {sum_of(3), "schema"}};
  const auto some = read_quarantine(write_quarantine(refused));
  REQUIRE(some);
  CHECK((*some == std::vector<wire::quarantined_content>{{sum_of(3), "schema"}}));
}

TEST_CASE("kept notes: cut or changed at any byte they are none") {
  const std::string texts[] = {write_mark({"1-2-abc", sum_of(1)}),
                               write_boots(std::vector<boot_record>{{sum_of(1), 2, false}}),
                               write_quarantine(std::vector<wire::quarantined_content>{{sum_of(1), "crash_loop"}})};
  const auto is_read = [](const std::string& text) {
    return read_mark(text) || read_boots(text) || read_quarantine(text);
  };
  for (const std::string& text : texts) {
    CHECK(is_read(text));
    for (std::size_t at = 0; at < text.size(); ++at) {
      CHECK_FALSE(is_read(text.substr(0, at)));
      for (int bit = 0; bit < 8; ++bit) {
        std::string bad = text;
        bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
        CHECK_FALSE(is_read(bad));
      }
    }
  }
}

TEST_CASE("kept notes: what makes no sense is none, with a sum that fits, too") {
  const std::string chain = "cellroute chain 1\n";
  for (const std::string& inside :
       {std::string(), std::string("cellroute chain 2\n1-2-abc " + hex_one + "\n"), chain, chain + "1-2-abc",
        chain + "1-2-abc\n", chain + "1-2-abc " + hex_one, chain + "../up " + hex_one + "\n",
        chain + ". " + hex_one + "\n", chain + " " + hex_one + "\n", chain + "1-2-abc 01\n",
        chain + std::string(65, 'a') + " " + hex_one + "\n", chain + "1-2-abc " + hex_one + " more\n",
        chain + "a " + hex_one + "\nb " + hex_one + "\n"}) {
    CAPTURE(inside);
    const auto read = read_mark(sealed(inside));
    REQUIRE_FALSE(read);
    CHECK(read.error().starts_with("is "));
  }
  const std::string boots = "cellroute boots 1\n";
  for (const std::string& line :
       {hex_one + " -1\n", hex_one + " 4294967296\n", hex_one + " 1x\n", std::string("x 1\n")}) {
    CHECK_FALSE(read_boots(sealed(boots + line)));
  }
  std::string many = boots;
  for (int i = 0; i < 65; ++i) many += hex_one + " 1\n";
  CHECK_FALSE(read_boots(sealed(many)));
  CHECK_FALSE(read_quarantine(sealed("cellroute quarantine 1\nx schema\n")));
}

/// What a process does with a counter, and how many starts make a crash loop then.
struct counting_case {
  std::string_view says;
  void (*does)(boot_counter& c);
  bool expected;
};

TEST_CASE("boot counter: what counts as a start that did not survive") {
  const counting_case rows[] = {
      {"the process ends", [](boot_counter& c) { CHECK(c.begin(sum_of(1))); }, true},
      {"the content is given twice, the process ends once",
       [](boot_counter& c) { CHECK((c.begin(sum_of(1)) && c.begin(sum_of(1)))); }, true},
      {"it survived", [](boot_counter& c) { CHECK((c.begin(sum_of(1)) && c.survived())); }, false},
      {"another took its place, and ended the process",
       [](boot_counter& c) { CHECK((c.begin(sum_of(1)) && c.begin(sum_of(2)))); }, false},
      {"another took its place, it came again, and ended the process",
       [](boot_counter& c) { CHECK((c.begin(sum_of(1)) && c.begin(sum_of(2)) && c.begin(sum_of(1)))); }, true},
      {"it is told to end before it survived", [](boot_counter& c) { CHECK((c.begin(sum_of(1)) && c.ended())); },
       false},
      {"it is told to end with another that took its place",
       [](boot_counter& c) { CHECK((c.begin(sum_of(1)) && c.begin(sum_of(2)) && c.ended())); }, false},
      {"nothing was begun, and it is told to end", [](boot_counter& c) { CHECK(c.ended()); }, false},
      {"nothing was begun", [](boot_counter& c) { CHECK(c.survived()); }, false},
  };
  for (const counting_case& row : rows) {
    CAPTURE(row.says);
    support::simulated_disk disk;
    std::vector<std::string> told;
    for (int start = 1; start <= 4; ++start) {
      boot_counter counter(disk);
      counter.load(told);
      CHECK(counter.is_crash_loop(sum_of(1)) == (row.expected && start == 4));
      if (start < 4) row.does(counter);
    }
    CHECK(told.empty());
  }
}

TEST_CASE("boot counter: a start that was told to end is neither counted nor survived") {
  support::simulated_disk disk;
  std::vector<std::string> told;
  for (int start = 1; start <= 6; ++start) {  // each second one is told to end
    boot_counter counter(disk);
    counter.load(told);
    CHECK(counter.is_crash_loop(sum_of(1)) == (start == 6));
    REQUIRE(counter.begin(sum_of(1)));
    if (start % 2 == 0) REQUIRE(counter.ended());
  }
}

TEST_CASE("boot counter: the oldest of many contents is forgotten") {
  support::simulated_disk disk;
  std::vector<std::string> told;
  for (int number = 0; number < 17; ++number) {
    for (int start = 0; start < 3; ++start) {
      boot_counter counter(disk);
      counter.load(told);
      REQUIRE(counter.begin(sum_of(number)));
    }
  }
  boot_counter counter(disk);
  counter.load(told);
  CHECK_FALSE(counter.is_crash_loop(sum_of(0)));
  CHECK(counter.is_crash_loop(sum_of(1)));
  CHECK(counter.is_crash_loop(sum_of(16)));
}

TEST_CASE("boot counter: what a disk did not take is told, and tried again with the next") {
  support::simulated_disk disk;
  boot_counter counter(disk);
  std::vector<std::string> told;
  counter.load(told);
  disk.fail_call(1, support::disk_fault::read_only);
  CHECK_FALSE(counter.begin(sum_of(1)));
  CHECK_FALSE(counter.survived());
  disk.heal();
  CHECK(counter.survived());
  for (int start = 0; start < 4; ++start) {
    boot_counter next(disk);
    next.load(told);
    CHECK_FALSE(next.is_crash_loop(sum_of(1)));
    REQUIRE(next.begin(sum_of(1)));
  }
}

}  // namespace
}  // namespace cellroute::proxy
