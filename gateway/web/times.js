// Times in words.

// The clock for today, the day for this year, the year too for others.
export function when(timestamp) {
  if (!timestamp) return "";
  const time = new Date(timestamp);
  const now = new Date();
  if (now.toDateString() === time.toDateString()) {
    return time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
  const year = now.getFullYear() === time.getFullYear() ? {} : { year: "numeric" };
  return time.toLocaleDateString([], { day: "numeric", month: "short", ...year });
}
