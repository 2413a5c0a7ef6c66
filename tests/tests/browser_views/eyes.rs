//! Looks at a tab as people do: on a small screen and a large one, by day and by night, and with axe-core.

use std::path::PathBuf;
use std::{env, fs};

use friends_chat_tests::browser::Tab;
use serde_json::json;

/// A screen, by width and height in CSS pixels.
const SCREENS: [(&str, u32, u32); 2] = [("phone", 390, 844), ("desk", 1280, 800)];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Everything that axe-core knows to be wrong by WCAG 2.2 AA or good practice, as one line each.
const FIND: &str = "return axe.run(document, { preload: false, resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
        `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`)));";

/// The language that `SCREENSHOTS_LANGUAGE` names, English by default.
pub(super) fn language() -> String {
    env::var("SCREENSHOTS_LANGUAGE").unwrap_or_else(|_| "en".to_owned())
}

/// Somebody who looks at a tab.
pub(super) struct Eyes<'tab> {
    tab: &'tab Tab,
    axe: String,
    pictures: Option<PathBuf>,
    language: String,
}

impl<'tab> Eyes<'tab> {
    /// Looks at a page that is in this language.
    pub(super) fn of(tab: &'tab Tab, language: &str) -> Self {
        let pictures = env::var_os("SCREENSHOTS").map(PathBuf::from);
        if let Some(directory) = &pictures {
            fs::create_dir_all(directory).unwrap();
        }
        let agent = tab.value("navigator.userAgent");
        tab.devtools(
            "Network.setUserAgentOverride",
            &json!({ "userAgent": agent, "acceptLanguage": language }),
        );
        Self {
            tab,
            axe: fs::read_to_string(axe()).expect("axe-core is installed: ./setup test"),
            pictures,
            language: language.to_owned(),
        }
    }

    /// Looks at the view that is shown.
    pub(super) fn look(&self, view: &str) {
        self.tab.run(&format!("if (!window.axe) {{ {} }}", self.axe), &[]);
        let mut found = Vec::new();
        for (screen, width, height) in SCREENS {
            let metrics =
                json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone" });
            self.tab.devtools("Emulation.setDeviceMetricsOverride", &metrics);
            for scheme in SCHEMES {
                let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
                self.tab
                    .devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
                let violations = self.tab.run(FIND, &[]);
                let violations = violations.as_array().unwrap().iter();
                found.extend(violations.map(|one| format!("{screen}, {scheme}: {}", one.as_str().unwrap())));
                let overflow = self.tab.value("document.documentElement.scrollWidth > innerWidth");
                assert_eq!(overflow, false, "{view}, {screen}: wider than the screen");
                if let Some(directory) = &self.pictures {
                    let name = format!("{view}-{screen}-{scheme}-{}.png", self.language);
                    self.tab.save_picture(&directory.join(name));
                }
            }
        }
        assert!(found.is_empty(), "{view}: {found:#?}");
    }

    /// Opens the chat while nothing comes from the harness but the page itself.
    pub(super) fn without_network(&self, then: impl FnOnce()) {
        self.tab.devtools("Network.enable", &json!({}));
        self.block(&["*/api/*"]);
        self.tab.go("/chat");
        then();
        self.block(&[]);
    }

    fn block(&self, urls: &[&str]) {
        self.tab.devtools("Network.setBlockedURLs", &json!({ "urls": urls }));
    }
}

/// Where `./setup test` puts it: `<target>/npm`. Tests run in `<target>/<profile>/deps`.
fn axe() -> PathBuf {
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    target.join("npm/node_modules/axe-core/axe.min.js")
}
