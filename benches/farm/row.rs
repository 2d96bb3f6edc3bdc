//! One figure beside its limit.

/// How a figure is compared.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At least this share of the limit.
    Share(f64),
    /// At most the limit.
    Within,
}

/// Prints rows as they come, and keeps them.
pub(crate) struct Rows {
    json: bool,
    /// As `--json` prints them.
    pub(crate) all: Vec<serde_json::Value>,
}

impl Rows {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!(
                "{:<22} {:>12} {:>12} {:<8} {:>6} {:>7}  met",
                "what", "measured", "limit", "unit", "ratio", "goal"
            );
        }
        Self { json, all: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &str, value: f64, limit: f64, unit: &str, goal: Goal) {
        let (ratio, goal, met) = match goal {
            Goal::Share(share) => (value / limit, share, value / limit >= share),
            Goal::Within => (limit / value, 1.0, value <= limit),
        };
        let row = serde_json::json!({
            "name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio, "goal": goal, "met": met,
        });
        let met = if met { "yes" } else { "NO" };
        self.print(row, &format!("{limit:>12.1} {unit:<8} {ratio:>6.2} {goal:>7.2}  {met}"));
    }

    /// A figure that nothing bounds.
    pub(crate) fn plain(&mut self, name: &str, value: f64, unit: &str) {
        let row = serde_json::json!({
            "name": name, "value": value, "unit": unit, "limit": null, "ratio": null, "goal": null, "met": null,
        });
        self.print(row, &format!("{:>12} {unit}", "-"));
    }

    fn print(&mut self, mut row: serde_json::Value, rest: &str) {
        row["load"] = crate::run::load().into();
        if self.json {
            println!("{row}");
        } else {
            println!("{:<22} {:>12.1} {rest}", row["name"].as_str().unwrap(), row["value"].as_f64().unwrap());
        }
        self.all.push(row);
    }

    /// What a person should know beside the figures.
    pub(crate) fn note(&self, text: &str) {
        eprintln!("  {text}");
    }
}

/// The middle one.
pub(crate) fn median(figures: Vec<f64>) -> f64 {
    percentile(figures, 0.5)
}

/// The one that this share of them does not exceed.
pub(crate) fn percentile(mut figures: Vec<f64>, share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() as f64 * share) as usize).min(figures.len() - 1)]
}
