// Asks the server this page came from, and nobody else.

const ANSWER_WITHIN = 6000;
const proof = { header: null, user: null };

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/// JSON of `page/NAME?...`. Fails with `Refused` where the server says no, with another error where it
/// says nothing.
async function ask(name, parameters, withProof) {
  const query = Object.entries(parameters ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const search = query.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  const headers = withProof && proof.header ? { Authorization: proof.header } : {};
  const signal = AbortSignal.timeout(ANSWER_WITHIN);
  const options = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  const response = await fetch(`page/${name}${search && "?"}${search}`, options);
  const text = await response.text();
  if (!response.ok) {
    let why = text.trim() || `status ${response.status}`;
    try {
      why = JSON.parse(text).error ?? why;
    } catch {
      // It is no JSON: the text says it.
    }
    throw new Refused(response.status, why);
  }
  return JSON.parse(text);
}
