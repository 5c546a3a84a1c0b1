/** Removes credentials from texts that are logged or sent. Pure. */

/** Removes user and password from the URLs in a text (RFC 3986, section 3.2.1). */
export function withoutUserinfo(text: string): string {
  return text.includes("@") ? text.replace(/(:\/\/)[^/?#\s"'\\]*@/g, "$1") : text;
}

/** A common substring of this length counts as a part of the token. */
const shortestPart = 8;

/** Removes the parts of a token from another server's text, and limits the text to 512 printable ASCII characters. */
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

/** Length of the longest part of the token that begins at this place of the text; 0 for none. */
function commonLength(text: string, at: number, token: string): number {
  let length = Math.min(shortestPart, text.length - at);
  if (length < shortestPart || !token.includes(text.slice(at, at + length))) return 0;
  while (at + length < text.length && token.includes(text.slice(at, at + length + 1))) length++;
  return length;
}
