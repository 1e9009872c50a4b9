import type { Clock } from '../model/clock.ts';
import { type DatabaseTime, MAX_AHEAD_MS } from '../model/database-time.ts';

/** The server's clock, and this machine's two, at the moment when the server said it. */
interface Heard {
  server: number;
  wall: number;
  monotonic: number;
}

/**
 * The server's clock, without asking: it says the time when the store connects, and with the outcome of each batch.
 * This machine's clock is believed where it isn't far from that, so that stamps don't jump with the time that an
 * answer takes; where it is far, it is corrected by as much.
 */
export class ServerTime implements DatabaseTime {
  readonly #clock: Clock;
  readonly #ask: () => Promise<number>;
  #heard: Heard | undefined;
  #asking: Promise<void> | undefined;

  constructor(clock: Clock, ask: () => Promise<number>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  hear(server: number): void {
    if (!Number.isFinite(server)) return;
    this.#heard = { server, wall: this.#clock.now(), monotonic: this.#clock.monotonic() };
  }

  now(): number {
    const own = this.#clock.now();
    const ahead = this.#heard ? this.#heard.wall - this.#heard.server : 0;
    return Math.abs(ahead) > MAX_AHEAD_MS ? own - ahead : own;
  }

  /** Both clocks of this machine went on alike: nobody set the one, and the other didn't stand still in a pause. */
  get isSure(): boolean {
    if (!this.#heard) return false;
    const passed = this.#clock.monotonic() - this.#heard.monotonic;
    return Math.abs(this.#clock.now() - this.#heard.wall - passed) <= MAX_AHEAD_MS;
  }

  /** Those who ask at the same time get one answer. */
  learn(): Promise<void> {
    this.#asking ??= this.#ask()
      .then((server) => this.hear(server))
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }
}
