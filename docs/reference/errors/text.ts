/** Text of docs/errors.md for one code. Both texts are Markdown, of whole sentences. */
export interface ErrorText {
  /** The event that the code stands for. */
  readonly meaning: string;
  /** What to do about it. */
  readonly remedy: string;
}
