//! Reads the paths out of Rust source: `a::b::{c, d::e}` gives `a::b::c` and `a::b::d::e`. Comments and literals do not
//! count, and neither does what stands behind a dot. Far less than a parser, enough to see who names whom.

use std::iter::Peekable;
use std::str::Chars;
use std::vec::IntoIter;

/// The modules from the root of the crate down to the one that `file` holds: `src/store/api_keys.rs` is `store`,
/// `api_keys`.
pub(super) fn modules_of(file: &str) -> Vec<&str> {
    let inner = file
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .trim_end_matches("/mod");
    inner.split('/').collect()
}

/// A path as it is written, and how many inline modules stand around it.
pub(super) struct Named {
    pub(super) path: Vec<String>,
    inline: usize,
}

impl Named {
    /// The name right below the root of the crate that this leads to, if it goes by way of `crate` or `super`; `depth`
    /// is how far below the root the file's own module is.
    pub(super) fn below_the_root(&self, depth: usize) -> Option<&str> {
        let from = match self
            .path
            .iter()
            .take_while(|segment| *segment == "super")
            .count()
        {
            0 if self.path[0] == "crate" => 1,
            0 => return None,
            up if up == depth + self.inline => up,
            _ => return None,
        };
        self.path.get(from).map(String::as_str)
    }
}

/// All paths in `text`, in order, groups taken apart. A single name is a path of one segment.
pub(super) fn in_source(text: &str) -> Vec<Named> {
    let mut tokens = tokens(text).into_iter().peekable();
    let mut found = Vec::new();
    let mut braces = Vec::new();
    let mut opens_module = false;
    while let Some(token) = tokens.next() {
        match token {
            Token::Name(name) if name == "mod" => {
                opens_module = tokens
                    .next_if(|next| matches!(next, Token::Name(_)))
                    .is_some();
                continue;
            }
            Token::Name(name) => {
                let mut paths = Vec::new();
                follow(vec![name], &mut tokens, &mut paths);
                let inline = braces.iter().filter(|module| **module).count();
                found.extend(paths.into_iter().map(|path| Named { path, inline }));
            }
            Token::Dot => drop(tokens.next_if(|next| matches!(next, Token::Name(_)))),
            Token::Open => braces.push(opens_module),
            Token::Close => drop(braces.pop()),
            _ => {}
        }
        opens_module = false;
    }
    found
}

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    PathSeparator,
    Dot,
    Star,
    Open,
    Close,
    Other,
}

/// Reads on after `path`, which may go on, branch into a group, or end here.
fn follow(
    mut path: Vec<String>,
    tokens: &mut Peekable<IntoIter<Token>>,
    found: &mut Vec<Vec<String>>,
) {
    while tokens.next_if_eq(&Token::PathSeparator).is_some() {
        match tokens.next() {
            Some(Token::Name(name)) => path.push(name),
            Some(Token::Star) => path.push("*".to_owned()),
            Some(Token::Open) => {
                while let Some(token) = tokens.next() {
                    match token {
                        Token::Name(name) => {
                            follow([path.clone(), vec![name]].concat(), tokens, found)
                        }
                        Token::Star => found.push([path.clone(), vec!["*".to_owned()]].concat()),
                        Token::Close => return,
                        _ => {}
                    }
                }
            }
            _ => break,
        }
    }
    found.push(path);
}

fn tokens(text: &str) -> Vec<Token> {
    let mut chars = text.chars().peekable();
    let mut found = Vec::new();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let leads = before.is_whitespace();
        before = c;
        match c {
            '/' if chars.next_if_eq(&'/').is_some() => drop(chars.by_ref().find(|c| *c == '\n')),
            '/' if chars.next_if_eq(&'*').is_some() => block_comment(&mut chars),
            '"' => string(&mut chars),
            '\'' => character(&mut chars),
            ':' if chars.next_if_eq(&':').is_some() => {
                // The first two colons of `::name` separate nothing.
                found.push(if leads {
                    Token::Other
                } else {
                    Token::PathSeparator
                });
            }
            '.' if chars.next_if_eq(&'.').is_some() => found.push(Token::Other),
            '.' => found.push(Token::Dot),
            '*' => found.push(Token::Star),
            '{' => found.push(Token::Open),
            '}' => found.push(Token::Close),
            c if c.is_alphanumeric() || c == '_' => {
                let mut name = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                let raw = name.ends_with('r')
                    && name.len() <= 2
                    && matches!(chars.peek(), Some('#' | '"'));
                if !raw || !raw_string(&mut chars) {
                    found.push(Token::Name(name));
                }
            }
            c if c.is_whitespace() => {}
            _ => found.push(Token::Other),
        }
    }
    found
}

fn block_comment(chars: &mut Peekable<Chars<'_>>) {
    let mut depth = 1;
    while depth > 0 {
        match chars.next() {
            Some('*') if chars.next_if_eq(&'/').is_some() => depth -= 1,
            Some('/') if chars.next_if_eq(&'*').is_some() => depth += 1,
            Some(_) => {}
            None => return,
        }
    }
}

fn string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => return,
            _ => {}
        }
    }
}

/// After a single quote: skips a character literal, leaves a lifetime to be read as a name.
fn character(chars: &mut Peekable<Chars<'_>>) {
    let mut ahead = chars.clone();
    match (ahead.next(), ahead.next()) {
        (Some('\\'), _) => {
            chars.nth(1);
            let _ = chars.find(|c| *c == '\'');
        }
        (Some(_), Some('\'')) => drop(chars.nth(1)),
        _ => {}
    }
}

/// After `r` or `br`: skips a raw string; false for a raw name (`r#type`), of which the `#` is skipped.
fn raw_string(chars: &mut Peekable<Chars<'_>>) -> bool {
    let mut hashes = 0;
    while chars.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if chars.next_if_eq(&'"').is_none() {
        return false;
    }
    while let Some(c) = chars.next() {
        if c == '"' && (0..hashes).all(|_| chars.next_if_eq(&'#').is_some()) {
            return true;
        }
    }
    true
}
