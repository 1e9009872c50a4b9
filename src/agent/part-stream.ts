import { SlowReaderError } from './errors.ts';
import type { AgentStreamPart } from './stream-part.ts';

/** Parts that wait for their reader; one more, and the reader is told that it is too slow. */
export const MAX_UNREAD_PARTS = 10_000;
/** With so many waiting, the reader is behind anyway: what follows each other in one piece becomes one part. */
const JOINED_FROM = 1_000;

/**
 * A turn's parts for one reader. The turn goes on whether or not they are read, and waits for nobody, because
 * it holds the agent's lease; what a reader who has left won't see isn't kept.
 */
export class PartStream implements AsyncIterableIterator<AgentStreamPart> {
  readonly #agentId: string;
  #parts: AgentStreamPart[] = [];
  #ended = false;
  #failure: { error: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(agentId: string) {
    this.#agentId = agentId;
  }

  push(part: AgentStreamPart): void {
    if (this.#ended) return;
    const unread = this.#parts.length;
    const joined = unread >= JOINED_FROM ? joinedTo(this.#parts[unread - 1], part) : undefined;
    if (joined) {
      this.#parts[unread - 1] = joined;
    } else if (unread >= MAX_UNREAD_PARTS) {
      this.end({ error: new SlowReaderError(this.#agentId, unread) });
    } else {
      this.#parts.push(part);
      this.#wake();
    }
  }

  end(failure?: { error: unknown }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake();
  }

  async next(): Promise<IteratorResult<AgentStreamPart, undefined>> {
    while (this.#parts.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    const value = this.#parts.shift();
    if (value !== undefined) return { done: false, value };
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<AgentStreamPart, undefined>> {
    this.#parts = [];
    this.#failure = undefined;
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Each looks whether there is something for it. */
  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Both as one part; undefined where that would say something else. */
function joinedTo(last: AgentStreamPart | undefined, part: AgentStreamPart): AgentStreamPart | undefined {
  if (last === undefined || last.cursor !== undefined || part.cursor !== undefined) return undefined;
  if (part.type === 'text-delta' || part.type === 'reasoning-delta') {
    if (last.type !== part.type || last.id !== part.id || !saysNoMore(last, part)) return undefined;
    return { ...last, text: last.text + part.text };
  }
  if (part.type === 'tool-input-delta') {
    if (last.type !== part.type || last.id !== part.id || !saysNoMore(last, part)) return undefined;
    return { ...last, delta: last.delta + part.delta };
  }
  if (part.type === 'tool-result' && part.preliminary === true) {
    const replaces = last.type === part.type && last.preliminary === true && last.callSeq === part.callSeq;
    return replaces ? part : undefined;
  }
  return undefined;
}

function saysNoMore(
  one: { providerMetadata?: Record<string, unknown> },
  other: { providerMetadata?: Record<string, unknown> },
): boolean {
  return one.providerMetadata === undefined && other.providerMetadata === undefined;
}
