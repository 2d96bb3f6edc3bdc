//! How builds end, as pages show it. Pure.

/// The look of an outcome (`static/style.css`): made, failed for good, may go better another time, or nothing to say of it.
pub(super) fn look(outcome: &str) -> &'static str {
    match outcome {
        "built" => "ok",
        "lost-slave" | "lost-transfer" | "network" | "disk" | "upload-race" => "wait",
        "superseded" | "cancelled" => "off",
        _ => "bad",
    }
}
