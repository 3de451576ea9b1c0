#include "adapters/proxy/local_answer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "adapters/edge/request_id.hpp"

namespace cellroute::proxy {
namespace {

struct accept_case {
  std::string_view says;
  std::vector<std::string_view> accept;
  bool expected;
};

const accept_case accept_cases[] = {
    {"JSON", {"application/json"}, true},
    {"in any case", {"Application/JSON"}, true},
    {"a problem document", {"application/problem+json"}, true},
    {"among others", {"text/html, application/json;q=0.9, */*;q=0.1"}, true},
    {"with white space", {"text/html ,\tapplication/json ; q=1.0"}, true},
    {"in a second line", {"text/html", "application/json"}, true},
    {"with little weight", {"application/json;q=0.001"}, true},
    {"with another parameter", {"application/json;charset=utf-8"}, true},
    {"nothing said", {}, false},
    {"an empty value", {""}, false},
    {"anything", {"*/*"}, false},
    {"any application", {"application/*"}, false},
    {"text", {"text/plain"}, false},
    {"refused", {"application/json;q=0"}, false},
    {"refused with digits", {"application/json; q=0.000"}, false},
    {"refused behind a parameter", {"application/json;charset=utf-8;q=0"}, false},
    {"a type that only begins so", {"application/jsonp"}, false},
    {"a type that is nothing but a suffix", {"+json"}, false},
    {"in another type's parameter", {"text/html;profile=application/json"}, false},
};

TEST_CASE("local answer: JSON is written for those who ask for it") {
  for (const accept_case& row : accept_cases) {
    CAPTURE(row.says);
    std::vector<field> fields{{"X-Other", "application/json", field_name::other, false}};
    for (const std::string_view value : row.accept) fields.push_back({"Accept", value, field_name::accept, false});
    CHECK(wants_json(fields) == row.expected);
  }
}

struct printed {
  std::string body;
  std::string content_type;
  std::string proxy_status;
};

printed print(const std::string& request_id, bool json) {
  local_answer answer(502, "connect_refused", "connection_refused", "the cell refused the connection", request_id,
                      json);
  added_fields added;
  answer.add_to(added);
  const edge::body_piece body = answer.body();
  const response_view view = answer.view();
  CHECK(view.status == 502);
  CHECK(view.reason == "Bad Gateway");
  CHECK(view.body.has_body);
  CHECK(view.body.length_bytes == body.size_bytes);
  CHECK(body.end);
  printed out{{body.data, body.size_bytes}, "", ""};
  for (const field& f : added.span()) {
    (f.name == "Content-Type" ? out.content_type : out.proxy_status) = f.value;
  }
  return out;
}

TEST_CASE("local answer: text for people, JSON for programs, Proxy-Status for both (RFC 9209)") {
  const printed text = print("r1", false);
  CHECK(text.body == "the cell refused the connection\n");
  CHECK(text.content_type == "text/plain; charset=utf-8");
  CHECK(text.proxy_status == "cellroute; error=connection_refused; details=\"the cell refused the connection\"");
  const printed json = print("r1", true);
  CHECK(json.body ==
        "{\"error\":{\"code\":\"connect_refused\",\"message\":\"the cell refused the "
        "connection\",\"request_id\":\"r1\"}}\n");
  CHECK(json.content_type == "application/json");
  CHECK(json.proxy_status == text.proxy_status);
}

TEST_CASE("local answer: a request id cannot break out of its quotes") {
  const std::string id = R"(a"b\c)";
  CHECK(print(id, true).body.find(R"("request_id":"a\"b\\c"}})") != std::string::npos);
}

TEST_CASE("local answer: the longest request id there is still leaves whole JSON") {
  const std::string worst(edge::request_id_bytes_max, '"');
  CHECK(print(worst, true).body.ends_with("\\\"\"}}\n"));
}

}  // namespace
}  // namespace cellroute::proxy
