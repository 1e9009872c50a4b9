import { describe, expect, it } from 'vitest';
import { JSONStore } from '../src/json/store.ts';
import { PostgresStore } from '../src/postgres/store.ts';
import { SqliteStore } from '../src/sqlite/store.ts';
import { CheckedExtendedStore } from '../src/store/checked-extended-store.ts';
import { CheckedStore } from '../src/store/checked-store.ts';

const EDGE: readonly unknown[] = [CheckedStore.prototype, CheckedExtendedStore.prototype];

/** Names of the public methods that the edge has, and which of them a backend's own classes define again. */
function definedBelowTheEdge(store: { prototype: object }): string[] {
  const isPublic = new Set(EDGE.flatMap((prototype) => Object.getOwnPropertyNames(prototype)));
  const own: string[] = [];
  for (
    let prototype: object | null = store.prototype;
    prototype && !EDGE.includes(prototype);
    prototype = Object.getPrototypeOf(prototype)
  ) {
    own.push(...Object.getOwnPropertyNames(prototype).filter((name) => isPublic.has(name)));
  }
  return own.filter((name) => !['constructor', 'explain'].includes(name));
}

describe('the edge of all stores', () => {
  it.each([SqliteStore, PostgresStore, JSONStore])('A2 has every public method of $name', (store) => {
    expect(definedBelowTheEdge(store)).toEqual([]);
  });
});
