import type { Place } from './lines.ts';

export interface EventLine {
  readonly place: Place;
  /** The cursor before the line's first event. */
  readonly before: number;
  /** The cursor of the line's last event. */
  readonly last: number;
}

/** Where an agent's events lie in its log. Their payloads stay on disk. */
export class EventIndex {
  /** The last cursor of each line that holds events. */
  readonly #last: number[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  readonly #previous: number[] = [];

  add(lastCursor: number, place: Place): void {
    this.#last.push(lastCursor);
    this.#offsets.push(place.offset);
    this.#lengths.push(place.length);
    this.#previous.push(place.previous);
  }

  /** The line with the first event after a cursor. */
  after(cursor: number): EventLine | undefined {
    return this.#line(this.#firstAfter(cursor));
  }

  /** The line with the last event before a cursor. */
  before(cursor: number): EventLine | undefined {
    if (cursor <= 1) return undefined;
    return this.#line(Math.min(this.#firstAfter(cursor - 2), this.#last.length - 1));
  }

  #firstAfter(cursor: number): number {
    let low = 0;
    let high = this.#last.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#last[middle] ?? 0) > cursor) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #line(at: number): EventLine | undefined {
    const offset = this.#offsets[at];
    const length = this.#lengths[at];
    const previous = this.#previous[at];
    const last = this.#last[at];
    if (offset === undefined || length === undefined || previous === undefined || last === undefined)
      return undefined;
    return { place: { offset, length, previous }, before: this.#last[at - 1] ?? 0, last };
  }
}
