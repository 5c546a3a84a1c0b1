/** What docs/errors.md says of one code. Both texts are Markdown, of whole sentences. */
export interface ErrorText {
  /** What happened. */
  readonly meaning: string;
  /** What to do about it. */
  readonly remedy: string;
}
