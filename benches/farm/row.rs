//! One figure beside its limit.

/// How a figure is compared.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At least this share of the limit.
    Share(f64),
    /// At most the limit.
    Within,
}

/// Prints rows as they come.
pub(crate) struct Rows {
    json: bool,
}

impl Rows {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!(
                "{:<22} {:>12} {:>12} {:<8} {:>6} {:>7}  met",
                "what", "measured", "limit", "unit", "ratio", "goal"
            );
        }
        Self { json }
    }

    pub(crate) fn add(&mut self, name: &str, value: f64, limit: f64, unit: &str, goal: Goal) {
        let (ratio, goal, met) = match goal {
            Goal::Share(share) => (value / limit, share, value / limit >= share),
            Goal::Within => (limit / value, 1.0, value <= limit),
        };
        if self.json {
            let row = serde_json::json!({
                "name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio, "goal": goal, "met": met,
            });
            println!("{row}");
            return;
        }
        let met = if met { "yes" } else { "NO" };
        println!("{name:<22} {value:>12.1} {limit:>12.1} {unit:<8} {ratio:>6.2} {goal:>7.2}  {met}");
    }

    /// What a person should know beside the figures.
    pub(crate) fn note(&self, text: &str) {
        eprintln!("  {text}");
    }
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
