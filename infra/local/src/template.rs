//! `template.yaml`, with this machine's paths in it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    binaries,
    error::{Context, Result},
    paths,
};

/// The template with this machine's paths in place of relative ones.
pub struct Template {
    text: String,
    /// Files that the template includes, and that SAM uploads.
    included: Vec<PathBuf>,
    binaries: BTreeSet<String>,
}

impl Template {
    /// Reads the workspace's template.
    pub fn read() -> Result<Self> {
        let file = paths::workspace().join("template.yaml");
        let text = fs::read_to_string(&file)
            .context(format!("cannot read {}", file.display()))
            .map_err(|error| error.next("The template belongs in the workspace's root."))?;
        Ok(Self::relocate(&text, &paths::workspace()))
    }

    /// The template as it is deployed from here.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The files that it includes: nested stacks and the like.
    pub fn included(&self) -> &[PathBuf] {
        &self.included
    }

    /// The binaries of its functions.
    pub fn binaries(&self) -> BTreeSet<String> {
        self.binaries.clone()
    }

    fn relocate(text: &str, workspace: &Path) -> Self {
        let mut included = Vec::new();
        let mut binaries = BTreeSet::new();
        let mut relocated = String::with_capacity(text.len());
        for line in text.lines() {
            match relative_path(line) {
                Some(path) => {
                    let place = match binary_of(path) {
                        Some(binary) => {
                            binaries.insert(binary.to_owned());
                            binaries::package_file(binary)
                        }
                        None => {
                            included.push(workspace.join(path));
                            workspace.join(path)
                        }
                    };
                    relocated.push_str(&line.replace(path, &place.to_string_lossy()));
                }
                None => relocated.push_str(line),
            }
            relocated.push('\n');
        }
        Self { text: relocated, included, binaries }
    }

    /// Changes with whatever a deployment depends on, the functions' code apart.
    pub fn fingerprint(&self, parameters: &[(&str, String)]) -> String {
        let mut digest = Sha256::new();
        digest.update(&self.text);
        for file in &self.included {
            digest.update(fs::read(file).unwrap_or_default());
        }
        for (name, value) in parameters {
            digest.update(format!("{name}={value}\n"));
        }
        data_encoding::HEXLOWER.encode(&digest.finalize())
    }
}

/// The relative path on a line that names one, in block or in flow style.
fn relative_path(line: &str) -> Option<&str> {
    const KEYS: [&str; 4] = ["CodeUri:", "Location:", "ContentUri:", "DefinitionUri:"];
    if line.trim_start().starts_with('#') {
        return None;
    }
    let start = KEYS.iter().find_map(|key| line.find(key).map(|at| at + key.len()))?;
    let value = line[start..].trim_start_matches([' ', '\'', '"']);
    let end = value.find([' ', ',', '}', '\'', '"']).unwrap_or(value.len());
    let path = &value[..end];
    let elsewhere = path.is_empty() || path.starts_with(['/', '!', '{']) || path.contains("://");
    (!elsewhere).then_some(path)
}

fn binary_of(path: &str) -> Option<&str> {
    let binary = path.strip_prefix("target/lambda/")?.trim_end_matches('/');
    (!binary.is_empty() && !binary.contains('/')).then_some(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_template_become_this_machines_whatever_their_style() {
        let workspace = Path::new("/repository");
        let zip = binaries::package_file("kpi-query");
        let text = "\
      CodeUri: target/lambda/kpi-query/
      # CodeUri: target/lambda/old/
    Properties: { Location: infra/storage.yaml, Parameters: {} }
      Location: https://example.org/template.yaml
      Location: !Ref Elsewhere
";
        let template = Template::relocate(text, workspace);

        assert_eq!(
            template.text,
            format!(
                "\
      CodeUri: {}
      # CodeUri: target/lambda/old/
    Properties: {{ Location: /repository/infra/storage.yaml, Parameters: {{}} }}
      Location: https://example.org/template.yaml
      Location: !Ref Elsewhere
",
                zip.display()
            )
        );
        assert_eq!(template.included, [workspace.join("infra/storage.yaml")]);
    }

    #[test]
    fn the_binaries_of_a_template_are_found() {
        let text = "CodeUri: 'target/lambda/a-b/'\nCodeUri: src/elsewhere/\n";
        let binaries = Template::relocate(text, Path::new("/")).binaries();
        assert_eq!(binaries, BTreeSet::from(["a-b".to_owned()]));
    }

    #[test]
    fn another_parameter_value_is_another_fingerprint() {
        let template = Template::relocate("Resources: {}", Path::new("/"));
        let with = |value: &str| template.fingerprint(&[("PublicUrl", value.to_owned())]);
        assert_eq!(with("a"), with("a"));
        assert_ne!(with("a"), with("b"));
    }
}
