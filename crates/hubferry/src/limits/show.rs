//! How the state of a limiter is shown, as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use hubferry_limiter::{Class, Closed, DayState, LimitState, View};
use serde_json::{Map, Value, json};

/// Everything in a view, with stable names.
pub(crate) fn view_json(view: &View) -> Value {
    let workers = view.workers.iter().map(|worker| {
        json!({
            "id": format!("{:016x}", worker.id),
            "ticket": worker.has_ticket,
            "alone": worker.is_alone,
            "known_seconds": worker.known_for.as_secs(),
            "heard_seconds_ago": worker.last_heard.as_secs(),
            "waiting": worker.waiting,
            "granted": worker.granted,
        })
    });
    json!({
        "limits": view.limits.iter().map(limit_json).collect::<Vec<_>>(),
        "day": view.day.as_ref().map(day_json),
        "workers": workers.collect::<Vec<_>>(),
        "generation": view.generation,
        "clock_corrections": view.clock_corrections,
        "tickets": view.tickets,
    })
}

fn limit_json(state: &LimitState) -> Value {
    let held = state.by_class.iter().filter(|(_, count)| *count > 0);
    let held: Map<String, Value> = held
        .map(|(class, count)| (class.as_str().to_owned(), json!(count)))
        .collect();
    json!({
        "limit": state.name.as_str(),
        "max": state.max,
        "named": state.named,
        "effective": state.effective,
        "used": state.used,
        "ahead": state.ahead,
        "by_class": held,
        "others": state.others,
        "reserved_for_tickets": state.reserved,
        "reserved_for_live": state.live_reserve,
        "closed": state.closed.map(|(why, left)| json!({
            "reason": why_of(why),
            "seconds": left.as_secs_f64(),
        })),
        "next_live_seconds": state.next.as_secs_f64(),
        "spread_seconds": state.spread.as_secs_f64(),
        "granted": state.granted,
        "returned": state.returned,
        "wasted": state.wasted,
        "throttled": state.throttled,
        "lost": state.lost,
    })
}

fn day_json(day: &DayState) -> Value {
    json!({
        "limit": day.name.as_str(),
        "max": day.max,
        "used": day.used,
        "left": day.max.map(|max| max.saturating_sub(day.used)),
        "live": day.live,
        "forecast_live": day.forecast,
        "lasts": day.max.map(|max| day.used.saturating_add(day.forecast) <= max),
        "seconds_to_midnight": day.left.as_secs(),
        "spent": day.is_spent,
    })
}

const fn why_of(closed: Closed) -> &'static str {
    match closed {
        Closed::Paused => "paused",
        Closed::Quarantine => "quarantine",
        Closed::Settling => "settling",
        Closed::Lost => "lost",
    }
}

/// One line per limit, then the day and who works.
pub(super) fn view_text(view: &View) -> String {
    let mut text = String::from(
        "  limit           max  granted now  used  booked  others  reserved  next live\n",
    );
    for state in &view.limits {
        // Writing to a text cannot fail.
        writeln!(
            text,
            "  {:<13} {:>5} {:>12} {:>5} {:>7} {:>7} {:>9}  {}",
            state.name.as_str(),
            state.named,
            state.effective,
            state.used,
            state.ahead,
            state.others,
            state.reserved + state.live_reserve,
            when(state),
        )
        .ok();
    }
    let holders = holders(view);
    if !holders.is_empty() {
        writeln!(text, "  held by class: {holders}").ok();
    }
    if let Some(day) = &view.day {
        text.push_str(&day_text(day));
    }
    for worker in &view.workers {
        let state = if worker.is_alone { ", on its own" } else { "" };
        let ticket = if worker.has_ticket {
            ", has a ticket"
        } else {
            ""
        };
        writeln!(
            text,
            "  worker {:016x}: {} granted in {}, {} waiting{ticket}{state}",
            worker.id,
            worker.granted,
            span(worker.known_for),
            worker.waiting,
        )
        .ok();
    }
    text
}

fn when(state: &LimitState) -> String {
    match state.closed {
        Some((why, left)) => format!("{} for {}", why_of(why), span(left)),
        None if state.next.is_zero() => "at once".to_owned(),
        None => format!("in {}", span(state.next)),
    }
}

fn holders(view: &View) -> String {
    let of = |class: Class| {
        let held = view.limits.iter().flat_map(|state| &state.by_class);
        let count: u32 = held.filter(|(one, _)| *one == class).map(|(_, n)| n).sum();
        (count > 0).then(|| format!("{} {count}", class.as_str()))
    };
    Class::ALL
        .into_iter()
        .filter_map(of)
        .collect::<Vec<_>>()
        .join(", ")
}

fn day_text(day: &DayState) -> String {
    let left = span(day.left);
    let Some(max) = day.max else {
        return format!(
            "  day: {} used, limit not known yet, midnight in {left}\n",
            day.used
        );
    };
    let verdict = match (day.is_spent, day.used.saturating_add(day.forecast) <= max) {
        (true, _) => "HubSpot refuses more until then",
        (false, true) => "enough for live events",
        (false, false) => "not enough for live events",
    };
    format!(
        "  day: {} of {max} used, live events need about {} more, midnight in {left}: {verdict}\n",
        day.used, day.forecast
    )
}

/// A time in its largest fitting unit.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use hubferry_limiter::{
        Ask, DayLimit, LimitName, LimitSettings, Limiter, LimiterOptions, Scope, Zone,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn a_window_is_shown_with_what_it_holds() {
        let name = || LimitName::new("ten_seconds");
        let max = NonZeroU32::new(100).unwrap();
        let day = DayLimit {
            name: LimitName::new("daily"),
            max: NonZeroU32::new(1_000),
            zone: Zone::utc(),
            covers: vec![name()],
        };
        let options = LimiterOptions {
            day: Some(day),
            ..LimiterOptions::default()
        };
        let settings = vec![LimitSettings::ten_seconds(name(), max)];
        let limiter = Limiter::local_with(Scope::new("1:private"), settings, options).unwrap();
        let ask = Ask::new([name()], Class::Live);
        let permit = limiter
            .acquire(&ask, &CancellationToken::new())
            .await
            .unwrap();
        drop(permit);
        let view = limiter.inspect().await.unwrap();
        let shown = view_json(&view);
        assert_eq!(shown["limits"][0]["limit"], "ten_seconds");
        assert_eq!(shown["limits"][0]["granted"], 1);
        assert_eq!(shown["limits"][0]["by_class"], json!({ "live": 1 }));
        assert_eq!(shown["day"]["max"], 1_000);
        let text = view_text(&view);
        assert!(text.contains("held by class: live 1\n"), "{text}");
        assert!(
            text.contains(" of 1000 used, live events need about "),
            "{text}"
        );
    }
}
