//! Somebody who can write to the database, and has no audit secret, changes the trail: what he did is found and named.

use kagiya::broker::audit_verification::Problem;

use super::{app_with_rows, assert_finds, assert_whole, length};
use crate::support::test_app::TestApp;

#[tokio::test]
async fn a_row_that_was_changed_is_named_whatever_was_changed() {
    let app = app_with_rows().await;
    for (column, value) in [
        ("id", "'evt_aaaaaaaaaaaaaaaaaaaaaaaaaa'"),
        ("at", "at + 1"),
        ("actor", "'operator:somebody'"),
        ("action", "'key.looked_at'"),
        ("subject", "subject || 'x'"),
        ("organization_id", "'org_aaaaaaaaaaaaaaaaaaaaaaaaaa'"),
        ("address", "NULL"),
        ("request_id", "''"),
        ("details", "details || ' '"),
    ] {
        let kept = format!(
            "CREATE TABLE kept AS SELECT {column} AS was FROM audit_events WHERE chain = 1 AND position = 7"
        );
        app.tamper(&kept).await;
        app.tamper(&format!(
            "UPDATE audit_events SET {column} = {value} WHERE chain = 1 AND position = 7"
        ))
        .await;
        let finding = assert_finds(&app.verify_trail(&[]).await, Problem::Changed, 1, 7);
        assert!(finding.event.is_some(), "{column}");
        app.tamper(&format!(
            "UPDATE audit_events SET {column} = (SELECT was FROM kept) WHERE chain = 1 AND position = 7"
        ))
        .await;
        app.tamper("DROP TABLE kept").await;
        assert_whole(&app.verify_trail(&[]).await);
    }
}

#[tokio::test]
async fn of_several_rows_that_were_changed_the_first_is_named() {
    let app = app_with_rows().await;
    app.tamper("UPDATE audit_events SET subject = 'x' WHERE position IN (4, 3, 6)")
        .await;
    let report = app.verify_trail(&[]).await;
    assert_finds(&report, Problem::Changed, 1, 3);
    assert_eq!(report.rows, 2, "what comes behind is not vouched for");
}

#[tokio::test]
async fn a_row_that_was_removed_is_named() {
    let app = app_with_rows().await;
    app.tamper("DELETE FROM audit_events WHERE position IN (4, 5)")
        .await;
    let finding = assert_finds(&app.verify_trail(&[]).await, Problem::Removed, 1, 4);
    assert!(
        finding.detail.contains("2 rows are gone"),
        "{}",
        finding.detail
    );
    app.tamper("DELETE FROM audit_events WHERE position < 4")
        .await;
    assert_finds(&app.verify_trail(&[]).await, Problem::Removed, 1, 1);
}

#[tokio::test]
async fn a_row_that_was_removed_and_whose_place_was_closed_is_named() {
    let app = app_with_rows().await;
    app.tamper("DELETE FROM audit_events WHERE position = 4")
        .await;
    let length = length(&app, 1).await;
    for position in 5..=length {
        app.tamper(&format!(
            "UPDATE audit_events SET position = position - 1 WHERE position = {position}"
        ))
        .await;
    }
    assert_finds(&app.verify_trail(&[]).await, Problem::Moved, 1, 4);
}

#[tokio::test]
async fn rows_that_were_put_into_another_order_are_named() {
    let app = app_with_rows().await;
    for (from, to) in [(3, -1), (6, 3), (-1, 6)] {
        app.tamper(&format!(
            "UPDATE audit_events SET position = {to} WHERE position = {from}"
        ))
        .await;
    }
    let finding = assert_finds(&app.verify_trail(&[]).await, Problem::Moved, 1, 3);
    assert!(finding.event.is_some());
}

#[tokio::test]
async fn a_row_that_was_put_in_is_named_wherever_it_is() {
    let app = app_with_rows().await;
    let end = length(&app, 1).await + 1;
    let copy = |chain: &str, position: &str| {
        format!(
            "INSERT INTO audit_events (id, at, actor, action, subject, details, chain, position, seal) \
             SELECT 'evt_aaaaaaaaaaaaaaaaaaaaaaaaaa', at, actor, action, subject, details, {chain}, {position}, seal \
             FROM audit_events WHERE chain = 1 AND position = 2"
        )
    };
    let remove = "DELETE FROM audit_events WHERE id = 'evt_aaaaaaaaaaaaaaaaaaaaaaaaaa'";
    for (chain, position, problem) in [
        ("NULL", "NULL", Problem::Foreign),
        ("NULL", "4", Problem::Foreign),
        ("1", "NULL", Problem::Foreign),
        ("1", "0", Problem::Foreign),
        ("1", "-1", Problem::Foreign),
        ("2", "1", Problem::Foreign),
        ("0", "1", Problem::Foreign),
        ("-1", "1", Problem::Foreign),
        ("1", &end.to_string(), Problem::Changed),
    ] {
        app.tamper(&copy(chain, position)).await;
        let report = app.verify_trail(&[]).await;
        let first = report.findings.first().map(|first| first.problem);
        assert_eq!(first, Some(problem), "{chain} {position}: {report:#?}");
        app.tamper(remove).await;
        assert_whole(&app.verify_trail(&[]).await);
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_is_told_from_one_that_ended_in_a_crash() {
    let app = app_with_rows().await.crash().await;
    // The crash leaves a chain that nobody ended, and that is whole.
    let report = app.verify_trail(&[]).await;
    assert_whole(&report);
    assert_eq!(report.ended, 0);
    assert_eq!(report.open[0].number, 1);
    let length = length(&app, 1).await;
    assert_eq!(report.open[0].rows, length);

    app.tamper(&format!(
        "DELETE FROM audit_events WHERE position > {}",
        length - 2
    ))
    .await;
    let finding = assert_finds(&app.verify_trail(&[]).await, Problem::CutOff, 1, length - 1);
    assert!(
        finding.detail.contains("2 rows at the end are gone"),
        "{}",
        finding.detail
    );
    // To let its record say so too takes the audit secret.
    app.tamper(&format!("UPDATE audit_chains SET length = {}", length - 2))
        .await;
    assert_finds_in_record(&app, 1).await;
    app.tamper(&format!(
        "UPDATE audit_chains SET link = (SELECT substr(seal, 1, 32) FROM audit_events WHERE position = {})",
        length - 2
    ))
    .await;
    assert_finds_in_record(&app, 1).await;
}

#[tokio::test]
async fn a_chain_that_its_server_ended_and_that_was_cut_is_found_too() {
    let app = app_with_rows().await.restart().await;
    let report = app.verify_trail(&[]).await;
    assert_whole(&report);
    assert_eq!((report.ended, report.open.len()), (1, 0));
    let length = length(&app, 1).await;
    app.tamper(&format!(
        "DELETE FROM audit_events WHERE position = {length}"
    ))
    .await;
    assert_finds(&app.verify_trail(&[]).await, Problem::CutOff, 1, length);
    app.tamper("DELETE FROM audit_events").await;
    assert_finds(&app.verify_trail(&[]).await, Problem::CutOff, 1, 1);
}

/// Somebody kept what was on record of a chain, and puts it back when he has cut off what came since.
#[tokio::test]
async fn a_chain_that_was_put_back_to_an_earlier_state_is_found_by_what_others_know_of_it() {
    let app = app_with_rows().await;
    app.tamper("CREATE TABLE kept AS SELECT * FROM audit_chains WHERE number = 1")
        .await;
    let before = length(&app, 1).await;
    let early = app.verify_trail(&[]).await.anchors;
    app.organization("Later").await;
    let late = app.verify_trail(&[]).await.anchors;
    // The next chain records how far this one was.
    let app = app.crash().await;
    app.organization("Later still").await;
    assert_eq!(app.verify_trail(&early).await.chains, 2);
    app.tamper(&format!(
        "DELETE FROM audit_events WHERE chain = 1 AND position > {before}"
    ))
    .await;
    app.tamper("DELETE FROM audit_chains WHERE number = 1")
        .await;
    app.tamper("INSERT INTO audit_chains SELECT * FROM kept")
        .await;
    let report = app.verify_trail(&[]).await;
    let finding = assert_finds(&report, Problem::CutOff, 1, before + 1);
    assert!(finding.detail.contains("chain 2"), "{}", finding.detail);

    // With all that came later gone, and the register put back, the database says nothing of it any more: an anchor does.
    app.tamper("DELETE FROM audit_events WHERE chain = 2").await;
    app.tamper("DELETE FROM audit_chains WHERE number = 2")
        .await;
    assert_finds_in_register(&app).await;
    let finding = assert_finds(
        &app.verify_trail(&late).await,
        Problem::CutOff,
        1,
        before + 1,
    );
    assert!(finding.detail.contains("the anchor"), "{}", finding.detail);
    assert_eq!(
        app.verify_trail(&early).await.findings.len(),
        app.verify_trail(&[]).await.findings.len()
    );
}

#[tokio::test]
async fn a_chain_that_is_gone_as_a_whole_is_named() {
    let app = app_with_rows().await.restart().await;
    app.organization("Second").await;
    let app = app.restart().await;
    app.organization("Third").await;
    assert_eq!(app.verify_trail(&[]).await.chains, 3);
    for chain in [2, 3] {
        app.tamper(&format!(
            "CREATE TABLE rows{chain} AS SELECT * FROM audit_events WHERE chain = {chain}"
        ))
        .await;
        app.tamper(&format!(
            "CREATE TABLE chain{chain} AS SELECT * FROM audit_chains WHERE number = {chain}"
        ))
        .await;
        // Its rows alone, then what is on record of it too.
        app.tamper(&format!("DELETE FROM audit_events WHERE chain = {chain}"))
            .await;
        assert_finds(&app.verify_trail(&[]).await, Problem::CutOff, chain, 1);
        app.tamper(&format!("DELETE FROM audit_chains WHERE number = {chain}"))
            .await;
        let report = app.verify_trail(&[]).await;
        let first = report.findings.first().unwrap();
        assert_eq!(
            (first.problem, first.chain),
            (Problem::ChainRemoved, Some(chain))
        );
        // And where its rows stay.
        app.tamper(&format!(
            "INSERT INTO audit_events SELECT * FROM rows{chain}"
        ))
        .await;
        let report = app.verify_trail(&[]).await;
        assert_eq!(report.findings[0].problem, Problem::ChainRemoved);
        app.tamper(&format!(
            "INSERT INTO audit_chains SELECT * FROM chain{chain}"
        ))
        .await;
        assert_whole(&app.verify_trail(&[]).await);
    }
    // The newest, with the register made to say that it never was.
    app.tamper("DELETE FROM audit_events WHERE chain = 3").await;
    app.tamper("DELETE FROM audit_chains WHERE number = 3")
        .await;
    app.tamper("UPDATE audit_register SET chains = 2").await;
    assert_finds_in_register(&app).await;
}

#[tokio::test]
async fn a_trail_that_is_gone_altogether_is_found() {
    let app = app_with_rows().await;
    for table in ["audit_events", "audit_chains"] {
        app.tamper(&format!("DELETE FROM {table}")).await;
    }
    assert_eq!(
        app.verify_trail(&[]).await.findings[0].problem,
        Problem::ChainRemoved
    );
    app.tamper("UPDATE audit_register SET chains = 0, generation = NULL, mark = NULL")
        .await;
    assert_finds_in_register(&app).await;
    app.tamper("DELETE FROM audit_register").await;
    assert_finds_in_register(&app).await;
}

#[tokio::test]
async fn whatever_else_is_on_record_of_a_chain_cannot_be_changed_unseen() {
    let app = app_with_rows().await.restart().await;
    app.organization("Second").await;
    for (column, value) in [
        ("node", "'another'"),
        ("started_at", "started_at + 1"),
        ("link", "mark"),
        ("heads", "'[]'"),
        ("heads", "'nonsense'"),
        ("changed_at", "9223372036854775807"),
        ("ended_at", "-9223372036854775808"),
        ("mark", "link"),
    ] {
        app.tamper("CREATE TABLE kept AS SELECT * FROM audit_chains")
            .await;
        app.tamper(&format!(
            "UPDATE audit_chains SET {column} = {value} WHERE number = 2"
        ))
        .await;
        assert_finds_in_record(&app, 2).await;
        app.tamper("DELETE FROM audit_chains").await;
        app.tamper("INSERT INTO audit_chains SELECT * FROM kept")
            .await;
        app.tamper("DROP TABLE kept").await;
        assert_whole(&app.verify_trail(&[]).await);
    }
    app.tamper("UPDATE audit_chains SET generation = 7 WHERE number = 2")
        .await;
    let report = app.verify_trail(&[]).await;
    assert_eq!(report.findings[0].problem, Problem::SecretMissing);
}

/// The server goes on, in a chain that records what it knows of the one that somebody wrote to.
#[tokio::test]
async fn a_running_server_notices_what_was_done_to_its_chain_and_keeps_what_it_knows() {
    let app = app_with_rows().await;
    let before = length(&app, 1).await;
    app.tamper("CREATE TABLE kept AS SELECT * FROM audit_chains")
        .await;
    app.organization("Later").await;
    // Rows and record as they were before, so that nothing in the database tells of it.
    app.tamper(&format!(
        "DELETE FROM audit_events WHERE position > {before}"
    ))
    .await;
    app.tamper("DELETE FROM audit_chains").await;
    app.tamper("INSERT INTO audit_chains SELECT * FROM kept")
        .await;
    assert_whole(&app.verify_trail(&[]).await);
    let create = || {
        app.post("/v1/organizations")
            .operator()
            .json(serde_json::json!({"name": "x"}))
    };
    create().send().await.problem("database_unavailable");
    create().send().await.expect(201);
    let report = app.verify_trail(&[]).await;
    let finding = assert_finds(&report, Problem::CutOff, 1, before + 1);
    assert!(finding.detail.contains("chain 2"), "{}", finding.detail);
}

#[tokio::test]
async fn a_row_in_the_place_of_the_next_one_does_not_stop_the_server() {
    let app = app_with_rows().await;
    app.tamper(
        "INSERT INTO audit_events (id, at, actor, action, subject, details, chain, position) \
         SELECT 'evt_a', at, actor, action, subject, details, 1, length + 1 FROM audit_events, audit_chains \
         WHERE position = 2",
    )
    .await;
    let create = || {
        app.post("/v1/organizations")
            .operator()
            .json(serde_json::json!({"name": "x"}))
    };
    create().send().await.problem("database_unavailable");
    create().send().await.expect(201);
    let next = length(&app, 1).await + 1;
    let report = app.verify_trail(&[]).await;
    assert_finds(&report, Problem::Changed, 1, next);
    assert_eq!(report.chains, 2);
}

async fn assert_finds_in_record(app: &TestApp, chain: i64) {
    let report = app.verify_trail(&[]).await;
    let first = report.findings.first().expect("something is found");
    assert_eq!(
        (first.problem, first.chain),
        (Problem::RecordChanged, Some(chain)),
        "{:#?}",
        report.findings
    );
}

async fn assert_finds_in_register(app: &TestApp) {
    let report = app.verify_trail(&[]).await;
    let found = |finding: &kagiya::broker::audit_verification::Finding| {
        finding.problem == Problem::ChainRemoved
            || (finding.problem == Problem::RecordChanged && finding.chain.is_none())
    };
    assert!(report.findings.iter().any(found), "{:#?}", report.findings);
}
