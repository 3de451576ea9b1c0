#include "adapters/wire/sync_messages.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>
#include <variant>

namespace cellroute::wire {
namespace {

digest digest_of(int value) {
  digest d{};
  d.front() = std::byte{0xa1};
  d.back() = static_cast<std::byte>(value);
  return d;
}
const std::string a1 = "a1" + std::string(60, '0') + "01";
const std::string a2 = "a1" + std::string(60, '0') + "02";

content_id content(std::uint64_t version) { return {3, version, digest_of(static_cast<int>(version))}; }

struct message_case {
  message said;
  std::string text;
};

/// One of each type with all that it can carry, and some with as little as they can.
std::vector<message_case> message_cases() {
  hello whole;
  whole.router_id = "rt-7f";
  whole.boot_id = "b1";
  whole.build = "1.0";
  whole.labels = {{"zone", "a \"1\""}, {"fleet", "edge"}};
  whole.have = {content(1), content(2)};
  whole.source = "state";
  whole.can = {32'768, 4, 1 << 30, 10'000'000, {"zstd"}, true};
  whole.resume = resume_point{digest_of(1), 9};
  whole.quarantined = {{digest_of(2), "crash_loop"}};
  const std::string c1 = R"({"epoch":3,"version":1,"digest":")" + a1 + R"("})";
  const std::string c2 = R"({"epoch":3,"version":2,"digest":")" + a2 + R"("})";
  return {
      {whole, R"({"type":"hello","proto":1,"router_id":"rt-7f","boot_id":"b1","build":"1.0",)"
              R"("labels":{"zone":"a \"1\"","fleet":"edge"},"have":[)" +
                  c1 + "," + c2 +
                  R"(],"source":"state","caps":{"chunk":32768,"window":4,"max_bytes":1073741824,"max_keys":10000000,)"
                  R"("comp":["zstd"],"repair":true},"resume":{"artifact":")" +
                  a1 + R"(","next":9},"quarantined":[{"digest":")" + a2 + R"(","code":"crash_loop"}]})"},
      {hello{.router_id = "r", .boot_id = "b"},
       R"({"type":"hello","proto":1,"router_id":"r","boot_id":"b","caps":{"chunk":32768,"window":4}})"},
      {hello_ack{5, "main", 3, 1, 32'768, 4, 2'000, 77},
       R"({"type":"hello_ack","session":5,"cluster":"main","epoch":3,"proto":1,"chunk":32768,"window":4,)"
       R"("ping_ms":2000,"salt":77})"},
      {config_begin{9, transfer_kind::delta, digest_of(1), content(2), "spring", digest_of(1), 100, 200, 3, 1, "zstd"},
       R"({"type":"config_begin","transfer":9,"kind":"delta","base":")" + a1 + R"(","content":)" + c2 +
           R"(,"label":"spring","artifact":")" + a1 +
           R"(","bytes":100,"raw_bytes":200,"keys":3,"chunks":1,"comp":"zstd"})"},
      {config_begin{9, transfer_kind::snapshot, {}, content(2), "", digest_of(1), 100, 200, 3, 1, "none", true},
       R"({"type":"config_begin","transfer":9,"kind":"snapshot","content":)" + c2 + R"(,"artifact":")" + a1 +
           R"(","bytes":100,"raw_bytes":200,"keys":3,"chunks":1,"comp":"none","force":true})"},
      {config_abort{9, "superseded"}, R"({"type":"config_abort","transfer":9,"reason":"superseded"})"},
      {chunk_ack{9, 4}, R"({"type":"chunk_ack","transfer":9,"next":4})"},
      {ack{ack_status::applied, content(1), 5, 9, true, false, 12, 3, "", ""},
       R"({"type":"ack","status":"applied","content":)" + c1 +
           R"(,"session":5,"transfer":9,"durable":true,"apply_ms":12,"keys":3})"},
      {ack{ack_status::rejected, content(1), 5, 0, false, false, 0, 0, "guard_moved", "60 % of the keys would move"},
       R"({"type":"ack","status":"rejected","content":)" + c1 +
           R"(,"session":5,"code":"guard_moved","error":"60 % of the keys would move"})"},
      {ack{.status = ack_status::prepared, .content = content(1), .session = 5, .transfer = 9},
       R"({"type":"ack","status":"prepared","content":)" + c1 + R"(,"session":5,"transfer":9})"},
      {ack{.status = ack_status::superseded, .content = content(1), .session = 5, .transfer = 9},
       R"({"type":"ack","status":"superseded","content":)" + c1 + R"(,"session":5,"transfer":9})"},
      {ping{8, targets{3, 918, content(2)}},
       R"({"type":"ping","seq":8,"targets":{"epoch":3,"rev":918,"default":)" + c2 + "}}"},
      {ping{8, std::nullopt}, R"({"type":"ping","seq":8})"},
      {pong{8,
            content(2),
            "push",
            60,
            1,
            1'000,
            {4, 3, 2, 1},
            {content(1)},
            7,
            4'096,
            3,
            5,
            {{5, 90}, {{}, 1}},
            scrub_result{false, 1'700},
            1'795'000'000'123},
       R"({"type":"pong","seq":8,"running":)" + c2 +
           R"(,"source":"push","uptime_s":60,"boots":1,"requests":1000,"errors":{"router5xx":4,"connect":3,"timeout":2,"no_route":1},"prepared":[)" +
           c1 +
           R"(],"default_route_hits":7,"mem_bytes":4096,"rejected":3,"lkg_age_s":5,"latency":[{"le_ms":5,"n":90},{"n":1}],"scrub":{"ok":false,"at":1700},"clock_ms":1795000000123})"},
      {repair_request{content(2), digest_of(1), {0, 63}, {digest_of(1), digest_of(2)}},
       R"({"type":"repair_req","content":)" + c2 + R"(,"base":")" + a1 + R"(","groups":[0,63],"digests":[")" + a1 +
           R"(",")" + a2 + R"("]})"},
      {repair_request{content(2), std::nullopt, {}, {}}, R"({"type":"repair_req","content":)" + c2 + "}"},
      {repair{content(2), {}}, R"({"type":"repair","content":)" + c2 + "}"},
      {repair{content(2), {17}}, R"({"type":"repair","content":)" + c2 + R"(,"groups":[17]})"},
      {goaway{"restart", 100, 5'000}, R"({"type":"goaway","reason":"restart","after_ms":100,"spread_ms":5000})"},
      {session_error{"duplicate", "another router has this id", true, 0},
       R"({"type":"error","code":"duplicate","message":"another router has this id","fatal":true})"},
      {session_error{"busy", "", false, 1'500}, R"({"type":"error","code":"busy","retry_after_ms":1500})"},
  };
}

TEST_CASE("sync messages: each is written as the protocol has it, and read back as it was") {
  std::set<std::size_t> types;
  for (const message_case& row : message_cases()) {
    CAPTURE(row.text);
    CHECK(write_message(row.said) == row.text);
    const auto read = read_message(row.text);
    REQUIRE_MESSAGE(read, to_string(read.error()));
    CHECK((*read == row.said));
    types.insert(row.said.index());
  }
  CHECK(types.size() == std::variant_size_v<message> - 1);  // all but the unknown one
}

TEST_CASE("sync messages: each text that is cut is refused, and none breaks the reader") {
  for (const message_case& row : message_cases()) {
    for (std::size_t size = 0; size < row.text.size(); ++size) {
      const std::string cut = row.text.substr(0, size);
      REQUIRE_FALSE(read_message(cut));
    }
  }
}

TEST_CASE("sync messages: what is not known is left out") {
  const auto later = read_message(R"({"type":"chunk_ack","transfer":9,"next":4,"speed":{"of":["light"]}})");
  REQUIRE(later);
  CHECK((*later == message(chunk_ack{9, 4})));
  const auto unknown = read_message(R"({"type":"telepathy","to":5})");
  REQUIRE(unknown);
  CHECK((*unknown == message(unknown_message{"telepathy"})));
}

struct bad_message {
  std::string_view says;
  std::string text;
  std::string_view expected;
};

TEST_CASE("sync messages: a mistake is told with its place") {
  const std::string begin =
      R"({"type":"config_begin","transfer":9,"kind":"delta","content":{"epoch":3,"version":1,"digest":")";
  const bad_message rows[] = {
      {"nothing", "", "is empty"},
      {"no JSON", "{", "this is not JSON"},
      {"a list", "[]", "must be an object"},
      {"no type", "{}", "type: must be a text"},
      {"a type that is a number", R"({"type":1})", "type: must be a text"},
      {"a member twice: two ends could read two values", R"({"type":"ping","seq":1,"seq":2})", "seq"},
      {"a member that is missing", R"({"type":"chunk_ack","transfer":9})", "chunk_ack.next: is missing"},
      {"a text for a number", R"({"type":"chunk_ack","transfer":9,"next":"4"})",
       "chunk_ack.next: must be a whole number from 0 to 4294967295"},
      {"a number below 0", R"({"type":"chunk_ack","transfer":9,"next":-1})", "chunk_ack.next: must be a whole number"},
      {"a fraction", R"({"type":"chunk_ack","transfer":9,"next":1.5})", "chunk_ack.next: must be a whole number"},
      {"one past 32 bits", R"({"type":"chunk_ack","transfer":9,"next":4294967296})", "chunk_ack.next: must be"},
      {"one past what JSON can carry", R"({"type":"chunk_ack","transfer":9007199254740992,"next":4})",
       "chunk_ack.transfer: must be a whole number from 0 to 9007199254740991"},
      {"a kind that is none", R"({"type":"config_begin","transfer":9,"kind":"rumour"})",
       "config_begin.kind: must be one of snapshot, delta, repair"},
      {"a digest that is short", begin + R"(a1"}})", "config_begin.content.digest: must be 64 hexadecimal digits"},
      {"a digest with capitals: one content, one text", begin + "A" + a1.substr(1) + R"("}})",
       "config_begin.content.digest: must be 64 hexadecimal digits"},
      {"a place in a list",
       R"({"type":"repair","content":{"epoch":3,"version":1,"digest":")" + a1 + R"("},"groups":[1,"2"]})",
       "repair.groups[1]: must be a whole number"},
      {"a flag that is a number", R"({"type":"error","code":"busy","fatal":1})", "error.fatal: must be true or false"},
      {"an object for a text", R"({"type":"error","code":{}})", "error.code: must be a text"},
      {"a text for an object", R"({"type":"ping","seq":1,"targets":"all"})", "ping.targets: must be an object"},
      {"labels that are a list", R"({"type":"hello","proto":1,"router_id":"r","boot_id":"b","labels":[1]})",
       "hello.labels: must be an object"},
      {"too much", R"({"type":"error","code":")" + std::string(message_bytes_max, 'x') + R"("})",
       "is larger than 1MiB"},
  };
  for (const bad_message& row : rows) {
    CAPTURE(row.says);
    const auto read = read_message(row.text);
    REQUIRE_FALSE(read);
    CHECK_MESSAGE(to_string(read.error()).find(row.expected) != std::string::npos, to_string(read.error()));
  }
}

TEST_CASE("sync messages: a code of refusal has one word") {
  for (int i = 0; i <= static_cast<int>(refusal_code::internal); ++i) {
    const auto code = static_cast<refusal_code>(i);
    CHECK((parse_refusal_code(to_string(code)) == code));
  }
  CHECK_FALSE(parse_refusal_code("mood"));
}

}  // namespace
}  // namespace cellroute::wire
