/** Why the store stopped waiting for a statement. */
export type GivenUpWhy =
  /** It took longer than it may. */
  | { readonly kind: 'late'; readonly timeoutMs: number }
  /** There was no connection to send it on. */
  | { readonly kind: 'no connection'; readonly timeoutMs: number }
  /** The caller's signal aborted. */
  | { readonly kind: 'aborted'; readonly reason: unknown }
  /** The store was closed, and waits no longer. */
  | { readonly kind: 'closed' }
  /** It may take long, but the server doesn't answer anybody any more. */
  | { readonly kind: 'unreachable' };

/** A statement that the store waits for no longer. */
export class GivenUp extends Error {
  readonly why: GivenUpWhy;
  /** The server has said that it cancelled the statement; else it said nothing. */
  readonly answered: boolean;

  constructor(why: GivenUpWhy, options: { answered: boolean; cause?: unknown }) {
    super(`A statement was given up (${why.kind})`, options);
    this.why = why;
    this.answered = options.answered;
  }
}

/** By a signal that has aborted: nothing was sent, so nothing happened. */
export function abortedBefore(signal: AbortSignal): GivenUp {
  return new GivenUp({ kind: 'aborted', reason: signal.reason }, { answered: true });
}
