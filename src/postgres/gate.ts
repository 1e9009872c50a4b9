import type { Pool } from 'pg';
import { StoreBusyError } from '../errors.ts';

/** pg's own default. */
export const DEFAULT_SIZE = 10;

const gates = new WeakMap<Pool, Gate>();

/** The gate of a pool, which all stores on it share. `aside`: connections of the pool for which nobody waits here. */
export function gateOf(pool: Pool, aside: number): Gate {
  let gate = gates.get(pool);
  if (!gate) {
    const { options } = pool;
    gate = new Gate(() => Math.max(1, (options.max || DEFAULT_SIZE) - aside));
    gates.set(pool, gate);
  }
  return gate;
}

/** How things were when somebody went in. */
export interface Turn {
  /** Who waited then has a number up to this one. */
  readonly newest: number;
  readonly served: number;
}

/** Of those for whom there was room at once: nobody waited. */
const AT_ONCE: Turn = { newest: 0, served: -1 };

/** Somebody who waits. */
export interface Wait {
  /** How long nobody may be served before they give up. */
  readonly patienceMs: number;
  /** Goes before the others. */
  readonly urgent: boolean;
  /** So many may wait; whoever comes then is told at once. */
  readonly mostWaiting: number;
}

interface Waiting {
  admit(turn: Turn): void;
  refuse(reason: unknown): void;
  readonly number: number;
  gone: boolean;
  next: Waiting | undefined;
}

/**
 * Lets in as many units of work as the pool has connections; the others wait here, first come, first served.
 * In the pool's own queue their wait would count as time to connect, and a busy pool would look like a server
 * that can't be reached. Nobody within waits for anybody outside: a unit is one statement or one transaction.
 *
 * A line that moves may be long: whoever waits gives up when nobody has been served for a while.
 */
export class Gate {
  readonly #size: () => number;
  #within = 0;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  #waiting = 0;
  #newest = 0;
  #served = 0;
  #servedAt = 0;
  #oneKept = false;

  constructor(size: () => number) {
    this.#size = size;
  }

  /** How many are let in at a time. */
  get size(): number {
    return this.#size();
  }

  /** Goes in if there is room: to be followed by `leave` or `giveUp`. */
  enter(): Turn | undefined {
    if (this.#first || this.#within >= this.#size()) return undefined;
    this.#within += 1;
    return AT_ONCE;
  }

  /** Waits for room; rejected, one is still outside. `ended` hears how to end the wait, and that it is over. */
  turn(
    { patienceMs, urgent, mostWaiting }: Wait,
    ended: (refuse: (reason: unknown) => void) => () => void,
  ): Promise<Turn> {
    if (!urgent && this.#waiting >= mostWaiting) return Promise.reject(tooMany(mostWaiting));
    return new Promise((resolve, reject) => {
      this.#newest += 1;
      const since = performance.now();
      let timer: NodeJS.Timeout;
      const over = () => {
        clearTimeout(timer);
        forget();
      };
      const waiting: Waiting = {
        admit(turn) {
          over();
          resolve(turn);
        },
        refuse(reason) {
          over();
          reject(reason);
        },
        number: this.#newest,
        gone: false,
        next: undefined,
      };
      const look = () => {
        const left = Math.max(since, this.#servedAt) + patienceMs - performance.now();
        if (left > 0) timer = setTimeout(look, left);
        else this.#remove(waiting, noneServed(patienceMs, this.#waiting - 1));
      };
      timer = setTimeout(look, patienceMs);
      const forget = ended((reason) => this.#remove(waiting, reason));
      this.#add(waiting, urgent);
    });
  }

  /**
   * Whether somebody within may stay, and keep a connection for what is urgent: one for all stores on the pool,
   * because the others would have none left, and only where there is another.
   */
  keepOne(): boolean {
    if (this.#oneKept || this.size <= 1) return false;
    this.#oneKept = true;
    return true;
  }

  /** The one who stayed is about to leave. */
  keepNone(): void {
    this.#oneKept = false;
  }

  /** The unit had its connection, or was refused one at once: who comes next may have more luck. */
  leave(): void {
    this.#served += 1;
    this.#servedAt = performance.now();
    this.#admit();
  }

  /** The unit ended because nobody answered: that is no service to the others. */
  leaveUnserved(): void {
    this.#admit();
  }

  /**
   * The pool let the unit wait for a connection as long as it does, in vain. If nobody got one meanwhile,
   * those who waited here all the while give up with it: they had as long, and the next would have to wait
   * for each of them.
   */
  giveUp(turn: Turn, reason: unknown): void {
    if (turn.served === this.#served) {
      for (let first = this.#first; first && first.number <= turn.newest; first = this.#first) {
        this.#removeFirst(first)?.refuse(reason);
      }
    }
    this.#admit();
  }

  #admit(): void {
    this.#within -= 1;
    for (let first = this.#first; first && this.#within < this.#size(); first = this.#first) {
      const waiting = this.#removeFirst(first);
      if (!waiting) continue;
      this.#within += 1;
      waiting.admit({ newest: this.#newest, served: this.#served });
    }
  }

  #add(waiting: Waiting, urgent: boolean): void {
    this.#waiting += 1;
    if (urgent) {
      waiting.next = this.#first;
      this.#first = waiting;
      this.#last ??= waiting;
      return;
    }
    if (this.#last) this.#last.next = waiting;
    else this.#first = waiting;
    this.#last = waiting;
  }

  /** Undefined for one that has given up: it was still in the list. */
  #removeFirst(first: Waiting): Waiting | undefined {
    this.#first = first.next;
    if (!first.next) this.#last = undefined;
    if (first.gone) return undefined;
    this.#waiting -= 1;
    return first;
  }

  #remove(waiting: Waiting, reason: unknown): void {
    if (waiting.gone) return;
    waiting.gone = true;
    this.#waiting -= 1;
    waiting.refuse(reason);
    // Nobody who has gone stays at the head of the line, where `enter` would take it for somebody.
    for (let first = this.#first; first?.gone; first = this.#first) this.#removeFirst(first);
  }
}

function tooMany(most: number): StoreBusyError {
  return new StoreBusyError(
    `${most.toLocaleString('en')} calls wait for a connection already (maxQueuedCalls). Nothing was stored: start fewer at a time, or raise the pool's "max".`,
  );
}

function noneServed(ms: number, others: number): StoreBusyError {
  return new StoreBusyError(
    `All connections of the pool were busy, and none came free for ${ms.toLocaleString('en')} ms (callTimeoutMs); ${others} other calls wait. Nothing was stored. Either the server is slow or frozen, or long work holds the connections: look at pg_stat_activity, or raise the pool's "max".`,
  );
}
