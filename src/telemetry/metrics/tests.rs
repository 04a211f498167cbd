//! What `/metrics` answers.

use std::time::Duration;

use super::*;

/// Whether the answer has this line.
fn has(metrics: &Metrics, line: &str) -> bool {
    metrics.encode().lines().any(|candidate| candidate == line)
}

#[test]
fn what_happened_is_counted() {
    let metrics = Metrics::new();
    let route = metrics.route("/v1/token", RouteClass::TokenExchange);
    route.answered(200, Duration::from_micros(70));
    route.answered(401, Duration::from_micros(20));
    route.answered(999, Duration::ZERO);
    metrics.exchange_minted();
    metrics.exchange_reused();
    metrics.refused(Refusal::Forged);
    metrics.keys_revoked(3);
    metrics.set_store_totals(20, 16, 4);
    metrics.set_cached_keys(7);
    for line in [
        "kagiya_http_requests_total{route=\"/v1/token\",status=\"2xx\"} 1",
        "kagiya_http_requests_total{route=\"/v1/token\",status=\"4xx\"} 1",
        "kagiya_http_requests_total{route=\"/v1/token\",status=\"5xx\"} 1",
        "kagiya_http_request_duration_seconds_bucket{le=\"0.00005\",class=\"token_exchange\"} 2",
        "kagiya_http_request_duration_seconds_count{class=\"token_exchange\"} 3",
        "kagiya_exchanges_total{token=\"minted\"} 1",
        "kagiya_exchanges_total{token=\"reused\"} 1",
        "kagiya_refusals_total{reason=\"forged\"} 1",
        "kagiya_refusals_total{reason=\"rate_limited\"} 0",
        "kagiya_keys_revoked_total 3",
        "kagiya_store_reads_total 20",
        "kagiya_store_writes_total 16",
        "kagiya_store_commits_total 4",
        "kagiya_key_cache_keys 7",
    ] {
        assert!(
            has(&metrics, line),
            "{line} is not in\n{}",
            metrics.encode()
        );
    }
    assert!(
        has(
            &Metrics::new(),
            "kagiya_exchanges_total{token=\"minted\"} 0"
        ),
        "instances do not mix"
    );
}

#[test]
fn the_document_lists_the_metrics_that_there_are() {
    let metrics = Metrics::new();
    metrics.route("/", RouteClass::Other);
    metrics.provider("corp").remaining(1);
    let text = metrics.encode();
    let mut there: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    let document = include_str!("../../../docs/metrics.md");
    let mut documented: Vec<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("kagiya_"))
        .map(str::to_owned)
        .collect();
    there.sort();
    documented.sort();
    assert_eq!(documented, there);
    for refusal in Refusal::ALL {
        assert!(
            document.contains(&format!("`{}`", refusal.as_str())),
            "{refusal:?}"
        );
    }
}
