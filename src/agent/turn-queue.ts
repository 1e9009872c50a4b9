import { AgentBusyError, AgentClosedError, TurnInterruptedError } from './errors.ts';

/** Turns that wait at a time. */
export const MAX_WAITING_TURNS = 1_000;

/** Lets in one turn of an agent at a time, and stops the one that is under way. */
export class TurnQueue {
  readonly #agentId: string;
  #running: Promise<void> | undefined;
  #last: Promise<void> | undefined;
  #waiting = 0;
  #interrupts = new AbortController();
  #isClosed = false;

  constructor(agentId: string) {
    this.#agentId = agentId;
  }

  assertOpen(): void {
    if (this.#isClosed) throw new AgentClosedError(this.#agentId);
  }

  /** The signal is aborted by `interrupt()`. */
  async run<T>(whenBusy: 'reject' | 'queue', work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.assertOpen();
    if (this.#last !== undefined && whenBusy !== 'queue') throw new AgentBusyError(this.#agentId);
    if (this.#waiting >= MAX_WAITING_TURNS) throw new AgentBusyError(this.#agentId, this.#waiting);
    const begin = () => {
      this.assertOpen();
      const turn = work(this.#interrupts.signal);
      this.#running = turn.then(nothing, nothing);
      return turn;
    };
    // At once when nothing else runs, so that an interrupt that follows finds it.
    const promise = this.#last === undefined ? begin() : this.#afterLast(this.#last, begin);
    const last = promise.then(nothing, nothing);
    this.#last = last;
    try {
      return await promise;
    } finally {
      if (this.#last === last) {
        this.#last = undefined;
        this.#running = undefined;
      }
    }
  }

  #afterLast<T>(last: Promise<void>, begin: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    return last.then(() => {
      this.#waiting -= 1;
      return begin();
    });
  }

  /** Stops the turn under way; those that wait for it go on. */
  async interrupt(): Promise<void> {
    const running = this.#running;
    this.#interrupts.abort(new TurnInterruptedError(this.#agentId));
    this.#interrupts = new AbortController();
    await running;
  }

  /** Stops the turn under way, and lets in no other. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.interrupt();
  }
}

function nothing(): void {}
