// What the hooks said of a file, in words.

import { make } from "./elements.js";

const HOOKS = {
  scan: ["Malware", "is looked through for malware"],
  archives: ["Archive", "is looked into"],
  policy: ["Rules", "is checked by the rules"],
  strip_metadata: ["Metadata", "loses its metadata"],
  text: ["Text", "is being read"],
  index: ["Search", "is made searchable"],
  summary: ["Summary", "is summed up"],
};

const VERDICTS = {
  HOOK_VERDICT_RUNNING: "under way",
  HOOK_VERDICT_PASSED: "done",
  HOOK_VERDICT_REFUSED: "refused",
  HOOK_VERDICT_FAILED: "failed",
  HOOK_VERDICT_SKIPPED: "not needed",
  HOOK_VERDICT_PARTIAL: "in part",
};

const WARNINGS = ["HOOK_VERDICT_FAILED", "HOOK_VERDICT_PARTIAL"];

const verdict = (report) => report.verdict?.replace("HOOK_VERDICT_", "").toLowerCase() ?? "";

// What is done right now; empty if nothing is.
export function underWay(file) {
  const running = (file.reports ?? []).find((r) => r.verdict === "HOOK_VERDICT_RUNNING");
  return running ? (HOOKS[running.hook]?.[1] ?? `goes through ${running.hook}`) : "";
}

// What was left out or did not work, a sentence each.
export function warnings(file) {
  const found = (file.reports ?? []).filter((report) => WARNINGS.includes(report.verdict));
  return found.map((r) => r.explanation || `${HOOKS[r.hook]?.[0] ?? r.hook}: ${VERDICTS[r.verdict]}`);
}

// A line for each hook that has begun.
export function reportLines(file) {
  return (file.reports ?? []).map((report) => {
    const told = [VERDICTS[report.verdict] ?? "", report.explanation].filter(Boolean).join(": ");
    return make(
      "li",
      { "data-verdict": verdict(report) },
      make("span", { className: "step-name", textContent: HOOKS[report.hook]?.[0] ?? report.hook }),
      make("span", { textContent: told }),
    );
  });
}
