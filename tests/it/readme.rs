//! `README.md`, followed word for word: every block and every command of its table, in a fresh folder, with the program that the first
//! block builds. After it the commands of other documents that a reader may paste.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How often something is looked for that takes its time, at [`PAUSE`].
const LOOKS: usize = 6_000;
const PAUSE: Duration = Duration::from_millis(200);

/// A block of commands or of what they print.
struct Block {
    language: String,
    text: String,
}

/// The blocks of a document, in order.
fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block {
            language: language.to_owned(),
            text: inside.join("\n"),
        });
    }
    blocks
}

/// What stands in the second column of the tables of a section, where it is a command.
fn commands_of_table(document: &str, section: &str) -> Vec<String> {
    let (_, after) = document.split_once(section).expect("the section");
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split(" | ").nth(1));
    // Where there is none, what comes next is another column's.
    let cells = cells.filter(|cell| cell.starts_with('`'));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// A shell in a fresh clone, whose variables and aliases live from one block to the next.
struct Reader {
    folder: PathBuf,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    count: usize,
}

impl Reader {
    fn new() -> Self {
        // Always the same place, so that what was built there is not built again.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(repository).unwrap() {
            let name = entry.unwrap().file_name();
            if !["target", ".git"].contains(&name.to_str().unwrap()) {
                symlink(repository.join(&name), folder.join(&name)).unwrap();
            }
        }
        // What is built already is not built again: of a target folder it makes no difference whose it is.
        let target = Path::new(env!("CARGO_BIN_EXE_kagiya")).ancestors().nth(2);
        symlink(target.unwrap(), folder.join("target")).unwrap();
        // The ports of the document may be in use on this machine: where the system lets us, in a network of our own.
        let alone = ["-rn", "bash", "-c", "ip link set lo up && exec bash"];
        let can = Command::new("unshare")
            .args(["-rn", "ip", "link", "set", "lo", "up"])
            .status()
            .is_ok_and(|status| status.success());
        let mut command = if can {
            let mut command = Command::new("unshare");
            command.args(alone);
            command
        } else {
            Command::new("bash")
        };
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("KAGIYA_") || name.starts_with("CARGO") {
                command.env_remove(&*name);
            }
        }
        let mut shell = command
            .current_dir(&folder)
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (shell.stdin.take(), shell.stdout.take());
        let mut reader = Self {
            folder,
            shell,
            input: input.unwrap(),
            output: BufReader::new(output.unwrap()),
            count: 0,
        };
        // As in a terminal: aliases, and jobs that Ctrl-C reaches as a whole.
        reader.line("shopt -s expand_aliases; set -m");
        reader
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Types a line and waits for its end; its exit code.
    fn line(&mut self, line: &str) -> i32 {
        writeln!(self.input, "{line}\necho \"--done $?\"").unwrap();
        loop {
            let mut answer = String::new();
            let read = self.output.read_line(&mut answer).unwrap();
            assert_ne!(read, 0, "the shell ended at {line}");
            if let Some(code) = answer.trim().strip_prefix("--done ") {
                return code.parse().unwrap();
            }
        }
    }

    fn script(&mut self, text: &str) -> (String, PathBuf) {
        self.count += 1;
        let script = format!("./block-{}.sh", self.count);
        fs::write(self.path(&script), format!("{text}\n")).unwrap();
        let out = self.path(&format!("block-{}.out", self.count));
        (script, out)
    }

    /// Follows a block to its end and answers all that it printed.
    fn follow(&mut self, text: &str) -> String {
        let (script, out) = self.script(text);
        let code = self.line(&format!(
            "source {script} < /dev/null > {} 2>&1",
            out.display()
        ));
        let printed = fs::read_to_string(out).unwrap();
        // Where the document hides errors, it counts on some.
        let counts = !text.contains("2>/dev/null");
        assert!(code == 0 || !counts, "{text}\n{printed}");
        printed
    }

    /// Follows a block that serves until Ctrl-C, and waits until it has said this and the address answers.
    fn serve(&mut self, text: &str, says: &str, address: &str) -> Job {
        let (script, out) = self.script(text);
        let start = format!(
            "bash {script} < /dev/null > {} 2>&1 & JOB=$!",
            out.display()
        );
        self.line(&start);
        self.line("echo $JOB > ./job");
        let group = fs::read_to_string(self.path("job")).unwrap();
        let job = Job {
            group: group.trim().to_owned(),
            out,
        };
        for _ in 0..LOOKS {
            let answers = self.line(&format!("curl -s -o ./seen {address}")) == 0;
            if answers && job.printed().contains(says) {
                return job;
            }
            let lives = self.line(&format!("kill -0 -- -{}", job.group)) == 0;
            assert!(lives, "{text}\n{}", job.printed());
            pause();
        }
        panic!("{address} never answers\n{}", job.printed());
    }

    /// Presses Ctrl-C at a job, and waits for its end.
    fn interrupt(&mut self, job: &Job) {
        self.line(&format!("kill -INT -- -{}", job.group));
        for _ in 0..LOOKS {
            if self.line(&format!("kill -0 -- -{} 2> /dev/null", job.group)) != 0 {
                return;
            }
            pause();
        }
        panic!("it does not stop\n{}", job.printed());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = writeln!(
            self.input,
            "jobs -p | sed s/^/-/ | xargs -r kill -KILL --; exit"
        );
        let _ = self.shell.wait();
    }
}

/// What serves.
struct Job {
    group: String,
    out: PathBuf,
}

impl Job {
    fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of processes has no runtime; it looks again until the event is there"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What was printed has all that the document shows of it; `…` stands for anything.
fn assert_shown(shown: &str, printed: &str) {
    let members = shown.trim_start_matches('{').split(",\"");
    for member in members.map(|member| member.trim_start_matches('"')) {
        let known = member.split('…').next().unwrap();
        assert!(printed.contains(known), "{member} is not in {printed}");
    }
}

/// What it says when it stands.
const STANDS: &str = "Ctrl-C stops it.";
/// The same of a server whose data is there already, where nobody reads along.
const STANDS_AGAIN: &str = r#""message":"serving""#;
const SERVED: &str = "http://127.0.0.1:8787/readyz";

#[test]
#[ignore = "builds a release: run by the CI"]
fn the_readme_works_word_for_word() {
    let readme = document("README.md");
    let mut all = blocks(&readme).into_iter();
    let mut next = |language: &str, begins: &str| {
        let block = all.next().expect("another block");
        let is_it = block.language == language && block.text.starts_with(begins);
        assert!(is_it, "{} is not followed", block.text);
        block.text
    };
    let mut reader = Reader::new();
    next("text", " ");

    // Build and run.
    let first = reader.serve(&next("sh", "cargo build --release"), STANDS, SERVED);
    let said = first.printed();
    assert!(
        said.contains("http://127.0.0.1:8787") && said.contains("kagiya-data"),
        "{said}"
    );
    let advised = said
        .lines()
        .filter(|line| line.contains("kagiya") && line.contains(" create "));
    assert_eq!(advised.count(), 3, "{said}");
    reader.interrupt(&first);

    // Five minutes to a working key.
    let demo = reader.serve(&next("sh", "target/release/kagiya demo"), STANDS, SERVED);
    let traded = reader.follow(&next("sh", "curl -s -X POST"));
    assert!(traded.contains(r#"{"access_token":"ey"#), "{traded}");
    let claims = reader.follow(&next("sh", "TOKEN="));
    assert_shown(&next("json", "{"), &claims);
    let payments = reader.serve(
        &next("sh", "cargo run"),
        "",
        "http://127.0.0.1:9000/payments",
    );
    let paid = reader.follow(&next("sh", "curl -i"));
    let statuses: Vec<&str> = paid
        .lines()
        .filter(|line| line.starts_with("HTTP/"))
        .collect();
    assert_eq!(
        statuses,
        ["HTTP/1.1 201 Created", "HTTP/1.1 200 OK"],
        "{paid}"
    );
    let refused = reader.follow(&next("sh", "READ="));
    assert!(
        refused.contains("HTTP/1.1 403") && refused.contains("insufficient_scope"),
        "{refused}"
    );
    let ended = reader.follow(&next("sh", "target/release/kagiya keys list"));
    assert!(
        ended.contains("revoked key_") && ended.contains("api_key_revoked"),
        "{ended}"
    );
    reader.interrupt(&payments);
    reader.interrupt(&demo);

    // The main job.
    let made = reader.follow(&next("sh", "alias kagiya="));
    assert!(made.contains("cannot be shown again"), "{made}");
    let list = reader.follow("kagiya keys list --json");
    let id = list
        .split('"')
        .find(|text| text.starts_with("key_"))
        .unwrap()
        .to_owned();
    let kagiya = reader.serve("target/release/kagiya", STANDS_AGAIN, SERVED);
    let commands = commands_of_table(&readme, "## The main job");
    assert_eq!(commands.len(), 6, "{commands:?}");
    for command in commands {
        let printed = reader.follow(&command.replace("key_…", &id));
        let is_right = match command.split(' ').nth(2).unwrap() {
            "list" | "show" | "inspect" => printed.contains("checkout") || printed.contains("kgy_"),
            "rotate" => reader.path("new.key").exists(),
            "revoke" => printed.contains("revoked key_"),
            _ => printed.contains(r#""items":[{"id":"key_"#),
        };
        assert!(is_right, "{command}\n{printed}");
    }
    let help = reader.follow("kagiya help");
    assert!(help.contains("doctor") && help.contains("keys"), "{help}");
    assert_eq!(next("sh", "cargo test"), "cargo test");
    assert!(document(".ci/run").contains("\ncargo test --locked\n"));
    assert!(all.next().is_none(), "a block is not followed");

    other_documents(&mut reader);
    reader.interrupt(&kagiya);
}

/// What other documents have for a running server.
fn other_documents(reader: &mut Reader) {
    let folder = reader.path("").display().to_string();
    let key = |reader: &mut Reader, name: &str| {
        reader.follow(&format!(
            "kagiya keys create --name {name} --organization cart --self-rotate --permission https://payment.example.com/api \
             write:payment --output {name}.key"
        ));
        fs::read_to_string(reader.path(&format!("{name}.key")))
            .unwrap()
            .trim()
            .to_owned()
    };
    let commands = |name: &str| -> Vec<String> {
        let blocks = blocks(&document(name)).into_iter();
        let commands = blocks.filter(|block| block.language == "sh");
        commands.map(|block| block.text).collect()
    };

    let rotating = commands("docs/rotating-keys.md");
    key(reader, "my");
    let asked = reader.follow(&rotating[0]);
    assert!(asked.contains(r#""self_rotate":true"#), "{asked}");
    let first = reader.follow(&rotating[1]);
    let again = reader.follow(&rotating[1]);
    assert!(first.contains(r#""key":"kgy_"#), "{first}");
    assert_eq!(first, again);
    assert_eq!(rotating.len(), 2);

    let [leaked] = &commands("SECURITY.md")[..] else {
        panic!("SECURITY.md has one block")
    };
    let body = format!("{{\"keys\":[\"{}\"]}}", key(reader, "leaked"));
    fs::write(reader.path("leaked.json"), body).unwrap();
    assert!(
        reader
            .follow(leaked)
            .contains(r#"{"revoked":1,"unknown":0}"#)
    );

    let operating = commands("docs/operations.md");
    reader.follow(&operating[0].replace("/var/backups", &folder));
    let found = key(reader, "found");
    let leaked = operating
        .iter()
        .find(|text| text.starts_with("curl"))
        .unwrap();
    let leaked = leaked
        .replace("kgy_…", &found)
        .replace("https://keys.example.com", "http://127.0.0.1:8787");
    assert!(
        reader
            .follow(&leaked)
            .contains(r#"{"revoked":1,"unknown":0}"#)
    );

    for command in commands("docs/operations/secrets.md")
        .iter()
        .flat_map(|text| text.lines())
    {
        if command.contains(" retire ") {
            // A minute has not passed, and a key that lives needs it.
            let (script, out) = reader.script(command);
            let code = reader.line(&format!(
                "source {script} < /dev/null > {} 2>&1",
                out.display()
            ));
            let printed = fs::read_to_string(out).unwrap();
            assert!(code == 1 && printed.contains("generation"), "{printed}");
        } else {
            reader.follow(command);
        }
    }

    let verify = &commands("docs/verify-tokens.md")[0];
    let key = fs::read_to_string(reader.path("my.key")).unwrap();
    reader.follow(&format!(
        "curl -s -H 'X-API-Key: {}' -H 'Accept: application/jwt' -X POST http://127.0.0.1:8787/v1/token > token.txt",
        key.trim()
    ));
    assert!(reader.follow(verify).contains("write:payment"));
}
