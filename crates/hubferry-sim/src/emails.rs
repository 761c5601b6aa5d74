//! Which email addresses HubSpot takes.

/// Top-level domains of more than two letters that count as real. Two letters always do (country codes).
/// `test` and `example` are reserved for documentation (RFC 2606) and accepted so that sample data needs no real domain.
const LONG_TLDS: [&str; 47] = [
    "com",
    "org",
    "net",
    "edu",
    "gov",
    "mil",
    "int",
    "info",
    "biz",
    "name",
    "pro",
    "aero",
    "coop",
    "museum",
    "jobs",
    "mobi",
    "travel",
    "cat",
    "tel",
    "asia",
    "post",
    "app",
    "dev",
    "page",
    "cloud",
    "online",
    "site",
    "store",
    "shop",
    "tech",
    "xyz",
    "agency",
    "email",
    "company",
    "group",
    "solutions",
    "systems",
    "software",
    "digital",
    "media",
    "live",
    "world",
    "global",
    "design",
    "academy",
    "test",
    "example",
];

/// Whether an address is one HubSpot takes: one `@`, a plain local part, a dotted domain with a real top level.
pub(crate) fn valid_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let domain_ok =
        labels.len() >= 2 && domain.len() <= 253 && labels.iter().all(|label| valid_label(label));
    let top = labels
        .last()
        .copied()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let top_ok = (top.len() == 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic()))
        || top.starts_with("xn--")
        || LONG_TLDS.contains(&top.as_str());
    local_ok && domain_ok && top_ok
}

fn valid_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::valid_email;

    #[test]
    fn addresses() {
        for good in [
            "a@b.io",
            "a.b+c@d-e.example.com",
            "o'neill@acme.co.uk",
            "x@acme.test",
        ] {
            assert!(valid_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.io",
            "a@",
            "a@b",
            "a@.io",
            "a@b..io",
            "a b@c.io",
            "a@b.c0m",
            "a..b@c.io",
            "a@b.io.",
        ] {
            assert!(!valid_email(bad), "{bad}");
        }
    }
}
