#include "app/greeting.h"

#include <tus/version.h>

#include <string>

namespace tus::app {

Response greet(const RequestHead& head, std::string_view base_path) {
  if (head.method != "GET" && head.method != "HEAD") {
    Response refused(405);
    refused.fields.add("Allow", "GET, HEAD");
    return refused;
  }
  Response response(200);
  response.fields.add("Content-Type", "text/plain; charset=utf-8");
  response.body =
      "Welcome to tusd\n"
      "===============\n"
      "\n"
      "This server takes resumable uploads (https://tus.io), and it is up. You have opened its "
      "root;\n"
      "uploads are created and continued below " +
      std::string(base_path) +
      " only, so point your tus client there.\n"
      "\n"
      "Version = " +
      std::string(version()) + "\n";
  return response;
}

}  // namespace tus::app
