// Signing in and out. Tokens live in cookies that scripts cannot read; the access token of the
// last answer is held in memory, to renew the socket's.

import { problem } from "./words.js";

export class Refused extends Error {
  constructor(envelope, status) {
    super(envelope.message);
    this.envelope = envelope;
    this.status = status;
  }
}

async function post(path, body) {
  let response;
  try {
    response = await fetch(`/v1/auth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body ?? {}),
    });
  } catch {
    throw new Refused(problem("Kari does not answer."), 0);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer, response.status);
  return answer;
}

export const signIn = (name, password) => post("login", { name, password });

// Each refresh token works once, and all tabs share it: one tab at a time.
export function refresh() {
  if (!navigator.locks) return post("refresh");
  return navigator.locks.request("kari-refresh", () => post("refresh"));
}

// Says that there is a session to go on with; it is no secret and opens nothing.
export const mayBeSignedIn = () => document.cookie.split("; ").includes("kari_session=1");

export const signOut = () => post("logout").catch(() => null);
