import type { EncodedEvent } from '../../model/encode-commit.ts';
import type { AgentKeys } from '../keys.ts';
import type { SqlValue } from '../port/values.ts';
import { CHANNEL_BITS } from '../schema/tables.ts';

/** A row is read as a whole: these keep it small enough to be read for the sake of one event in it. */
const MAX_EVENTS = 256;
const MAX_LENGTH = 65_536;

/** Events of one instant. */
export interface Moment {
  readonly events: readonly EncodedEvent[];
  readonly at: number;
}

/** Rows of `events`: what happened at one instant shares one. Cursors are ordinals within the batch here. */
export function eventRows({ tree, agent }: AgentKeys, moments: readonly Moment[]): SqlValue[][] {
  const packs: Pack[] = [];
  let pack: Pack | undefined;
  let last = -1;
  for (const { events, at } of moments) {
    for (const event of events) {
      if (!pack?.takes(event, at)) {
        pack = new Pack(at);
        packs.push(pack);
      }
      last += 1;
      pack.add(event, last);
    }
  }
  return packs.map((one) => [tree, agent, one.last, one.payloads.length, one.channels, one.at, one.text()]);
}

class Pack {
  readonly at: number;
  readonly payloads: string[] = [];
  last = 0;
  channels = 0;
  #length = 0;

  constructor(at: number) {
    this.at = at;
  }

  takes({ payload }: EncodedEvent, at: number): boolean {
    return at === this.at && this.payloads.length < MAX_EVENTS && this.#length + payload.length <= MAX_LENGTH;
  }

  add({ channel, payload }: EncodedEvent, ordinal: number): void {
    this.payloads.push(payload);
    this.last = ordinal;
    this.channels |= CHANNEL_BITS[channel];
    this.#length += payload.length;
  }

  text(): string {
    return `[${this.payloads.join(',')}]`;
  }
}
