import type { Place } from './lines.ts';

/** Where an agent's events lie in its log. Their payloads stay on disk. */
export class EventIndex {
  /** The last cursor of each line that holds events. */
  readonly #last: number[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];

  add(lastCursor: number, place: Place): void {
    this.#last.push(lastCursor);
    this.#offsets.push(place.offset);
    this.#lengths.push(place.length);
  }

  /** The line with the first event after a cursor, and the cursor before its first event. */
  after(cursor: number): { place: Place; before: number } | undefined {
    let low = 0;
    let high = this.#last.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#last[middle] ?? 0) > cursor) high = middle;
      else low = middle + 1;
    }
    const offset = this.#offsets[low];
    const length = this.#lengths[low];
    if (offset === undefined || length === undefined) return undefined;
    return { place: { offset, length }, before: this.#last[low - 1] ?? 0 };
  }
}
