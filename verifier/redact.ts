/** Keeps credentials of others out of texts that are logged or answered. Pure. */

/** Removes user and password from the URLs in a text (RFC 3986 §3.2.1). */
export function withoutUserinfo(text: string): string {
  return text.includes("@") ? text.replace(/(:\/\/)[^/?#\s"'\\]*@/g, "$1") : text;
}

/** At least this many characters that also stand in a token are taken for a part of it. */
const shortestPart = 8;

/** A text of another server about a token: without the token's parts, in printable ASCII, and short. */
export function withoutToken(text: string, token: string): string {
  const plain = text.slice(0, 2_048).replace(/[^\x20-\x7e]/g, " ");
  let shown = "";
  let at = 0;
  while (at < plain.length && shown.length < 512) {
    const length = commonLength(plain, at, token);
    shown += length > 0 ? "[token]" : plain[at];
    at += Math.max(1, length);
  }
  return shown.slice(0, 512);
}

/** The length of the longest part of a token that begins at a place of a text; 0 for none. */
function commonLength(text: string, at: number, token: string): number {
  let length = Math.min(shortestPart, text.length - at);
  if (length < shortestPart || !token.includes(text.slice(at, at + length))) return 0;
  while (at + length < text.length && token.includes(text.slice(at, at + length + 1))) length++;
  return length;
}
