//! The script that an interpreter runs: `node /usr/lib/node_modules/openclaw/dist/index.js gateway`.

use std::path::Path;

use crate::{
    gateway::{command::command_line::CommandLine, port::identity::is_openclaw_runtime},
    preflight::startable::executable::{Defect, Runner, SearchPath, printable},
};

/// Options with a value (node(1), python(1), sh(1), perl(1), ruby(1)).
const WITH_VALUE: [&str; 13] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "--conditions",
    "-C",
    "-W",
    "-X",
    "-o",
    "+o",
    "-O",
    "-I",
];
/// Options without a script: the program is in the argument, or a module.
const NO_SCRIPT: [&str; 11] = [
    "-e",
    "--eval",
    "-p",
    "--print",
    "-c",
    "--command",
    "-m",
    "-s",
    "-i",
    "-v",
    "--version",
];
const SHELLS: [&str; 6] = ["sh", "ash", "bash", "dash", "ksh", "zsh"];
const OTHERS: [&str; 4] = ["perl", "ruby", "php", "deno"];
/// Suffixes that Node.js tries for a missing module (Node.js 24, "Modules: CommonJS modules").
const MODULE_SUFFIXES: [&str; 3] = [".js", ".json", ".node"];
/// Programs that run another program with the remaining arguments.
const WRAPPERS: [&str; 3] = ["env", "nohup", "setsid"];

/// Why a configured command would fail, if so. The command is resolved.
pub(in crate::preflight) fn of_command(line: &CommandLine, runner: &Runner<'_>) -> Option<Defect> {
    if let Some(defect) = runner.defect_of(&line.program) {
        return Some(defect);
    }
    let program = line.program.to_string_lossy().into_owned();
    let words: Vec<String> = std::iter::once(program)
        .chain(line.arguments.clone())
        .collect();
    let home = runner
        .account
        .map_or(Path::new("/"), |account| account.home());
    defect_in(&words, home, runner)
}

/// The same for the command's words, the first of which is a program that can run.
pub(super) fn defect_in(words: &[String], folder: &Path, runner: &Runner<'_>) -> Option<Defect> {
    let (program, arguments) = words.split_first()?;
    let name = program.rsplit('/').next()?;
    if WRAPPERS.contains(&name) {
        return behind_wrapper(arguments, folder, runner);
    }
    let script = script(name, arguments)?;
    // A variable or specifier with an unknown value.
    if script.contains(['$', '%']) {
        return None;
    }
    let path = folder.join(script);
    let exists = |path: &Path| runner.sees(path);
    let is_module = is_openclaw_runtime(name)
        && MODULE_SUFFIXES
            .iter()
            .any(|suffix| exists(Path::new(&format!("{}{suffix}", path.display()))));
    if exists(&path) {
        return (!runner.can_read(&path)).then(|| {
            let shown = printable(&path);
            Defect::certain(
                format!("`{shown}`, which {name} runs, is not readable"),
                format!("`chmod a+r {shown}`"),
            )
        });
    }
    (!is_module).then(|| {
        Defect::certain(
            format!("`{}`, which {name} runs, does not exist", printable(&path)),
            "reinstall it, or correct the path",
        )
    })
}

fn behind_wrapper(arguments: &[String], folder: &Path, runner: &Runner<'_>) -> Option<Defect> {
    let is_setting = |word: &String| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.contains('/'))
    };
    let at = arguments.iter().position(|word| !is_setting(word))?;
    let rest = arguments.get(at..)?;
    let program = rest.first()?;
    if program.starts_with('-') {
        return None;
    }
    let path = arguments
        .get(..at)?
        .iter()
        .find_map(|word| word.strip_prefix("PATH="));
    let runner = Runner {
        path: path.map_or_else(
            || runner.path.clone(),
            |folders| SearchPath::Known(folders.into()),
        ),
        ..runner.clone()
    };
    let found = match program.contains('/') {
        true => folder.join(program),
        false => match runner.found(program) {
            Some(found) => found,
            None => {
                let what = format!("the program `{}`", printable(Path::new(program)));
                return Some(runner.missing(&what, "install it, or use its full path"));
            }
        },
    };
    runner
        .defect_of(&found)
        .or_else(|| defect_in(rest, folder, &runner))
}

/// The script that a program with this name runs, if its arguments show that.
fn script<'words>(name: &str, arguments: &'words [String]) -> Option<&'words str> {
    let is_shell = SHELLS.contains(&name);
    let is_python = name.strip_prefix("python").is_some_and(|version| {
        version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    let is_runtime = is_openclaw_runtime(name) && name != "openclaw";
    if !(is_shell || is_python || is_runtime || OTHERS.contains(&name)) {
        return None;
    }
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            return words.next();
        }
        let is_command =
            is_shell && word.starts_with('-') && !word.starts_with("--") && word.contains('c');
        if NO_SCRIPT.contains(&word) || is_command {
            return None;
        }
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with(['-', '+']) {
            // A shell searches PATH, `bun start` a package: only a path is unambiguous.
            let is_path = word.contains('/') || (!is_shell && word.contains('.'));
            match is_path {
                true => return Some(word),
                false if word == "run" => {}
                false => return None,
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shell_words::split(line).unwrap()
    }

    #[test]
    fn the_script_is_the_first_word_that_is_neither_an_option_nor_ones_value() {
        for (line, expected) in [
            ("node /x/index.js gateway --port 1", Some("/x/index.js")),
            (
                "node --max-old-space-size=512 -r /y.js /x/index.js",
                Some("/x/index.js"),
            ),
            ("node-22 index.js", Some("index.js")),
            ("node -e 'x'", None),
            ("node gateway", None),
            ("nodejs -- /x", Some("/x")),
            ("bun run /x/index.ts", Some("/x/index.ts")),
            ("bun start", None),
            ("deno run -A /x.ts", Some("/x.ts")),
            ("python3.11 -u /x.py", Some("/x.py")),
            ("python3 -m http.server", None),
            ("sh -eu /x.sh a", Some("/x.sh")),
            ("bash -lc /x.sh", None),
            ("bash up", None),
            ("openclaw gateway start", None),
            ("/opt/bot /x", None),
            ("node", None),
        ] {
            let words = words(line);
            assert_eq!(script(&words[0], &words[1..]), expected, "{line}");
        }
    }

    #[test]
    fn a_script_that_is_gone_is_named_and_a_module_may_lack_its_suffix() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("here.js"), "").unwrap();
        let runner = Runner {
            account: None,
            path: SearchPath::Known("/usr/bin:/bin".into()),
            falls_back: false,
        };
        let defect = |line: &str| {
            let defect = defect_in(&words(line), folder.path(), &runner);
            defect.map(|defect| defect.message)
        };
        for line in [
            "node here.js",
            "node ./here",
            "sh -c ./gone",
            "node $X/gone.js",
            "env A=b sh ./here.js",
        ] {
            assert_eq!(defect(line), None, "{line}");
        }
        for line in [
            "node gone.js",
            "sh ./here",
            "env A=b sh ./gone.js",
            "nohup sh ./gone.js",
        ] {
            let message = defect(line).unwrap_or_else(|| panic!("{line}"));
            assert!(message.contains("does not exist"), "{message}");
        }
        let message = defect("env A=b no-such-program-at-all").unwrap();
        assert!(
            message.contains("the program `no-such-program-at-all` is not in PATH"),
            "{message}"
        );
    }
}
