import type { Pool } from 'pg';

/** pg's own default. */
export const DEFAULT_SIZE = 10;

const gates = new WeakMap<Pool, Gate>();

/** The gate of a pool, which all stores on it share. */
export function gateOf(pool: Pool): Gate {
  let gate = gates.get(pool);
  if (!gate) {
    const { options } = pool;
    gate = new Gate(() => Math.max(1, options.max || DEFAULT_SIZE));
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

interface Waiting {
  admit(turn: Turn): void;
  refuse(reason: unknown): void;
  readonly number: number;
  next: Waiting | undefined;
}

/**
 * Lets in as many units of work as the pool has connections; the others wait here, first come, first served.
 * In the pool's own queue their wait would count as time to connect, and a busy pool would look like a server
 * that can't be reached. Nobody within waits for anybody outside: a unit is one statement or one transaction.
 */
export class Gate {
  readonly #size: () => number;
  #within = 0;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  #newest = 0;
  #served = 0;

  constructor(size: () => number) {
    this.#size = size;
  }

  /** Goes in if there is room: to be followed by `leave` or `giveUp`. */
  enter(): Turn | undefined {
    if (this.#first || this.#within >= this.#size()) return undefined;
    this.#within += 1;
    return AT_ONCE;
  }

  /** Waits for room; rejected, one is still outside. */
  turn(): Promise<Turn> {
    return new Promise((admit, refuse) => {
      this.#newest += 1;
      const waiting: Waiting = { admit, refuse, number: this.#newest, next: undefined };
      if (this.#last) this.#last.next = waiting;
      else this.#first = waiting;
      this.#last = waiting;
    });
  }

  /** The unit had its connection, or was refused one at once: who comes next may have more luck. */
  leave(): void {
    this.#served += 1;
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
        this.#removeFirst(first);
        first.refuse(reason);
      }
    }
    this.#admit();
  }

  #admit(): void {
    this.#within -= 1;
    for (let first = this.#first; first && this.#within < this.#size(); first = this.#first) {
      this.#within += 1;
      this.#removeFirst(first);
      first.admit({ newest: this.#newest, served: this.#served });
    }
  }

  #removeFirst(first: Waiting): void {
    this.#first = first.next;
    if (!first.next) this.#last = undefined;
  }
}
