//! The documents that walk through the example: every command in them is run, in one shell, in the order in which it stands there, and
//! prints what the document says it prints.
//!
//! A block of `sh` is run; a block `sh elsewhere` is what the reader starts in another terminal, and what the test has running; the
//! block behind one (`json` or `text`) is what it prints, `…` for what is different each time.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Example;
use crate::cli::{Home, KAGIYA, Serving};

/// What the reader has running.
struct Running<'a> {
    home: &'a Home,
    server: &'a Serving,
    /// Addresses in the document, and where these are in this test.
    places: Vec<(&'static str, String)>,
}

#[test]
#[ignore = "needs curl and jq: run by the CI"]
fn machine_to_machine_md_works_line_by_line() {
    let home = Home::new();
    let server = home.serve();
    let payments = Example::payments(&server);
    let running = Running {
        home: &home,
        server: &server,
        places: vec![("127.0.0.1:9000", payments.address.to_string())],
    };
    let ran = running.run("docs/machine-to-machine.md");
    assert!(ran > 10, "{ran} commands");
}

#[test]
#[ignore = "needs curl and jq: run by the CI"]
fn token_exchange_md_works_line_by_line() {
    let home = Home::new();
    let server = home.serve();
    let payments = Example::payments(&server);
    let running = Running {
        home: &home,
        server: &server,
        places: vec![("127.0.0.1:9000", payments.address.to_string())],
    };
    let ran = running.run("docs/token-exchange.md");
    assert!(ran > 5, "{ran} commands");
}

impl Running<'_> {
    /// Runs a document; how many blocks there were.
    fn run(&self, document: &str) -> usize {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = fs::read_to_string(path).unwrap();
        let blocks = blocks(&text);
        // One shell for all, so that variables live on; a mark after each block tells the outputs apart.
        let mut script = "set -eu\n".to_owned();
        let program = Path::new(KAGIYA).parent().unwrap();
        script.push_str(&format!("PATH={}:$PATH\n", program.display()));
        let mut expected = Vec::new();
        let mut previous = "";
        for block in &blocks {
            match block.language {
                "sh" => {
                    script.push_str(&block.text);
                    script.push_str("printf '\\n%s\\n' ==next==\n");
                    expected.push(None);
                }
                "json" | "text" if previous == "sh" => {
                    *expected.last_mut().unwrap() = Some(block);
                }
                _ => {}
            }
            previous = block.language;
        }
        script = script.replace("127.0.0.1:8787", &self.server.address.to_string());
        for (written, real) in &self.places {
            script = script.replace(written, real);
        }
        let output = self.shell(&script);
        let printed: Vec<&str> = output.split("\n==next==\n").collect();
        assert_eq!(printed.len(), expected.len() + 1, "{output}");
        for (printed, expected) in printed.iter().zip(&expected) {
            if let Some(expected) = expected {
                assert!(
                    matches(printed, &expected.text),
                    "{document}:{} says\n{}\nand it prints\n{printed}",
                    expected.line,
                    expected.text
                );
            }
        }
        expected.len()
    }

    fn shell(&self, script: &str) -> String {
        let mut shell = Command::new("bash")
            .current_dir(self.home.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        drop(input);
        let output = shell.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}\n{errors}");
        printed
    }
}

struct Block<'a> {
    language: &'a str,
    text: String,
    line: usize,
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_open = false;
    for (index, line) in document.lines().enumerate() {
        match line.strip_prefix("```") {
            Some("") if is_open => is_open = false,
            Some(language) => {
                is_open = true;
                blocks.push(Block {
                    language,
                    text: String::new(),
                    line: index + 2,
                });
            }
            None if is_open => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Whether `text` is `pattern`, in which `…` stands for anything; white space at line ends and around does not count.
fn matches(text: &str, pattern: &str) -> bool {
    let plain = |text: &str| -> String {
        let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
        lines.join("\n")
    };
    let (text, pattern) = (plain(text), plain(pattern));
    let mut parts = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn what_differs_each_time_is_left_out_and_nothing_else() {
    assert!(matches("a b c\n", "a … c"));
    assert!(matches("abc", "abc") && !matches("abcd", "abc") && !matches("abc", "abcd"));
    assert!(matches("{\n  \"x\": \"1\"\n}", "{\n  \"x\": \"…\"\n}"));
    assert!(!matches("a b d", "a … c") && !matches("x a b c", "a … c"));
}
