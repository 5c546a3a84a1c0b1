/** Text of docs/errors.md for one code, as whole sentences in Markdown. */
export interface ErrorText {
  /** The event that the code stands for. */
  readonly meaning: string;
  /** What to do about it. */
  readonly remedy: string;
}
