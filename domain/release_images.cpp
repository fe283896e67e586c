#include "domain/release_images.hpp"

#include "domain/numbers.hpp"

#include <array>

namespace slipway::domain {

using messages::as_int;
using messages::field;

std::vector<std::pair<std::string, messages::row>> images_of_release(
  const row_source& rows,
  std::int64_t release) {
  const auto& n = numbers::get();
  const auto& l = n.release_image;
  std::vector<std::pair<std::string, messages::row>> out;
  const std::array<messages::value, 1> key{release};
  for (const auto id : rows.all(l.resource, l.is_part_of__release, key)) {
    const auto link = rows.get(l.resource, id);
    auto image = link ? rows.get(n.image.resource, as_int(field(*link, l.image))) : std::nullopt;
    const auto service =
      image ? rows.get(n.service.resource, as_int(field(*image, n.image.is_a_build_of__service)))
            : std::nullopt;
    if (service) {
      out.emplace_back(
        messages::as_text(field(*service, n.service.service_name)),
        std::move(*image));
    }
  }
  return out;
}

}  // namespace slipway::domain
