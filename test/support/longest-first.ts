import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take a good part of a run, the longest first. */
const LONG = [
  'test/differential/',
  'test/agent/crash/',
  'test/suite/',
  'test/sql/',
  'test/examples/',
  'test/docs/',
  'test/cli/',
  'test/postgres/',
];

/**
 * Begins with the files that take long, so that no worker is left with one of them when the others are done.
 * How long they took the last time isn't known on a fresh clone.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => rank(one) - rank(other));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const place = LONG.findIndex((part) => moduleId.replaceAll('\\', '/').includes(`/${part}`));
  return place < 0 ? LONG.length : place;
}
