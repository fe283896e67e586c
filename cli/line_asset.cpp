#include "cli/command_line.hpp"

namespace slipway::cli {

namespace {

CLI::App* asset_command(
  CLI::App& parent,
  command_line& l,
  const char* name,
  const char* about,
  const char* examples) {
  auto* c = command(parent, name, about, examples);
  c->add_option("RELEASE", l.asset.release, "id, or the start of its commit")->required();
  return c;
}

}  // namespace

void add_assets(CLI::App& release, command_line& l) {
  auto* asset = group(release, "asset", "files that are kept with a release");
  auto* c = asset_command(
    *asset,
    l,
    "upload",
    "keep a file with a release",
    "  slipway release asset upload 8c1f02d flash.img\n"
    "  slipway release asset upload 8c1f02d build/notes.md --key notes --overwrite");
  c->add_option("FILE", l.asset.file, "what to upload")->required();
  c->add_option("-k,--key", l.asset.key, "its key; the file's name if absent");
  c->add_option("--type", l.asset.type, "content type")->capture_default_str();
  c->add_flag("--overwrite", l.asset.overwrite, "replace what is under the key");
  choose(c, l, [&l](context& x) { return asset_upload(x, l.asset); });

  c = asset_command(
    *asset,
    l,
    "list",
    "list the files kept with a release",
    "  slipway release asset list 8c1f02d --json");
  choose(c, l, [&l](context& x) { return asset_list(x, l.asset.release); });

  c = asset_command(
    *asset,
    l,
    "download",
    "fetch a file kept with a release",
    "  slipway release asset download 8c1f02d flash.img\n"
    "  slipway release asset download 8c1f02d notes --output - | less");
  c->add_option("KEY", l.asset.key, "see release asset list")->required();
  c->add_option(
    "-o,--output",
    l.asset.file,
    "where to; last part of the key if absent, - is stdout");
  c->add_flag("--overwrite", l.asset.overwrite, "replace the file if it exists");
  choose(c, l, [&l](context& x) { return asset_download(x, l.asset); });

  c = asset_command(
    *asset,
    l,
    "rm",
    "remove a file kept with a release",
    "  slipway release asset rm 8c1f02d flash.img --yes");
  c->add_option("KEY", l.asset.key, "see release asset list")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return asset_remove(x, l.asset, l.yes); });
}

}  // namespace slipway::cli
