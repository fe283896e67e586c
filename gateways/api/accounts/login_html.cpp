#include "gateways/api/accounts/login_html.hpp"

#include "runtime/crypto.hpp"

namespace slipway::gateways::api {

using runtime::response;

namespace {

constexpr std::string_view style =
  ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
  "body{margin:12vh auto 0;max-width:22rem;padding:0 1rem}"
  "h1{font-size:1.4rem;font-weight:600}"
  "label{display:block;margin-top:1rem}"
  "input,button{box-sizing:border-box;width:100%;padding:.6rem;margin-top:.25rem;font:inherit;"
  "border:1px solid #8888;border-radius:.4rem}"
  "button{margin-top:1.5rem;background:#1d5fbf;color:#fff;border:0;cursor:pointer}"
  "p.trouble{color:#c62828}p.note{opacity:.7;font-size:.9rem}";

constexpr std::string_view submit_script = "document.forms[0].submit()";

struct page {
  int status = 200;
  std::string title;
  std::string body;
  std::string form_target;  ///< origin beside our own that a form may go to
  std::string script;
};

/// No script and no style but these, no frame around it, nothing kept.
response render(const page& p) {
  const auto nonce = runtime::random_token(22);
  response r;
  r.status = p.status;
  r.content_type = "text/html; charset=utf-8";
  r.body =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>"
    + html_escape(p.title) + "</title><style nonce=\"" + nonce + "\">" + std::string(style)
    + "</style></head><body><h1>" + html_escape(p.title) + "</h1>" + p.body;
  if (!p.script.empty()) {
    r.body += "<script nonce=\"" + nonce + "\">" + p.script + "</script>";
  }
  r.body += "</body></html>\n";
  const auto source = "'nonce-" + nonce + "'";
  r.headers = {
    {"Content-Security-Policy",
     "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src " + source
       + "; script-src " + (p.script.empty() ? "'none'" : source) + "; form-action 'self'"
       + (p.form_target.empty() ? "" : " " + p.form_target)},
    {"X-Frame-Options", "DENY"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cache-Control", "no-store"}};
  return r;
}

std::string trouble_of(const login_view& v) {
  return v.trouble.empty()
           ? ""
           : "<p class=\"trouble\" role=\"alert\">" + html_escape(v.trouble) + "</p>";
}

std::string hidden(std::string_view name, std::string_view value) {
  return "<input type=\"hidden\" name=\"" + std::string(name) + "\" value=\"" + html_escape(value)
         + "\">";
}

std::string origin_of(const std::string& callback) {
  return callback.substr(0, callback.find('/', std::string_view("http://").size()));
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

response password_page(int status, const login_view& v) {
  page p;
  p.status = status;
  p.title = "Log in to Slipway";
  // Without an action the form goes to the page's own address.
  p.body = trouble_of(v) + "<form method=\"post\">" + hidden("guard", v.guard)
           + "<label>User name or e-mail<input name=\"username\" required autofocus "
             "autocomplete=\"username\" autocapitalize=\"none\" value=\""
           + html_escape(v.username)
           + "\"></label><label>Password<input name=\"password\" type=\"password\" required "
             "autocomplete=\"current-password\"></label><button>Log in</button></form>"
             "<p class=\"note\">The command line on this computer asked for it and gets the session.</p>";
  return render(p);
}

response code_page(int status, const login_view& v) {
  page p;
  p.status = status;
  p.title = "Second factor";
  p.body = trouble_of(v) + "<form method=\"post\">" + hidden("guard", v.guard)
           + hidden("pending", v.pending)
           + "<label>Code of your authenticator, or a recovery code<input name=\"code\" required "
             "autofocus autocomplete=\"one-time-code\" autocapitalize=\"none\"></label>"
             "<button>Continue</button></form>";
  return render(p);
}

response token_page(const login_view& v) {
  page p;
  p.title = "Logged in";
  p.body = "<form method=\"post\" action=\"" + html_escape(v.callback) + "\">"
           + hidden("token", v.token)
           + "<p>The session goes to the command line now.</p><button>Continue</button></form>";
  p.form_target = origin_of(v.callback);
  p.script = submit_script;
  return render(p);
}

response refused_page(std::string_view why) {
  page p;
  p.status = 400;
  p.title = "This cannot be opened";
  p.body = "<p>" + html_escape(why) + "</p>";
  return render(p);
}

}  // namespace slipway::gateways::api
