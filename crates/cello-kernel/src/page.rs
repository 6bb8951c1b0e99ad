//! Errors as pages: for browsers, while an application is developed.

use std::fmt::Write;

use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};

use crate::exchange::Exchange;
use crate::problem::title;

const STYLE: &str = include_str!("page.css");

/// The header fields of a page: it loads nothing, runs nothing, sends nothing, stands in no frame, and is not kept.
pub const PAGE_FIELDS: [(&str, &str); 6] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        // The hash is that of `page.css`; a test compares them.
        "default-src 'none'; style-src 'sha256-v/04bpDgcP2GGhjzavVxjE/vYy2r0zlOrSsiKNrUleA='; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("vary", "accept"),
    ("x-content-type-options", "nosniff"),
];

/// Makes the page of an error: `heading` says what failed, `sections` is HTML that tells more.
pub fn page(exchange: &Exchange, status: StatusCode, heading: &str, sections: &str) -> String {
    let mut page = String::with_capacity(STYLE.len() + sections.len() + 1024);
    let line = format!("{} {}", status.as_u16(), title(status));
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    let _ = write!(page, "<title>{line}</title><style>{STYLE}</style></head>\n<body><main><header>");
    let _ = write!(page, "<p class=\"status\">{line}</p><h1>");
    write_escaped(&mut page, heading);
    page.push_str("</h1><p><code>");
    write_escaped(&mut page, exchange.told_method().as_str());
    page.push(' ');
    write_escaped(&mut page, exchange.head.uri.path());
    let _ = write!(page, "</code></p></header>\n{sections}");
    page.push_str("<footer>Request <code>");
    write_escaped(&mut page, &exchange.id.to_string());
    page.push_str("</code></footer></main></body></html>\n");
    page
}

fn write_escaped(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#x27;"),
            _ => page.push(character),
        }
    }
}

/// Whether a client would rather have a page than JSON: it names HTML, with more weight than JSON has.
///
/// Source: RFC 9110 §12.5.1. The more specific range goes before the less specific.
pub(crate) fn is_preferred(fields: &HeaderMap) -> bool {
    let (mut html, mut json) = (0.0_f32, [None::<f32>; 3]);
    let values = fields.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        let place = match media_type.as_str() {
            "text/html" | "application/xhtml+xml" => {
                html = html.max(weight);
                continue;
            }
            "application/problem+json" | "application/json" => 0,
            "application/*" => 1,
            "*/*" => 2,
            _ => continue,
        };
        json[place] = Some(json[place].unwrap_or(0.0).max(weight));
    }
    html > json.into_iter().flatten().next().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn prefers_page(accepted: &[&'static str]) -> bool {
        let fields = accepted.iter().map(|value| (ACCEPT, HeaderValue::from_static(value)));
        is_preferred(&fields.collect())
    }

    #[test]
    fn an_id_that_the_application_gave_is_text_of_the_page() {
        let request = http::Request::get("/").body(()).expect("a request");
        let exchange = Exchange::by_hand(request.into_parts().0, bytes::Bytes::new(), None, false);
        exchange.id.set("<script>a&b</script>").expect("an id");
        let page = page(&exchange, StatusCode::NOT_FOUND, "", "");
        assert!(page.contains("<footer>Request <code>&lt;script&gt;a&amp;b&lt;/script&gt;</code></footer>"), "{page}");
    }

    #[test]
    fn browsers_prefer_a_page_and_nobody_else_does() {
        assert!(prefers_page(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"]));
        assert!(prefers_page(&["Text/HTML; charset=utf-8"]));
        assert!(prefers_page(&["application/json;q=0.5", "text/html;q=0.6"]));
        assert!(prefers_page(&["text/html;q=0.5, application/json;q=0.1, */*"]));
        assert!(!prefers_page(&[]));
        assert!(!prefers_page(&["*/*"]));
        assert!(!prefers_page(&["text/*"]));
        assert!(!prefers_page(&["application/json, text/html"]));
        assert!(!prefers_page(&["text/html;q=0.3, application/*;q=0.5, */*;q=0.1"]));
        assert!(!prefers_page(&["text/html;q=0"]));
        assert!(!prefers_page(&["text/html;q=nonsense"]));
    }

    #[test]
    fn what_is_written_into_a_page_is_text() {
        let mut page = String::new();
        write_escaped(&mut page, "<b a='1' c=\"2\">&é");
        assert_eq!(page, "&lt;b a=&#x27;1&#x27; c=&quot;2&quot;&gt;&amp;é");
    }
}
