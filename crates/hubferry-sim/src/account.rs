//! The account: its time zone, its day, its usage.

use jiff::Timestamp;
use serde_json::json;

use crate::answer::{Answer, Reply};
use crate::values::iso;
use crate::visit::Visit;

/// The account lives five hours behind UTC all year (Bogotá), so that its midnight is nobody else's.
const OFFSET_MS: i64 = -5 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// The number of the account's day.
pub(crate) fn day(epoch_ms: i64) -> i64 {
    (epoch_ms + OFFSET_MS).div_euclid(DAY_MS)
}

/// The account's next midnight, epoch milliseconds.
fn next_midnight(epoch_ms: i64) -> i64 {
    (day(epoch_ms) + 1) * DAY_MS - OFFSET_MS
}

/// `GET /account-info/{V}/details`.
pub(crate) fn details(visit: &Visit<'_>) -> Reply {
    Ok(Answer::json(
        200,
        &json!({
            "portalId": visit.settings.portal_id, "accountType": "DEVELOPER_TEST", "timeZone": "America/Bogota",
            "companyCurrency": "USD", "additionalCurrencies": [], "utcOffset": "-05:00",
            "utcOffsetMilliseconds": OFFSET_MS, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
        }),
    ))
}

/// `GET /account-info/{V}/api-usage/daily/private-apps`.
pub(crate) fn usage(visit: &Visit<'_>) -> Reply {
    let used = visit.state().meters.all_used_today();
    let resets = Timestamp::from_millisecond(next_midnight(visit.stamp.at_ms))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Answer::json(
        200,
        &json!({"results": [{
            "name": "private-apps-api-calls-daily", "usageLimit": visit.settings.daily, "currentUsage": used,
            "collectedAt": iso(visit.stamp.at_ms), "fetchStatus": "SUCCESS", "resetsAt": resets.to_string(),
        }]}),
    ))
}

#[cfg(test)]
mod tests {
    use super::{day, next_midnight};

    #[test]
    fn the_day_turns_at_the_accounts_midnight() {
        let five_in_the_morning_utc = 5 * 3_600_000;
        assert_eq!(day(five_in_the_morning_utc - 1), -1);
        assert_eq!(day(five_in_the_morning_utc), 0);
        assert_eq!(next_midnight(0), five_in_the_morning_utc);
    }
}
