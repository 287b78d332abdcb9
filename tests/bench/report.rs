//! What was measured: one line a case, ratios first, median and range over the runs. Knows no suite.

use std::fmt::Write as _;

use serde_json::json;

/// What a case must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
    /// It is only told.
    None,
}

impl Target {
    fn holds(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::None => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
            Self::None => String::new(),
        }
    }
}

/// One figure of every run: of the product, and of its limit where it has one.
#[derive(Debug, Clone)]
struct Case {
    suite: &'static str,
    name: String,
    unit: &'static str,
    target: Target,
    product: Vec<f64>,
    limit: Vec<f64>,
}

impl Case {
    /// What the target is about: the ratio of each run, or the figure itself.
    fn judged(&self) -> Vec<f64> {
        if self.limit.is_empty() {
            return self.product.clone();
        }
        self.product.iter().zip(&self.limit).map(|(product, limit)| product / limit).collect()
    }
}

/// Every case, in the order in which they first came.
#[derive(Debug, Default)]
pub struct Report {
    about: Vec<(&'static str, String)>,
    cases: Vec<Case>,
}

impl Report {
    /// Says what a suite was measured against.
    pub fn about(&mut self, suite: &'static str, text: impl Into<String>) {
        self.about.push((suite, text.into()));
    }

    /// A figure of the product beside the same of its limit, of one run.
    pub fn beside(
        &mut self,
        suite: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        target: Target,
        (product, limit): (f64, f64),
    ) {
        let case = self.case(suite, name.into(), unit, target);
        eprintln!(
            "  {}: {} beside {} {unit}, ratio {}",
            case.name,
            short(product),
            short(limit),
            short(product / limit)
        );
        case.product.push(product);
        case.limit.push(limit);
    }

    /// A figure that stands alone, of one run.
    pub fn alone(
        &mut self,
        suite: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        target: Target,
        value: f64,
    ) {
        let case = self.case(suite, name.into(), unit, target);
        eprintln!("  {}: {} {unit}", case.name, short(value));
        case.product.push(value);
    }

    fn case(&mut self, suite: &'static str, name: String, unit: &'static str, target: Target) -> &mut Case {
        let at = self.cases.iter().position(|case| case.suite == suite && case.name == name);
        let at = at.unwrap_or_else(|| {
            self.cases.push(Case { suite, name, unit, target, product: Vec::new(), limit: Vec::new() });
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }

    /// As tables.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (suite, about) in &self.about {
            _ = writeln!(text, "\n## {suite}\n\n{about}\n");
            text.push_str("| case | ratio | target | holds | product | limit | unit | runs |\n");
            text.push_str("|---|--:|--:|---|--:|--:|---|--:|\n");
            for case in self.cases.iter().filter(|case| case.suite == *suite) {
                let judged = case.judged();
                let holds = match case.target.holds(median(&judged)) {
                    Some(true) => "yes",
                    Some(false) => "NO",
                    None => "",
                };
                let (ratio, limit) = match case.limit.is_empty() {
                    true => (String::new(), String::new()),
                    false => (spread(&judged), spread(&case.limit)),
                };
                let (name, target, product) = (&case.name, case.target.text(), spread(&case.product));
                let (unit, runs) = (case.unit, case.product.len());
                _ = writeln!(text, "| {name} | {ratio} | {target} | {holds} | {product} | {limit} | {unit} | {runs} |");
            }
        }
        text
    }

    /// One JSON object a line: what a suite was measured against, and every figure of every run.
    pub fn json(&self) -> String {
        let mut text = String::new();
        for (suite, about) in &self.about {
            _ = writeln!(text, "{}", json!({"suite": suite, "measured_against": about}));
        }
        for case in &self.cases {
            let judged = case.judged();
            let line = json!({
                "suite": case.suite, "case": case.name, "unit": case.unit, "target": case.target.text(),
                "holds": case.target.holds(median(&judged)), "product": case.product, "limit": case.limit,
                "ratio": if case.limit.is_empty() { None } else { Some(judged) },
            });
            _ = writeln!(text, "{line}");
        }
        text
    }
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    share(values, 0.5)
}

/// The value below which this share of them lies, by nearest rank.
pub fn share(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn spread(values: &[f64]) -> String {
    let (low, high) = (share(values, 0.0), share(values, 1.0));
    if values.len() == 1 {
        return short(high);
    }
    format!("{} ({}–{})", short(median(values)), short(low), short(high))
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_taken_run_by_run_and_judged_by_its_median() {
        let mut report = Report::default();
        report.about("s", "something");
        for pair in [(10.0, 100.0), (60.0, 100.0), (40.0, 50.0)] {
            report.beside("s", "c", "u", Target::AtLeast(0.5), pair);
        }
        let line = report.markdown().lines().last().unwrap_or_default().to_owned();
        assert_eq!(line, "| c | 0.60 (0.10–0.80) | ≥ 0.5 | yes | 40.0 (10.0–60.0) | 100 (50.0–100) | u | 3 |");
        report.alone("s", "d", "u", Target::AtMost(2.0), 3.0);
        assert!(report.markdown().contains("| d |  | ≤ 2 | NO | 3.00 |  | u | 1 |"));
    }
}
