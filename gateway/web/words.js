// Errors and missing features in words.

const REASONS = {
  REASON_CREDENTIALS_WRONG: "The name or the password is wrong.",
  REASON_MESSAGE_RATE: "You are sending faster than allowed.",
  REASON_SIGN_IN_RATE: "Too many attempts to sign in.",
  REASON_UPLOAD_LIMIT: "Too many files are on their way. Wait for one of them, then try again.",
  REASON_CONNECTION_LIMIT: "Kari is open in too many places. Close another window first.",
  REASON_TURN_ACTIVE: "The last answer is still being written.",
  REASON_PROVIDERS_FAILED: "No model answered.",
  REASON_STORE_UNAVAILABLE: "Something that Kari needs does not answer right now.",
  REASON_SERVER_UNAVAILABLE: "Something that Kari needs does not answer right now.",
  REASON_SHUTTING_DOWN: "Kari is restarting.",
  REASON_DEADLINE: "It took too long.",
  REASON_INTERNAL: "Something is broken on our side.",
  REASON_TURN_ABANDONED: "The answer was cut off. The text so far is kept.",
  REASON_TOO_LARGE: "That is too large to send.",
  REASON_CALL_NOT_FOUND: "Nobody waits for this answer any more.",
  REASON_APPROVAL_DENIED: "You did not allow it.",
  REASON_APPROVAL_EXPIRED: "Nobody answered in time.",
};

const FEATURES = {
  FEATURE_SESSION_BUFFER: "Recent messages come from the archive; answers begin a little later.",
  FEATURE_RESUME: "An answer cannot be picked up again after a restart.",
  FEATURE_SEMANTIC_RECALL: "Kari does not recall older conversations by meaning.",
  FEATURE_FULL_CONTEXT: "The model reads less of this conversation than usual.",
  FEATURE_CHOSEN_MODEL: "Another model answers than the one that was chosen.",
  FEATURE_SHARED_LIMITS: "Limits are counted by each server alone.",
  FEATURE_FAN_OUT: "What others do may not show here at once.",
  FEATURE_VAULT: "Kari does not look at what it remembers of you.",
  FEATURE_LONG_TERM_MEMORY: "Kari does not look at earlier parts of this conversation.",
  FEATURE_PAST_THREADS: "Kari does not look at other conversations.",
  FEATURE_FILES: "Kari could not look at the files of this message.",
  FEATURE_IMAGES: "The model does not see the pictures of this message. It reads the text in them.",
  FEATURE_UPLOADS: "No files can be uploaded.",
  FEATURE_TOOLS: "Kari uses no tools, or no more of them.",
};

export function sentence(error) {
  // Of the store of files the server says more: whether it is away, or its disk full.
  const known = error.details?.store === "objects" ? undefined : REASONS[error.reason];
  const words = known ?? capital(error.message) ?? "Something went wrong.";
  const fields = (error.violations ?? []).map((v) => `${v.field}: ${v.description}`);
  const wait = parseFloat(error.retryAfter ?? "");
  const later = wait >= 1 ? ` Try again in ${Math.ceil(wait)} s.` : "";
  const end = /[.!?]$/.test(words) ? "" : ".";
  return [words + end + later, ...(error.reason === "REASON_FIELD_INVALID" ? fields.slice(1) : [])].join(" ");
}

// Where the cause is another one than that the model does not see.
const IMAGES = {
  most_images: "The model is shown the first pictures of this message alone. It reads the text in the others.",
  multimedia: "A picture of this message cannot be shown to the model.",
};

export const feature = (name, cause) =>
  (name === "FEATURE_IMAGES" && IMAGES[cause]) || (FEATURES[name] ?? "A feature is missing.");

// How a mode or model is shown: CONVERSATION_MODE_CHAT is Chat.
export function mode(name) {
  return capital((name ?? "").replace("CONVERSATION_MODE_", "").toLowerCase());
}

// An error of our own, in the shape of an envelope.
export function problem(message, more = {}) {
  return { type: "ERROR_TYPE_UNAVAILABLE", message, retryable: true, ...more };
}

function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : undefined;
}
