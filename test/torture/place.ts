import { JSONStore } from '../../src/json/store.ts';
import type { Store } from '../../src/store/store.ts';
import { openAt, type Place } from '../agent/crash/place.ts';

/** Where the data of a store of any backend lies. */
export type AnyPlace = Place | { kind: 'json'; path: string };

export async function openAnywhere(place: AnyPlace): Promise<Store> {
  return place.kind === 'json' ? new JSONStore(place.path) : openAt(place);
}
