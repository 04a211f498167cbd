//! What the dashboard knows of people: how they sign in, whether they run the deployment, whether they may come at all.

use diesel::prelude::*;

use super::schema::{memberships, people, users};
use super::{Connection, Error, Place, Timestamp};
use crate::domain::id::UserId;
use crate::domain::secret::SecretText;
use crate::domain::sign_in::LoginName;
use crate::domain::user::User;

/// A person as the dashboard knows him.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who.
    pub user_id: UserId,
    /// The name by which he signs in here, if he does.
    pub login_name: Option<String>,
    /// The hash of his password, if he has one.
    pub password_hash: Option<SecretText>,
    /// Since when he runs the deployment.
    pub operator_since: Option<jiff::Timestamp>,
    /// Since when he may not come.
    pub disabled_at: Option<jiff::Timestamp>,
    /// When he last signed in.
    pub last_sign_in_at: Option<jiff::Timestamp>,
    /// Since when he is known to the dashboard.
    pub created_at: jiff::Timestamp,
}

impl Person {
    /// Somebody of whom nothing is known yet.
    pub fn new(user_id: UserId, now: jiff::Timestamp) -> Self {
        Self {
            user_id,
            login_name: None,
            password_hash: None,
            operator_since: None,
            disabled_at: None,
            last_sign_in_at: None,
            created_at: now,
        }
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = people, treat_none_as_null = true)]
struct Row {
    user_id: String,
    login_name: Option<String>,
    password_hash: Option<String>,
    operator_since: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    last_sign_in_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<&Person> for Row {
    fn from(person: &Person) -> Self {
        Self {
            user_id: person.user_id.to_string(),
            login_name: person.login_name.clone(),
            password_hash: person
                .password_hash
                .as_ref()
                .map(|hash| hash.expose().to_owned()),
            operator_since: person.operator_since.map(Into::into),
            disabled_at: person.disabled_at.map(Into::into),
            last_sign_in_at: person.last_sign_in_at.map(Into::into),
            created_at: person.created_at.into(),
        }
    }
}

impl TryFrom<Row> for Person {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            user_id: row
                .user_id
                .parse()
                .map_err(|error| Error::corrupt("people.user_id", error))?,
            login_name: row.login_name,
            password_hash: row.password_hash.map(SecretText::new),
            operator_since: row.operator_since.map(Into::into),
            disabled_at: row.disabled_at.map(Into::into),
            last_sign_in_at: row.last_sign_in_at.map(Into::into),
            created_at: row.created_at.into(),
        })
    }
}

/// What is known of a person.
pub fn find(connection: &mut Connection, id: &UserId) -> Result<Option<Person>, Error> {
    let row: Option<Row> = people::table
        .find(id.as_str())
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Person::try_from).transpose()
}

/// Who signs in by this name.
pub fn find_by_login_name(
    connection: &mut Connection,
    name: &LoginName,
) -> Result<Option<Person>, Error> {
    let row: Option<Row> = people::table
        .filter(people::login_name.eq(name.as_str()))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Person::try_from).transpose()
}

/// Writes what is known of a person, whether something was known before or not. A name that another has is a conflict over
/// `people.login_name`.
pub fn put(connection: &mut Connection, person: &Person) -> Result<(), Error> {
    let row = Row::from(person);
    let known = diesel::update(people::table.find(person.user_id.as_str()))
        .set(&row)
        .execute(connection)?;
    if known == 0 {
        diesel::insert_into(people::table)
            .values(row)
            .execute(connection)?;
    }
    Ok(())
}

/// Whether somebody runs the deployment by what is on record, and may come.
pub fn any_operator(connection: &mut Connection) -> Result<bool, Error> {
    let operators = people::table
        .filter(people::operator_since.is_not_null())
        .filter(people::disabled_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(operators)).get_result(connection)?)
}

/// Whether somebody signs in here, without a provider.
pub fn any_local(connection: &mut Connection) -> Result<bool, Error> {
    let local = people::table.filter(people::login_name.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(local)).get_result(connection)?)
}

/// Whom a list of people shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those alone who signed in and belong nowhere: operators of the configuration, who need to belong nowhere, are given here.
    pub waiting: Option<Vec<UserId>>,
    /// Whose name, login name, subject or id holds this text; upper and lower case of ASCII are the same.
    pub text: Option<String>,
}

/// A page of people with what is known of them, newest first.
pub fn list(
    connection: &mut Connection,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<Vec<(User, Option<Person>)>, Error> {
    let mut query = users::table
        .left_join(people::table)
        .order((users::created_at.desc(), users::id.desc()))
        .limit(super::count(limit))
        .select(users::id)
        .into_boxed();
    if let Some(operators) = &filter.waiting {
        let members = memberships::table.select(memberships::user_id);
        query = query
            .filter(people::last_sign_in_at.is_not_null())
            .filter(people::operator_since.is_null())
            .filter(people::disabled_at.is_null())
            .filter(users::id.ne_all(members))
            .filter(users::id.ne_all(texts(operators)));
    }
    if let Some(text) = &filter.text {
        let pattern = super::row::like(text);
        query = query.filter(
            super::row::lower_or_null(users::name)
                .like(pattern.clone())
                .escape('!')
                .assume_not_null()
                .or(super::row::lower_or_null(people::login_name.nullable())
                    .like(pattern.clone())
                    .escape('!')
                    .assume_not_null())
                .or(super::row::lower(users::subject)
                    .like(pattern.clone())
                    .escape('!'))
                .or(users::id.like(pattern).escape('!')),
        );
    }
    if let Some(Place { at, id }) = after {
        let at = Timestamp::from(*at);
        query = query.filter(
            users::created_at
                .lt(at)
                .or(users::created_at.eq(at).and(users::id.lt(id))),
        );
    }
    let ids: Vec<String> = query.load(connection)?;
    let wanted: Vec<&str> = ids.iter().map(String::as_str).collect();
    let known = super::users::find_all(connection, &wanted)?;
    let rows: Vec<Row> = people::table
        .filter(people::user_id.eq_any(wanted.clone()))
        .select(Row::as_select())
        .load(connection)?;
    let mut beside: Vec<Person> = rows
        .into_iter()
        .map(Person::try_from)
        .collect::<Result<_, _>>()?;
    let mut shown = Vec::with_capacity(ids.len());
    for id in &ids {
        let Some(user) = known.iter().find(|user| user.id.as_str() == id) else {
            continue;
        };
        let place = beside
            .iter()
            .position(|person| person.user_id.as_str() == id);
        shown.push((user.clone(), place.map(|place| beside.swap_remove(place))));
    }
    Ok(shown)
}

/// How many signed in and belong nowhere, those apart whom the configuration makes operators.
pub fn waiting(connection: &mut Connection, operators: &[UserId]) -> Result<i64, Error> {
    let members = memberships::table.select(memberships::user_id);
    let number: i64 = people::table
        .filter(people::last_sign_in_at.is_not_null())
        .filter(people::operator_since.is_null())
        .filter(people::disabled_at.is_null())
        .filter(people::user_id.ne_all(members))
        .filter(people::user_id.ne_all(texts(operators)))
        .count()
        .get_result(connection)?;
    Ok(number)
}

fn texts(ids: &[UserId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
