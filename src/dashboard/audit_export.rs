//! The audit trail as a file: CSV, or JSON lines.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue};
use serde_json::json;

use super::audit::filter;
use super::csv;
use super::place::Place;
use super::visit::Person;
use crate::domain::audit::AuditEvent;
use crate::domain::id::OrganizationId;
use crate::http::page::Cursor;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::store;

/// The most events of one export.
const MOST_EXPORTED: usize = 10_000;

/// The trail of the deployment as a file.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn of_deployment(person: Person) -> Result<HttpResponse, Problem> {
    export(person, Place::All).await
}

/// The trail of an organization as a file.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn of_organization(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    export(person, Place::Organization(id)).await
}

async fn export(person: Person, place: Place) -> Result<HttpResponse, Problem> {
    if !person.oversees(place) {
        return Err(Problem::not_found());
    }
    let csv = person.query.text("format") == "csv";
    let mut body = if csv {
        "at,action,subject,actor,organization_id,address,request_id,details\r\n".to_owned()
    } else {
        String::new()
    };
    let mut behind: Option<store::Place> = None;
    let mut exported = 0;
    while exported < MOST_EXPORTED {
        let page = person
            .broker
            .audit_events(
                person.caller(),
                filter(&person.query, place),
                behind.clone(),
                500,
            )
            .await?;
        for event in &page {
            body.push_str(&if csv {
                csv_line(event)
            } else {
                json_line(event)
            });
        }
        exported += page.len();
        let Some(last) = page.last().filter(|_| page.len() == 500) else {
            break;
        };
        let cursor = Cursor {
            created_at: last.at,
            id: last.id.to_string(),
        };
        behind = Some(cursor.into());
    }
    let (content_type, disposition) = if csv {
        (
            "text/csv; charset=utf-8",
            HeaderValue::from_static("attachment; filename=\"audit.csv\""),
        )
    } else {
        (
            "application/jsonl; charset=utf-8",
            HeaderValue::from_static("attachment; filename=\"audit.jsonl\""),
        )
    };
    Ok(person
        .response(StatusCode::OK)
        .insert_header((CONTENT_DISPOSITION, disposition))
        .content_type(content_type)
        .body(body))
}

fn csv_line(event: &AuditEvent) -> String {
    let organization = event.organization_id.map(|id| id.to_string());
    let address = event.origin.address.map(|address| address.to_string());
    let cells = [
        event.at.to_string(),
        event.action.clone(),
        event.subject.clone(),
        event.origin.actor.clone(),
        organization.unwrap_or_default(),
        address.unwrap_or_default(),
        event.origin.request_id.clone().unwrap_or_default(),
        event.details.to_string(),
    ];
    let line: Vec<String> = cells.iter().map(|text| csv::cell(text)).collect();
    format!("{}\r\n", line.join(","))
}

fn json_line(event: &AuditEvent) -> String {
    let line = json!({
        "id": event.id, "at": event.at, "action": event.action, "subject": event.subject, "actor": event.origin.actor,
        "organization_id": event.organization_id, "address": event.origin.address, "request_id": event.origin.request_id,
        "details": event.details,
    });
    format!("{line}\n")
}
